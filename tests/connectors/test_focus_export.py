"""FOCUS exports: versions, rows that break a rule, lines about the same thing, damaged Parquet."""

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from countersign.connectors.focus_export import FocusExport
from countersign.errors import Fault, SourceError
from countersign.lake.lake import Lake
from countersign.lake.raw import PageManifest
from countersign.model import US_PER_DAY, Window
from countersign.records import ProviderCharge

EXPECTATIONS = Path(__file__).resolve().parents[2] / "expectations"
HEADER = "ProviderName,ChargePeriodStart,ChargePeriodEnd,BilledCost,BillingCurrency"
LINE = "AWS,2026-11-02,2026-11-03,0.42,USD"
WINDOW = Window.parse("2026-11-02/2026-11-03")


def charges(text: str | bytes, **settings: Any) -> list[ProviderCharge]:
    body = text.encode() if isinstance(text, str) else text
    found = list(FocusExport(**settings).parse(body))
    assert all(isinstance(one, ProviderCharge) for one in found)
    return found  # type: ignore[return-value]  # just asserted


def parquet(**columns: Any) -> bytes:
    own = {
        "ProviderName": ["AWS"],
        "ChargePeriodStart": [datetime(2026, 11, 2)],  # noqa: DTZ001 - files without a zone exist
        "ChargePeriodEnd": [datetime(2026, 11, 3)],  # noqa: DTZ001
        "BilledCost": [0.42],
        "BillingCurrency": ["USD"],
    }
    sink = io.BytesIO()
    pq.write_table(pa.table({**own, **columns}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("column", "version"),
    [
        ("ServiceName", "1.0"),
        ("SkuMeter", "1.1"),
        ("InvoiceId", "1.2"),
        ("ServiceProviderName", "1.3"),
        ("InvoiceDetailId", "1.4"),
    ],
)
def test_the_version_is_told_by_the_newest_column(column: str, version: str) -> None:
    (charge,) = charges(f"{HEADER},{column}\n{LINE},x\n")
    assert charge.x_focus_version == version


def test_the_service_provider_stands_in_for_the_provider_that_1_4_no_longer_has() -> None:
    header = HEADER.replace("ProviderName", "ServiceProviderName") + ",HostProviderName"
    (charge,) = charges(f"{header}\n{LINE.replace('AWS', 'Anthropic')},AWS\n")
    assert (charge.ProviderName, charge.HostProviderName) == ("Anthropic", "AWS")


def test_a_service_has_the_name_that_the_settings_give_it() -> None:
    settings = {"providers": {"Amazon Bedrock": "aws.bedrock"}}
    text = f"{HEADER},ServiceName\n{LINE},Amazon Bedrock\n{LINE},Amazon S3\n"
    assert [c.ProviderName for c in charges(text, **settings)] == ["aws.bedrock", "AWS"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (LINE.replace("0.42", "twelve"), "BilledCost: a number was expected, not 'twelve'"),
        (LINE.replace("0.42", "NaN"), "BilledCost: a finite number was expected"),
        (LINE.replace("0.42", "1e400"), "BilledCost: an amount was expected"),
        (LINE.replace("2026-11-03", "11/3/26"), "ChargePeriodEnd: a time was expected"),
        (LINE + ",more", "line 3 has 6 cells, not 5"),
    ],
)
def test_a_row_that_cannot_be_read_says_why_and_leaves_the_others(line: str, said: str) -> None:
    before, wrong, after = charges(f"{HEADER}\n{LINE}\n{line}\n{LINE}\n")
    assert said in (wrong.x_unreadable or "")
    assert (before.x_unreadable, after.BilledCost) == (None, "0.42")


def test_null_words_and_empty_cells_are_absent_and_zero_is_zero() -> None:
    text = f"{HEADER},EffectiveCost,ListCost,SkuId\n{LINE},NULL,,0\n{LINE},0.00 ,0,NULL\n"
    first, second = charges(text)
    assert (first.EffectiveCost, first.ListCost, first.SkuId) == (None, None, "0")
    assert (second.EffectiveCost, second.ListCost, second.SkuId) == ("0", "0", None)


def test_equal_lines_of_one_file_are_numbered_and_a_copy_of_the_file_is_the_same() -> None:
    text = f"{HEADER}\n{LINE}\n{LINE}\n{LINE.replace('0.42', '0.50')}\n"
    assert [c.x_line for c in charges(text)] == [None, 2, 3]
    assert charges(text) == charges(text)


def test_the_model_and_token_type_come_from_custom_columns_else_from_the_meter() -> None:
    header = f"{HEADER},SkuPriceDetails,SkuMeter,ConsumedUnit,x_Token_Type,x_Team"
    details = '"{""x_Model"":""claude-sonnet-5""}"'
    named, metered, hours = charges(
        f"{header}\n{LINE},{details},In,Tokens,cache_read,a\n"
        f"{LINE},,In,1K tokens,,\n{LINE},,In,Hours,,\n"
    )
    assert (named.x_model, named.x_token_type) == ("claude-sonnet-5", "cache_read")
    assert json.loads(named.x_columns or "") == {"x_Token_Type": "cache_read", "x_Team": "a"}
    assert (metered.x_model, metered.x_token_type) == (None, "In")
    assert hours.x_token_type is None


@pytest.mark.parametrize("text", ["", "   \n", "a,b\n1,2\n", f"{HEADER},BilledCost\n{LINE},1\n"])
def test_what_is_no_focus_table_is_refused(text: str) -> None:
    with pytest.raises(SourceError):
        charges(text)


def test_a_last_line_that_stops_early_is_a_truncated_file() -> None:
    with pytest.raises(SourceError) as caught:
        charges(f"{HEADER}\n{LINE}\nAWS,2026-11-02")
    assert caught.value.fault is Fault.TRUNCATED


