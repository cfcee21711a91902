"""The one reader of session records. Whatever a crash, a full disk or an editor has done to a record, it still lists.

A record is data from a disk: every value is checked for its type before it is believed, and what does not fit is left
out. ``status`` is what ``status.json`` says; without one, the process that wrote the record tells running from crashed.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.errors import InvalidInput
from osiris_core.ids import SESSION_ID
from osiris_core.run.chain import process_of
from osiris_core.run.process import is_alive
from osiris_core.run.reading import mapping_of, open_file, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OPENING: Final = "session.json"
STATUS: Final = "status.json"

RUNNING: Final = "running"
CRASHED: Final = "crashed"
DAMAGED: Final = "damaged"
STATUSES: Final = ("succeeded", "failed", "interrupted", RUNNING, CRASHED, DAMAGED)
FINAL: Final = frozenset({"succeeded", "failed", "interrupted"})
"""What ``status.json`` may say; nothing changes such a record any more."""

_ENDS: Final = {"step_finished": "succeeded", "step_failed": "failed", "step_cancelled": "cancelled"}
_ENDED: Final = ("rows_read", "rows_written", "bytes", "attempts", "duration_ms")

MAX_LINE: Final = 4 << 20
"""Bytes of the longest line of a record that is believed to be one."""

_TOO_LARGE: Final = 1 << 63


@attrs.frozen(kw_only=True)
class SessionRecord:
    """One session as its record has it; None where the record does not say.

    ``status``: ``succeeded failed interrupted`` as recorded, ``running``, ``crashed`` (the process died before it could
    say), ``damaged`` (the record cannot tell). ``steps`` and ``error`` are plain data as in ``status.json``.
    """

    id: str
    kind: str
    path: Path
    status: str
    started: str
    pipeline: str | None = None
    manifest_hash: str | None = None
    target: str | None = None
    finished: str | None = None
    duration_ms: int | None = None
    rows: int | None = None
    step: str | None = None
    error: Mapping[str, Any] | None = None
    steps: tuple[Mapping[str, Any], ...] = ()
    token: str | None = None
    labels: Mapping[str, str] = attrs.field(factory=dict)
    damage: str | None = None
    """What of the record is missing or cannot be read, in a sentence; None for a sound one."""

    def to_json(self) -> dict[str, Any]:
        """The record as plain data, every key present."""
        return {
            "session": self.id,
            "kind": self.kind,
            "status": self.status,
            "pipeline": self.pipeline,
            "manifest_hash": self.manifest_hash,
            "target": self.target,
            "started": self.started,
            "finished": self.finished,
            "duration_ms": self.duration_ms,
            "rows": self.rows,
            "step": self.step,
            "error": dict(self.error) if self.error is not None else None,
            "steps": [dict(step) for step in self.steps],
            "token": self.token,
            "labels": dict(self.labels),
            "damage": self.damage,
            "record": str(self.path),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], *, path: Path) -> SessionRecord:
        """The record at ``path`` that :meth:`to_json` made ``data`` of. Raises ValueError when it cannot be."""
        match = SESSION_ID.match(path.name)
        status, started = text_of(data, "status"), text_of(data, "started")
        if match is None or status not in STATUSES or started is None or data.get("session") != path.name:
            raise ValueError(f"not the record of {path.name}")
        damage = text_of(data, "damage")
        return cls(
            id=path.name,
            kind=match["kind"],
            path=path,
            status=status,
            started=started,
            damage=damage,
            **_facts(data),
        )


def session_names(logs: Path) -> list[str]:
    """The ids of all sessions below ``logs``, in no order; reads the folder's names only."""
    try:
        with os.scandir(logs) as entries:
            return [entry.name for entry in entries if SESSION_ID.match(entry.name) and entry.is_dir()]
    except FileNotFoundError:
        return []


def session_folders(logs: Path) -> list[Path]:
    """The folders of all sessions below ``logs``, newest first."""
    return [logs / name for name in sorted(session_names(logs), key=order_of, reverse=True)]


def read_session(folder: Path) -> SessionRecord:
    """The record in ``folder``, in whatever state it is."""
    match = SESSION_ID.match(folder.name)
    if match is None:
        raise InvalidInput("OSR-LOG-001", f"'{folder.name}' is not a session")
    opening = read_json(folder / OPENING) or {}
    status = read_json(folder / STATUS)
    said = text_of(status, "status") if status is not None else None
    data = {**opening, **(status or {})}
    return SessionRecord(
        id=folder.name,
        kind=match["kind"],
        path=folder,
        status=said if said in FINAL else _status_without(folder, opening),
        damage=_damage(folder, opening, said),
        started=text_of(data, "started") or _time_of(match["time"]),
        **_facts(data),
    )


def _facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a record's documents say, each believed only where it is of its type."""
    texts = ("pipeline", "manifest_hash", "target", "finished", "step", "token")
    return {
        **{name: text_of(data, name) for name in texts},
        **{name: number_of(data, name) for name in ("duration_ms", "rows")},
        "error": _error(data),
        "steps": _steps(data),
        "labels": _labels(data),
    }


