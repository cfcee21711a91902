"""Session records written by hand, for what needs many of them or of another day."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import attrs

from osiris_core.ids import new_session_id
from osiris_core.run.process import this_process

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ALIVE = attrs.asdict(this_process())
DEAD = {**ALIVE, "started": "another time"}


def record(logs, *, days=0.0, status="succeeded", kind="run", size=0, **facts):
    """A session that started ``days`` before NOW; ``running`` and ``crashed`` have no status.json."""
    started = NOW - timedelta(days=days)
    folder = logs / new_session_id(kind, started)
    folder.mkdir(parents=True)
    opening = {"session": folder.name, "kind": kind, "started": _utc(started), "pipeline": "p", "target": "local"}
    opening |= {key: facts[key] for key in ("pipeline", "target", "labels") if key in facts}
    process = DEAD if status == "crashed" else ALIVE
    (folder / "session.json").write_text(json.dumps({**opening, "process": process}))
    (folder / "events.jsonl").write_text('{"event": "run_started", "ts": "t", "seq": 1}\n' + " " * size)
    if status not in ("running", "crashed"):
        (folder / "status.json").write_text(json.dumps({**opening, "status": status, **facts}))
    return folder


@contextmanager
def nested(folder, levels):
    """Folders within ``folder``, one in the other, with a file at the bottom; what of them is left goes at the end."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        for _ in range(levels):
            os.mkdir("a")
            os.chdir("a")
        Path("file").write_bytes(b"x" * 1000)
        os.chdir(before)
        yield
    finally:
        os.chdir(before)
        subprocess.run(["rm", "-rf", folder / "a"], check=True)  # pytest's own cleaning does not go as deep


def _utc(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