def test_parquet_keeps_decimals_times_of_any_unit_and_maps() -> None:
    (charge,) = charges(
        parquet(
            ListCost=pa.array(["0.000000123456"]).cast(pa.decimal128(38, 12)),
            BillingPeriodStart=pa.array([1_793_491_200_000_000_000], pa.timestamp("ns", "UTC")),
            Tags=pa.array([[("team", "a")]], pa.map_(pa.string(), pa.string())),
        )
    )
    assert (charge.BilledCost, charge.ListCost) == ("0.42", "0.000000123456")
    assert charge.BillingPeriodStart == 1_793_491_200_000_000
    assert charge.Tags == '{"team":"a"}'


def test_damaged_parquet_is_an_error_of_the_source_whatever_byte_is_wrong() -> None:
    body = parquet()
    for cut in range(4, len(body) - 1, 37):
        with pytest.raises(SourceError) as caught:
            charges(body[:cut])
        assert caught.value.fault is Fault.TRUNCATED
    refused = 0
    for at in range(4, len(body) - 4, 11):
        damaged = body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]
        try:
            charges(damaged)
        except SourceError:
            refused += 1
    assert refused > 10


def test_parquet_of_the_wrong_types_refuses_rows_and_no_page() -> None:
    (charge,) = charges(parquet(BilledCost=[True], BillingCurrency=[1.5], SkuId=[[1]]))
    assert charge.BilledCost is None
    assert "BilledCost: a number was expected, not bool" in (charge.x_unreadable or "")
    assert "BillingCurrency: text was expected, not float" in (charge.x_unreadable or "")
    assert "SkuId" in (charge.x_unreadable or "")


def test_parquet_that_promises_more_rows_than_any_file_has_is_refused() -> None:
    rows = 5_000_001
    sink = io.BytesIO()
    column = pa.chunked_array([pa.nulls(rows, pa.string())])
    names = HEADER.split(",")
    pq.write_table(pa.table(dict.fromkeys(names, column)), sink)
    with pytest.raises(SourceError, match="at most 5000000 rows"):
        charges(sink.getvalue())


def test_parquet_that_repeats_one_long_text_is_refused_before_it_unpacks() -> None:
    rows = 20_000
    text = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * 100_000])
    one = pa.array(["2026-11-02"] * rows)
    columns = dict.fromkeys(HEADER.split(","), one) | {"ProviderName": text}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    with pytest.raises(SourceError, match="cells of at most 65536 characters"):
        charges(sink.getvalue())


@pytest.fixture
def admitted(tmp_path: Path) -> Any:
    """Admits one export file under every day of a window; gives counts and refused rows."""

    def admit(body: bytes, window: Window, **settings: Any) -> tuple[Any, list[Any]]:
        counted = iter(range(10**6))
        lake = Lake(tmp_path / "lake", random=lambda size: next(counted).to_bytes(size, "big"))
        for day in window.days():
            page = lake.raw.keep("bill", day.isoformat(), body)
            lake.raw.record(
                PageManifest(
                    source="bill",
                    day=day.isoformat(),
                    version=0,
                    status="complete",
                    pages=(page,),
                    fetched_at=Window.day(day).end_us + 40 * US_PER_DAY,
                    final=False,
                )
            )

        admission = lake.admit(
            lambda _, page: FocusExport(**settings).tables(page),
            lambda _: (ProviderCharge,),
            expectations=[EXPECTATIONS],
            now_us=window.end_us + 60 * US_PER_DAY,
            second_opinion=False,
        )
        state = lake.admitted()
        days = [day.isoformat() for day in window.days()]
        version = state.tables.get("quarantine")
        refused = None if version is None else lake.delta.read("quarantine", version, days)
        return admission, [] if refused is None else refused.to_pylist()

    return admit


def test_unreadable_rows_are_refused_with_their_reason_and_the_rest_is_admitted(
    admitted: Any,
) -> None:
    body = f"{HEADER}\n{LINE}\n{LINE.replace('0.42', 'x')}\n{LINE}\nAWS\n".encode()
    admission, refused = admitted(body, WINDOW)
    assert admission.rows == {"provider_charge": 2}
    reasons = {json.loads(row["row"])["x_unreadable"]: row["reason"] for row in refused}
    assert set(reasons) == {
        "BilledCost: a number was expected, not 'x'",
        "line 5 has 1 cells, not 5",
    }
    assert all("x_unreadable says which could not" in reason for reason in reasons.values())


def test_the_public_sample_is_read_whole(shared_data: Path, admitted: Any) -> None:
    body = (shared_data / "focus" / "focus_1.0_sample.csv").read_bytes()
    assert {c.x_focus_version for c in charges(body)} == {"1.0"}
    admission, refused = admitted(body, Window.parse("2024-09-01/2024-11-01"))
    stored = admission.rows["provider_charge"]
    assert stored + len(refused) == 1_000
    assert all(row["reason"] for row in refused)
    assert stored == 1_000


@pytest.mark.parametrize("name", ["a1", "a2", "b1", "b2", "b3", "c"])
def test_the_public_examples_with_american_dates_are_listed_or_read_if_told_how(
    name: str, shared_data: Path
) -> None:
    body = (shared_data / "focus" / f"virtual_currency_{name}.csv").read_bytes()
    refused, read = charges(body), charges(body, date_format="%m/%d/%y")
    assert all("ChargePeriodStart: a time was expected" in (c.x_unreadable or "") for c in refused)
    assert all(c.x_unreadable is None and c.ChargePeriodStart for c in read)
    assert all(c.x_token_type is None for c in read), "a Token is a prepaid credit there"
    assert len(read) == len(refused) == len(body.decode().strip().splitlines()) - 1