def find_session(logs: Path, wanted: str) -> Path:
    """The folder of the session whose id is, starts with, or ends with ``wanted``. Raises InvalidInput otherwise."""
    folders = session_folders(logs)
    found = [folder for folder in folders if folder.name == wanted]
    if not found and wanted:
        found = [folder for folder in folders if folder.name.startswith(wanted) or folder.name.endswith(wanted)]
    if not found:
        raise InvalidInput("OSR-LOG-001", f"there is no session '{wanted}'", hint="`osiris logs list` shows them")
    if len(found) > 1:
        shown = ", ".join(folder.name for folder in found[:5])
        raise InvalidInput("OSR-LOG-002", f"'{wanted}' stands for {len(found)} sessions: {shown}")
    return found[0]


@attrs.frozen(kw_only=True)
class Lines:
    """The lines of a JSONL file that could be read, and how many could not."""

    lines: tuple[Mapping[str, Any], ...]
    damaged: int
    missing: bool = False


def read_lines(path: Path) -> Lines:
    """The JSON mappings of ``path``, one a line; a line cut short by a crash is counted and left out."""
    found: list[Mapping[str, Any]] = []
    damaged = 0
    try:
        with open_file(path) as file:
            while line := file.readline(MAX_LINE):
                value = mapping_of(line)
                if value is not None:
                    found.append(value)
                elif line.strip():
                    damaged += 1
    except FileNotFoundError:
        return Lines(lines=(), damaged=0, missing=True)
    except OSError:
        damaged += 1
    return Lines(lines=tuple(found), damaged=damaged)


def steps_so_far(lines: Lines) -> tuple[Mapping[str, Any], ...]:
    """What the events say about each step of a session that has not said how it ended; keys as in ``status.json``."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines.lines:
        name, step = line.get("event"), line.get("step")
        if not isinstance(step, str) or not isinstance(name, str):
            continue
        if name == "step_started":
            started = {"id": step, "component": line.get("component"), "mode": line.get("mode"), "status": "running"}
            found.setdefault(step, started)
        elif step in found and name in _ENDS:
            found[step] |= {key: number_of(line, key) for key in _ENDED if key in line} | {"status": _ENDS[name]}
        elif step in found and name == "step_progress":
            found[step] |= {"rows_written": number_of(line, "rows"), "bytes": number_of(line, "bytes")}
    return tuple(found.values())


@attrs.frozen(kw_only=True)
class Stopped:
    """Where a session that never said how it ended had come to: its last event, and the steps that ran then."""

    event: str
    at: str | None
    step: str | None
    running: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {"event": self.event, "at": self.at, "step": self.step, "running": list(self.running)}


def stopped_at(lines: Lines) -> Stopped | None:
    """Where the events end; None when there are none."""
    last = next((line for line in reversed(lines.lines) if text_of(line, "event")), None)
    if last is None:
        return None
    running = tuple(str(step["id"]) for step in steps_so_far(lines) if step["status"] == "running")
    return Stopped(event=str(last["event"]), at=text_of(last, "ts"), step=text_of(last, "step"), running=running)


def order_of(name: str) -> str:
    """What sorts sessions by the time they started: their id without its kind."""
    return name.partition("_")[2]


def _status_without(folder: Path, opening: Mapping[str, Any]) -> str:
    """How a session stands whose record does not say how it ended."""
    mark = process_of(folder)
    if mark is None or not opening or _has_status(folder):
        return DAMAGED
    return RUNNING if is_alive(mark) else CRASHED


def _has_status(folder: Path) -> bool:
    return os.path.exists(folder / STATUS)  # noqa: PTH110 - that of a path raises where the folder is closed


def is_closed(folder: Path) -> bool:
    """Whether the system keeps us from what is in ``folder``."""
    return folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK)


def _damage(folder: Path, opening: Mapping[str, Any], said: str | None) -> str | None:
    if is_closed(folder):
        return "its folder cannot be read, so nothing of it is known; mend its permissions"
    if said not in FINAL and _has_status(folder):
        return f"{STATUS} cannot be read, so how the run ended is not known; the events say how far its steps came"
    if said in FINAL or (opening and process_of(folder) is not None):
        return None
    return f"{OPENING} is missing or damaged, so what was run and whether it still runs is not known"


def _time_of(text: str) -> str:
    """The time in a session's id; as it stands when there is no such day."""
    try:
        return utc(datetime.strptime(text, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC))
    except ValueError:
        return text


def utc(moment: datetime) -> str:
    """A time as records show it; one without an offset is UTC already."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text_of(data: Mapping[str, Any], key: str) -> str | None:
    """The text under ``key``, or None when there is none or something else."""
    value = data.get(key)
    return value if isinstance(value, str) else None


def number_of(data: Mapping[str, Any], key: str) -> int | None:
    """The whole number under ``key``, or None when there is none, something else or one beyond 64 bits."""
    value = data.get(key)
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _TOO_LARGE
    return value if fits else None


def _error(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    value = data.get("error")
    return value if isinstance(value, dict) else None


def _labels(data: Mapping[str, Any]) -> Mapping[str, str]:
    value = data.get("labels")
    found = value.items() if isinstance(value, dict) else ()
    return {key: text for key, text in found if isinstance(text, str)}


def _steps(data: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    value = data.get("steps")
    return tuple(_step(step) for step in value if isinstance(step, dict)) if isinstance(value, list) else ()


def _step(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A step with its numbers believed only where they are some."""
    return {**data, **{key: number_of(data, key) for key in _ENDED if key in data}}
