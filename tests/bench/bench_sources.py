"""CPU and memory of a LiteLLM export's way into the lake, against DuckDB reading the same files.

    python tests/bench/bench_sources.py [--rows 1000000] [--shape rows|payloads] [--per-file 5000]
                                        [--whole] [--text 20] [--folder DIR]

Writes an export of one day as LiteLLM's S3 batches lie (`DAY/batch_….jsonl`), about 1.7 kB a
line: answered, streamed and cached calls, stops (499), retries, fallbacks, failures and gateway
cache hits. Then, each in a process of its own, two threads, CPU of the process and its children:

* floor   DuckDB `read_json` of the same files as Parquet (zstd), all columns as it finds them
* fields  the same, told to read only the fields that the connector reads
* whole   `collect` and `admit`, to written tables, with Great Expectations where it is installed

and the parts of the whole. Targets: whole / floor <= 4; peak <= 600 MB; Great Expectations <= 30 %
of the whole, its import apart. `--whole` also runs 10M rows in 30 daily windows; else the rows go
through as 3 and as 9 daily windows, whose CPU a row should be the same (the days next to a
window, read in case the proxy keeps another clock, are left out there).
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

FIRST = date(2026, 11, 9)
SEED = 7
MODELS = [
    ("openai", "gpt-5.4-mini-2026-03-17", "chat-eu", "https://eu.api.openai.com/v1"),
    ("openai", "gpt-5.4-2026-03-17", "chat-eu-large", "https://eu.api.openai.com/v1"),
    ("anthropic", "claude-sonnet-5", "chat-us", "https://api.anthropic.com"),
    ("bedrock", "eu.anthropic.claude-sonnet-5-v1:0", "chat-aws", ""),
]
_CONFIG = """
[countersign]
entity = "Bench"
now = {now}

[sources.litellm]
connector = "litellm"
url = "file:export"
neighbour_days = {neighbours}

[sources.litellm.deployments.dep-0]
key = "key_eu"
region = "eu"
group = "chat-eu"

