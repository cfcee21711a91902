"""How long does it take to list ten thousand sessions?

The time of the question itself, in the process that asks it: start and imports are those of every command. The first
question finds no index and reads every record.
"""

from __future__ import annotations

import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import data

from osiris_core.ids import new_session_id
from osiris_core.report.index import FILE, Query, find

QUESTIONS = {
    "the newest 20": Query(limit=20),
    "failed, by rows": Query(status="failed", sort="rows", limit=20),
    "one pipeline, one label": Query(pipeline="p7", labels=(("team", "t3"),), limit=20),
    "since a time": Query(since="2026-01-01T02", limit=20),
}


def measure(sessions: int, count: int) -> str:
    """The section of the report."""
    logs = data.DATA / f"sessions-{sessions}"
    if not logs.exists():
        _make(logs, sessions)
    (logs / FILE).unlink(missing_ok=True)
    lines = [
        "## Sessions: a list",
        "",
        f"{sessions:,} finished sessions of 5 steps each; the question alone, as `osiris logs list` asks it, without",
        f"the start of the process. Median of {count}; the first time, which makes the index: once. A busy machine",
        "lengthens the wall time, not that of the processor.",
        "",
        "| question | wall ms | processor ms |",
        "|---|---|---|",
        _line("the first time", [_once(logs, Query(limit=20))]),
    ]
    for name, query in QUESTIONS.items():
        lines.append(_line(name, [_once(logs, query) for _ in range(count)]))
    lines += ["", f"The index takes {(logs / FILE).stat().st_size / 1e6:.0f} MB."]
    return "\n".join(lines)


def _line(name: str, times: list[tuple[float, float]]) -> str:
    wall, processor = (median(each) * 1000 for each in zip(*times, strict=True))
    return f"| {name} | {wall:.0f} | {processor:.0f} |"


def _once(logs: Path, query: Query) -> tuple[float, float]:
    wall, processor = time.perf_counter(), time.process_time()
    found = find(logs, query)
    assert found
    return time.perf_counter() - wall, time.process_time() - processor


def _make(logs: Path, sessions: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    step = {"component": "a.b", "mode": "write", "status": "succeeded", "rows_read": 1, "rows_written": 1, "bytes": 8}
    step |= {"attempts": 1, "duration_ms": 3, "destination": "somewhere/else.csv", "already": False}
    beside = logs.with_name(f"{logs.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    for number in range(sessions):
        moment = start + timedelta(minutes=number)
        folder = beside / new_session_id("run", moment)
        folder.mkdir(parents=True)
        facts = {"session": folder.name, "kind": "run", "started": moment.isoformat().replace("+00:00", "Z")}
        facts |= {"pipeline": f"p{number % 50}", "manifest_hash": "a" * 64, "target": "local"}
        facts |= {"labels": {"team": f"t{number % 7}"}}
        outcome = {"status": "succeeded" if number % 9 else "failed", "duration_ms": number, "rows": number * 3}
        steps = [{"id": f"step-{each}", **step} for each in range(5)]
        (folder / "session.json").write_text(json.dumps(facts))
        (folder / "status.json").write_text(json.dumps({**facts, **outcome, "error": None, "steps": steps}, indent=2))
    beside.rename(logs)
