"""Hour manifests hold every request of a window, whatever its size and however it is cut."""

import json
from typing import Any

import pytest

from countersign.controls.data_residency import DataResidency
from countersign.errors import EvidenceError
from countersign.pipeline import admit, assess, residency, seal
from countersign.pipeline.assess import findings
from countersign.pipeline.collect import collect

ONLY = ("data-residency",)


class InPieces(DataResidency):
    """The control with pieces of few requests, as a large week has them."""

    requests_a_piece = 150


@pytest.fixture(scope="module")
def admitted(calm: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A week of files, admitted; salts are drawn once for all that copy it."""
    site = calm.copy(tmp_path_factory.mktemp("admitted") / "site")
    site.read_files()
    collect(site.open(), site.week)
    admit.admit(site.open())
    return site


def hours(site: Any, kind: type[DataResidency]) -> dict[str, dict[str, Any]]:
    """The sealed entry of every hour, the control being of a class."""
    ws = site.open()
    own = ws.controls["data-residency"]
    ws.controls["data-residency"] = kind(**vars(own))
    assess.assess_one(ws, site.week, ONLY[0])
    sealed = seal.seal(ws, site.week)
    return {hour: json.loads(ws.log.entry(leaf)) for hour, leaf in sealed.hours}


def test_every_request_is_sealed_in_the_same_hours_however_the_week_is_cut(
    admitted: Any, tmp_path: Any
) -> None:
    whole, cut = (admitted.copy(tmp_path / name) for name in ("whole", "cut"))
    sealed = hours(whole, DataResidency)
    assert hours(cut, InPieces) == sealed
    kept = [findings(site.open()).latest(site.week, ONLY[0]) for site in (whole, cut)]
    pieces = [len(one.pieces("hops")) for one in kept if one is not None]
    assert pieces[0] == 1
    assert pieces[1] > 2
    total = sum(hour["count"] for hour in sealed.values())
    assert len(sealed) == 7 * 24
    assert total == kept[0].relation("requests").num_rows > 200
    ws = cut.open()
    found = residency.finding(ws, cut.week)
    assert found is not None
    for row in found.relation("requests").to_pylist()[::50]:
        hour = row["at"].strftime("%Y-%m-%dT%H:00:00Z")
        assert row["request_id"] in residency.requests(ws, found, hour), "of a later piece"


def test_a_piece_that_is_lost_is_an_error_and_never_an_empty_hour(
    admitted: Any, tmp_path: Any
) -> None:
    site = admitted.copy(tmp_path / "site")
    ws = site.open()
    assess.assess_one(ws, site.week, ONLY[0])
    kept = residency.finding(ws, site.week)
    assert kept is not None
    for file in kept.pieces("hops"):
        file.unlink()
    with pytest.raises(EvidenceError, match="hops of request"):
        seal.seal(ws, site.week)