[sources.litellm.deployments.dep-2]
key = "key_us"
region = "us"
group = "chat-us"
"""
_FLOOR = """
COPY (SELECT * FROM read_json('{files}', format = 'newline_delimited'))
TO '{file}' (FORMAT parquet, COMPRESSION zstd)
"""
_FIELDS = """
COPY (
  SELECT {fields}, CAST(metadata.usage_object AS VARCHAR) AS usage_raw,
    metadata.* EXCLUDE (usage_object)
  FROM read_json('{files}', format = 'newline_delimited', columns = {{{columns}}})
) TO '{file}' (FORMAT parquet, COMPRESSION zstd)
"""
_TEXTS = ("request_id", "id", "litellm_call_id", "call_type", "model", "model_id", "model_group",
          "custom_llm_provider", "api_base", "end_user", "session_id", "trace_id", "team_id",
          "status", "cache_hit", "startTime", "endTime", "completionStartTime")  # fmt: skip
_COLUMNS = {
    **dict.fromkeys(_TEXTS, "VARCHAR"),
    **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), "BIGINT"),
    **dict.fromkeys(("spend", "response_cost"), "DOUBLE"),
    "stream": "BOOLEAN",
    "request_tags": "VARCHAR[]",
    "messages": "JSON",
    "response": "JSON",
}
_METADATA = (
    "STRUCT(usage_object JSON, additional_usage_values STRUCT(cache_read_input_tokens BIGINT,"
    " cache_creation_input_tokens BIGINT), error_information STRUCT(error_code VARCHAR,"
    " error_class VARCHAR), attempted_retries BIGINT, attempted_fallbacks BIGINT,"
    " original_model_group VARCHAR, user_api_key_team_alias VARCHAR, user_api_key_team_id VARCHAR,"
    " user_api_key_end_user_id VARCHAR)"
)
Row = dict[str, Any]


def build(folder: Path, days: int, rows: int, asked: argparse.Namespace) -> int:
    """Write the export once; the number of its bytes."""
    done = folder / "done"
    if not done.exists():
        draw = random.Random(SEED)
        for day in (FIRST + timedelta(days=n) for n in range(days)):
            _write_day(folder / "export" / day.isoformat(), day, rows // days, asked, draw)
        done.touch()
    return sum(f.stat().st_size for f in (folder / "export").rglob("*.jsonl"))


def _write_day(
    folder: Path, day: date, rows: int, asked: argparse.Namespace, draw: random.Random
) -> None:
    folder.mkdir(parents=True)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for first in range(0, rows, asked.per_file):
        at = start + timedelta(seconds=86_000 * first / rows)
        with Path(folder, f"batch_{at:%H-%M-%S}_{first:08x}.jsonl").open("w") as file:
            for number in range(first, min(first + asked.per_file, rows)):
                at = start + timedelta(
                    seconds=86_000 * number / rows, microseconds=draw.randrange(999)
                )
                made = _row(at, draw, draw.randrange(100) < asked.text)
                made = _payload(made) if asked.shape == "payloads" else made
                file.write(json.dumps(made, separators=(",", ":")) + "\n")


def _row(at: datetime, draw: random.Random, is_spoken: bool) -> Row:
    provider, model, group, base = (chosen := draw.choice(MODELS))
    number, fate = f"{draw.getrandbits(128):032x}", draw.randrange(1000)
    prompt, output = draw.randrange(60, 4_000), draw.randrange(4, 900)
    cached = prompt // 2 if fate % 3 == 0 else 0
    usage: Row = {
        "prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output,
        "completion_tokens_details": {"reasoning_tokens": output // 3 if fate % 5 == 0 else 0,
                                      "audio_tokens": 0, "text_tokens": None},
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0, "text_tokens": None,
                                  "image_tokens": None},
    }  # fmt: skip
    if provider == "anthropic":
        usage |= {"cache_read_input_tokens": cached, "cache_creation_input_tokens": 0,
                  "inference_geo": "us", "service_tier": "standard"}  # fmt: skip
    seconds, first = draw.uniform(0.4, 20), draw.uniform(0.2, 0.9)
    cost = round(prompt * 7.5e-7 + output * 3e-6, 9)
    session = draw.randrange(200_000)  # about five calls a session and million
    user = session * 7_919 % 60_000
    team = user % 40
    row: Row = {
        "request_id": f"chatcmpl-{number}", "call_type": "acompletion",
        "api_key": f"{team:064x}", "spend": cost, "total_tokens": prompt + output,
        "prompt_tokens": prompt, "completion_tokens": output,
        "startTime": _time(at), "endTime": _time(at + timedelta(seconds=seconds)),
        "completionStartTime": _time(at + timedelta(seconds=first)),
        "request_duration_ms": int(seconds * 1000), "model": f"{provider}/{model}",
        "model_id": f"dep-{MODELS.index(chosen)}", "model_group": group,
        "custom_llm_provider": provider, "api_base": base, "user": f"owner-{team}",
        "metadata": {
            "user_api_key_team_alias": f"team-{team}", "user_api_key_team_id": f"{team:032x}",
            "user_api_key_end_user_id": f"user-{user}", "user_api_key_alias": f"key-{team}",
            "user_api_key_org_id": None, "usage_object": usage,
            "additional_usage_values": {"cache_read_input_tokens": cached or None,
                                        "completion_tokens_details": None},
            "cost_breakdown": {"input_cost": prompt * 7.5e-7, "output_cost": output * 3e-6,
                               "total_cost": cost},
            "model_map_information": {"model_map_key": model, "model_map_value": {
                "max_tokens": 128000, "input_cost_per_token": 7.5e-7,
                "supports_vision": True}},
            "attempted_retries": 0, "max_retries": 2, "litellm_overhead_time_ms": 4.12,
        },
        "cache_hit": "False", "cache_key": "Cache OFF", "cache_creation": None,
        "request_tags": [f"feature:f{team % 9}", f"intent:i{number[0]}", "lang:en",
                         "User-Agent: AsyncOpenAI", "User-Agent: AsyncOpenAI/Python 2.8.1"],
        "end_user": f"user-{user}", "requester_ip_address": "10.0.0.7",
        "session_id": f"session-{session}", "status": "success",
        "litellm_call_id": f"{number[:8]}-{number[8:12]}-4{number[13:16]}-{number[16:]}",
        "messages": {}, "response": {}, "proxy_server_request": {}, "team_id": f"{team:032x}",
        "organization_id": None, "agent_id": None, "mcp_namespaced_tool_name": None,
    }  # fmt: skip
    _suffer(row, fate)
    if is_spoken:
        words = " ".join(f"{draw.choice(_WORDS)}" for _ in range(draw.randrange(20, 120)))
        row["messages"] = [{"role": "user", "content": words}]
        answer = {"role": "assistant", "content": words[::2]}
        row["response"] = {"choices": [{"finish_reason": "stop", "message": answer}]}
    return row


_WORDS = [f"{a}{b}{c}" for a in ("re", "in", "con", "de") for b in ("vert", "pay", "ord", "tick")
          for c in ("", "s", "ing", "er", "ed", "able")]  # fmt: skip


def _suffer(row: Row, fate: int) -> None:
    """Stops, retries, fallbacks, failures and gateway cache hits."""
    metadata = row["metadata"]
    if fate < 70:
        metadata["error_information"] = {
            "error_code": "499", "error_class": "ClientDisconnected", "llm_provider": "",
            "error_message": "Client disconnected"}  # fmt: skip
        metadata["usage_object"]["prompt_tokens_details"] = {"cached_tokens": 0}
    elif fate < 100:
        metadata["attempted_retries"] = 1
    elif fate < 115:
        metadata |= {"attempted_fallbacks": 1, "original_model_group": "chat-eu"}
    elif fate < 140:
        row |= {"status": "failure", "request_id": row["litellm_call_id"], "spend": 0.0,
                "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}  # fmt: skip
        metadata |= {"usage_object": None, "error_information": {
            "error_code": "500", "error_class": "InternalServerError",
            "traceback": "x" * 200}}  # fmt: skip
    elif fate < 170:
        row |= {"cache_hit": "True", "request_id": f"{row['request_id']}_cache_hit1793613600.12"}


def _payload(row: Row) -> Row:
    """The same as a callback writes it: other names, and seconds since 1970."""
    made = {k: v for k, v in row.items() if k not in {"request_id", "spend", "cache_hit"}}
    made |= {"id": row["request_id"], "response_cost": row["spend"], "trace_id": row["session_id"],
             "stream": True, "cache_hit": row["cache_hit"] == "True"}  # fmt: skip
    for name in ("startTime", "endTime", "completionStartTime"):
        made[name] = datetime.fromisoformat(row[name]).timestamp()
    return made


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


def floor(folder: Path, days: int) -> str:
    """DuckDB alone: the same files, all columns as it finds them, as Parquet."""
    del days
    made = folder / "floor.parquet"
    _duckdb().execute(_FLOOR.format(file=made, files=folder / "export/*/*.jsonl"))
    return f"{made.stat().st_size / 1e6:.0f} MB of Parquet"


def fields(folder: Path, days: int) -> str:
    """DuckDB alone, told to read only the fields that the connector reads."""
    del days
    columns = ", ".join(f"'{n}': '{t}'" for n, t in {**_COLUMNS, "metadata": _METADATA}.items())
    made = folder / "fields.parquet"
    _duckdb().execute(_FIELDS.format(fields=", ".join(_COLUMNS), columns=columns, file=made,
                                     files=folder / "export/*/*.jsonl"))  # fmt: skip
    return f"{made.stat().st_size / 1e6:.0f} MB of Parquet"


def _duckdb() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(config={"threads": 2, "memory_limit": "2GB"})
    con.execute("SET enable_progress_bar = false")
    con.execute("SET preserve_insertion_order = false")
    return con


def whole(folder: Path, days: int) -> str:
    """Collect and admit as the verbs do, one window after the other when there are several."""
    from countersign.lake import great  # noqa: PLC0415 - imports count as the process's
    from countersign.model import Window  # noqa: PLC0415
    from countersign.pipeline import admit  # noqa: PLC0415
    from countersign.pipeline.collect import collect  # noqa: PLC0415
    from countersign.pipeline.workspace import open_workspace  # noqa: PLC0415

    clock, ready = _Parts(), folder / "countersign.toml"
    now = (FIRST + timedelta(days=days + 3)).isoformat() + "T00:00:00Z"
    ready.write_text(_CONFIG.format(now=now, neighbours=int(days == 1)))
    shutil.rmtree(folder / "lake", ignore_errors=True)
    open_workspace(str(ready)).lake.root.mkdir(parents=True)
    _key(folder)
    if great.is_installed():
        with clock.part("import of Great Expectations"):
            import great_expectations  # noqa: F401, PLC0415
    clock.around(great, "validate", "Great Expectations")
    said = ""
    for day in (FIRST + timedelta(days=n) for n in range(days)):
        ws = open_workspace(str(ready))
        window = Window(day, day + timedelta(days=1))
        with clock.part("collect"):
            collect(ws, window)
        with clock.part("admit"):
            said = admit.admit(ws).sentence
    return json.dumps({"said": said, "parts": clock.parts})


class _Parts:
    """CPU seconds of named parts of a process."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        before = time.process_time()
        yield
        self.parts[name] = self.parts.get(name, 0) + time.process_time() - before

    def around(self, module: Any, function: str, name: str) -> None:
        """Measure every call of a module's function."""
        inner = getattr(module, function)

        def timed(*given: Any, **named: Any) -> Any:
            with self.part(name):
                return inner(*given, **named)

        setattr(module, function, timed)


