"""Records to make pages of: written by a real run, or made up, line by line, where no run would write such a thing."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 31, 8, 0, 0, tzinfo=UTC)

MARKUP = "<script>window.hit=1</script><img src=x onerror=window.hit=1>\"'`{{7*7}}${7*7}</style></title>&lt;--><!--"
ACTING = (
    "bell\x07 escape\x1b[2J null\x00 csi\x9b right-to-left\u202eevil\u202c isolate\u2066 zero\u200bwidth tag\U000e0041"
)
PLAIN = "שלום عربى 日本語 👩‍👩‍👧‍👦 e\u0301 \ud800 \u2028 line\nbreak\ttab"
LONG = "1 MB " + "x" * (1 << 20)
HOSTILE = f"{MARKUP} {ACTING} {PLAIN}"


def session_name(kind="run", number=1, start=START):
    """An id as runs make them, the same for the same ``number``."""
    return f"{kind}_{start:%Y%m%dT%H%M%S%f}Z_{number:08x}"


def at(milliseconds):
    """A time so many milliseconds after the start, as in records."""
    moment = START + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write(logs, events, *, status=None, metrics=(), kind="run", number=1, opening=None):
    """A record below ``logs``; ``events`` are ``(milliseconds, name, fields)``. Without ``status`` it never ended."""
    folder = logs / session_name(kind, number)
    folder.mkdir(parents=True)
    start = {"session": folder.name, "kind": kind, "started": at(0), "target": "local", "pipeline": "orders"}
    process = {"pid": 1, "started": "another boot:1", "host": socket.gethostname()}
    _json(folder / "session.json", {**start, "process": process, **(opening or {})})
    if status is not None:
        _json(folder / "status.json", status)
    with (folder / "events.jsonl").open("w", encoding="utf-8", errors="surrogatepass") as file:
        for seq, (milliseconds, name, fields) in enumerate(events, 1):
            line = {"ts": at(milliseconds), "session": folder.name, "seq": seq, "event": name, **fields}
            file.write(json.dumps(line) + "\n")
    with (folder / "metrics.jsonl").open("w", encoding="utf-8") as file:
        for line in metrics:
            file.write(json.dumps({"ts": at(1), "session": folder.name, **line}) + "\n")
    return folder


def _json(path, document):
    path.write_text(json.dumps(document), encoding="utf-8")


def failed(logs, number=2):
    """A run whose second step failed after a retry."""
    started = {"pipeline": "orders", "target": "local", "steps": 3, "environment": {"duckdb": "2.0.0", "jobs": 2}}
    orders = {"step": "orders", "component": "mysql.extractor", "mode": "extract"}
    totals = {"step": "totals", "component": "duckdb.processor", "mode": "transform"}
    why = {"code": "OSR-MYSQL-004", "message": "the server closed the connection", "hint": "see `connections doctor`"}
    columns = [{"name": "id", "type": "Int64", "nullable": False}, {"name": "sum", "type": "Float64", "nullable": True}]
    events = [
        (10, "run_started", started),
        (240, "step_started", orders),
        (260, "step_schema", {"step": "orders", "columns": columns}),
        (300, "step_started", totals),
        (
            800,
            "columns_observed",
            {"step": "orders", "basis": "statistics", "rows": 90, "columns": [{"name": "id", "min": "1", "max": "90"}]},
        ),
        (
            850,
            "columns_observed",
            {
                "step": "orders",
                "basis": "rows",
                "rows": 40,
                "columns": [{"name": "id", "nulls": 0}, {"name": "sum", "nulls": 10}],
            },
        ),
        (
            900,
            "step_retried",
            {"step": "orders", "attempt": 1, "attempts": 3, "delay_ms": 200, "restarted": ["totals"], **why},
        ),
        (
            1900,
            "step_failed",
            {"step": "orders", "component": "mysql.extractor", "attempts": 3, "duration_ms": 1660, **why},
        ),
        (1910, "step_cancelled", {"step": "totals", "reason": "step 'orders' failed"}),
        (1910, "step_skipped", {"step": "load", "reason": "step 'orders' failed"}),
        (1920, "run_finished", {"status": "failed", "rows": 0, "code": why["code"], "duration_ms": 1920}),
    ]
    steps = [
        {"id": "orders", "component": "mysql.extractor", "mode": "extract", "status": "failed", "rows_read": 0}
        | {"rows_written": 0, "bytes": 0, "attempts": 3, "duration_ms": 1660},
        {
            "id": "totals",
            "component": "duckdb.processor",
            "mode": "transform",
            "status": "cancelled",
            "duration_ms": 1610,
        },
        {"id": "load", "component": "duckdb.writer", "mode": "write", "status": "skipped"},
    ]
    status = {
        "status": "failed",
        "finished": at(1920),
        "duration_ms": 1920,
        "rows": 0,
        "step": "orders",
        "steps": steps,
    }
    status["error"] = {**why, "where": "orders", "diagnostics": []}
    return write(logs, events, status=status, number=number)


def crashed(logs, number=3):
    """A run whose process died while a step ran; the last line of its events is cut short."""
    events = [
        (10, "run_started", {"pipeline": "orders", "target": "local", "steps": 1}),
        (200, "step_started", {"step": "orders", "component": "mysql.extractor", "mode": "extract"}),
        (2200, "step_progress", {"step": "orders", "rows": 4096, "bytes": 65536}),
    ]
    folder = write(logs, events, number=number)
    with (folder / "events.jsonl").open("a") as file:
        file.write('{"ts": "2026-01-31T08:00:03.000Z", "event": "step_pro')
    return folder


def huge(logs, events=100_000, number=4):
    """A run of many events."""
    steps = [f"step-{index:02}" for index in range(20)]
    made = [
        (index, "step_started", {"step": step, "component": "sample.numbers", "mode": "extract"})
        for index, step in enumerate(steps)
    ]
    made += [
        (100 + index * 10, "step_progress", {"step": steps[index % 20], "rows": index * 1000, "bytes": index * 16_000})
        for index in range(events - 41)
    ]
    end = 100 + events * 10
    done = {"rows_read": 5, "rows_written": 5, "bytes": 80, "attempts": 1, "duration_ms": end}
    made += [(end + index, "step_finished", {"step": step, **done}) for index, step in enumerate(steps)]
    made.append((end + 30, "run_finished", {"status": "succeeded", "rows": 100, "duration_ms": end + 30}))
    ended = [
        {"id": step, "component": "sample.numbers", "mode": "extract", "status": "succeeded", **done} for step in steps
    ]
    return write(
        logs, made, status={"status": "succeeded", "rows": 100, "duration_ms": end + 30, "steps": ended}, number=number
    )


def hostile(logs, text=HOSTILE, number=5):
    """A record that has ``text`` wherever a record can hold any: names, messages, files, columns, fields, artifacts."""
    nested = {text: [{text: text}, text]}
    events = [
        (
            10,
            "run_started",
            {"pipeline": text, "target": text, "token": text, "environment": {text: text, "duckdb": text}},
        ),
        (20, "isolation_applied", nested),
        (30, "step_started", {"step": text, "component": text, "mode": text}),
        (
            40,
            "step_schema",
            {"step": text, "columns": [{"name": text, "type": text, "nullable": True}, 7, {"name": 3}]},
        ),
        (
            45,
            "columns_observed",
            {"step": text, "basis": text, "rows": text, "columns": [{"name": text, "min": text}, 4]},
        ),
        (50, "files_read", {"step": text, "files": [{"path": text, "bytes": 3}]}),
        (60, "type_lost", {"step": text, "column": text, "source": text, "target": text, "loses": text}),
        (70, "write_published", {"step": text, "destination": text, "load_id": text, "details": nested}),
        (80, "step_retried", {"step": text, "code": text, "message": text}),
        (90, text, {"step": text, "n": float("nan"), "big": 1 << 70, text: text, "deep": _deep(60)}),
        (95, "step_failed", {"step": text, "code": text, "message": text, "hint": text, "component": text}),
        (99, "pin_differs", {"message": text}),
    ]
    step = {"id": text, "component": text, "mode": text, "status": text, "rows_written": 10, "duration_ms": 50}
    status = {
        "status": "failed",
        "pipeline": text,
        "target": text,
        "manifest_hash": text,
        "started": text,
        "step": text,
    }
    status |= {
        "finished": text,
        "token": text,
        "duration_ms": 100,
        "steps": [{**step, "destination": text}, {"id": ""}, 5],
    }
    status["error"] = {"code": text, "message": text, "where": text, "hint": text}
    metrics = [{"metric": text, "value": text, "unit": text, "step": text}, {"metric": "x", "value": nested}]
    folder = write(logs, events, status=status, metrics=metrics, number=number)
    place = folder / "artifacts" / "javascript:alert(1)"
    place.mkdir(parents=True)
    for name in ("<img src=x onerror=window.hit=1>.html", "a\x1b[2J\u202eb?c#d%41.txt", '" onclick="window.hit=1'):
        (place / name).write_text("harmless")
    (folder / "manifest").mkdir()
    (folder / "manifest" / "manifest.yaml").write_text(text, encoding="utf-8", errors="replace")
    return folder


def _deep(levels):
    return {"in": _deep(levels - 1)} if levels else "bottom"