def _key(folder: Path) -> None:
    from countersign.attest import keys  # noqa: PLC0415

    shutil.rmtree(folder / "keys", ignore_errors=True)
    keys.create(f"file:{folder / 'keys' / 'log.key'}", "countersign.example/log", bytes(32))


def measured(work: Callable[[Path, int], str], folder: Path, days: int) -> tuple[float, float, str]:
    """CPU seconds, peak megabytes and the words of the work, done in a fresh process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(work.__name__, folder, days, theirs))
    process.start()
    theirs.close()
    found: tuple[float, float, str] = ours.recv()
    process.join()
    return found


def _measure(name: str, folder: Path, days: int, answer: Any) -> None:
    said = {"floor": floor, "fields": fields, "whole": whole}[name](folder, days)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(u.ru_utime + u.ru_stime for u in used)
    answer.send((cpu, max(u.ru_maxrss for u in used) / 1024, said))


def _shown(name: str, cpu: float, peak: float, rows: int) -> None:
    print(f"{name:<34}{cpu:8.1f} CPU s {cpu / rows * 1e6:7.1f} µs a row {peak:6.0f} MB peak")


def compare(folder: Path, asked: argparse.Namespace) -> None:
    """One day: the floor, the whole, its parts and the ratios."""
    size = build(folder, 1, asked.rows, asked)
    print(f"{asked.rows:,} {asked.shape} in files of {asked.per_file:,}, {size / asked.rows:,.0f} B"
          f" a line, text in {asked.text} %, {os.cpu_count()} cores")  # fmt: skip
    base, peak, said = measured(floor, folder, 1)
    _shown("floor: DuckDB to Parquet", base, peak, asked.rows)
    slim, peak, said = measured(fields, folder, 1)
    _shown("fields: only those needed", slim, peak, asked.rows)
    spent, peak, said = measured(whole, folder, 1)
    found = json.loads(said)
    parts = found["parts"]
    _shown("whole: collect, admit, write", spent, peak, asked.rows)
    for name, cpu in parts.items():
        print(f"  {name:<32}{cpu:8.1f} CPU s {cpu / asked.rows * 1e6:7.1f} µs a row")
    own = spent - parts.get("import of Great Expectations", 0)
    print(f"  {found['said']}")
    print(f"whole / floor: {own / base:.2f} (target 4; {spent / base:.2f} with the import)")
    print(
        f"Great Expectations / whole: {parts.get('Great Expectations', 0) / own:.0%} (target 30 %)"
    )
    print(f"peak: {peak:.0f} MB (target 600)")


def windows(folder: Path, days: int, rows: int, asked: argparse.Namespace) -> float:
    """CPU a row when the same rows a day go through in so many daily windows."""
    build(folder, days, rows, asked)
    spent, peak, said = measured(whole, folder, days)
    spent -= json.loads(said)["parts"].get("import of Great Expectations", 0)
    _shown(f"{rows:,} rows in {days} windows", spent, peak, rows)
    return spent / rows


def main() -> None:
    """Build, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--shape", choices=("rows", "payloads"), default="rows")
    parser.add_argument("--per-file", type=int, default=5_000)
    parser.add_argument("--text", type=int, default=0, help="percent of rows that keep their text")
    parser.add_argument("--whole", action="store_true", help="also 10M rows in 30 windows")
    parser.add_argument("--only", choices=("compare", "windows"))
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="countersign-bench-"))
    if asked.only != "windows":
        (folder / "one").mkdir(parents=True, exist_ok=True)
        compare(folder / "one", asked)
    if asked.only != "compare":
        sizes = [(3, asked.rows * 3 // 10), (9, asked.rows * 9 // 10)]
        sizes += [(30, 10_000_000)] if asked.whole else []
        each = []
        for days, rows in sizes:
            (folder / f"days-{days}").mkdir(parents=True, exist_ok=True)
            each.append(windows(folder / f"days-{days}", days, rows, asked))
        print(f"CPU a row, {sizes[-1][0]} windows / 3 windows: {each[-1] / each[0]:.2f}"
              " (target 0.90 to 1.10)")  # fmt: skip
    if asked.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
