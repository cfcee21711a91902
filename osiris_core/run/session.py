"""The record that one run leaves: a folder that is only ever added to, until ``status.json`` closes it.

    session.json     who writes it (process, host, start): how a reader tells running from crashed
    events.jsonl     one event a line, each flushed to the system when it happens
    metrics.jsonl    one measurement a line
    osiris.log       messages and tracebacks
    manifest/        a copy of what was run
    artifacts/       files that steps leave
    status.json      the outcome; written last and at once

Every text passes the redactor on its way in. A record that cannot be written fails the run: a run nobody can account
for is not a success.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import threading
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from osiris_core.errors import RunFailed
from osiris_core.ids import new_session_id
from osiris_core.run.events import event_fields
from osiris_core.run.process import this_process
from osiris_core.strict_json import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

FORMAT: Final = 1
LEVELS: Final = ("debug", "info", "warning", "error")
_NUMBERS: Final = dict(zip(LEVELS, (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR), strict=True))
_RESERVE: Final = ".reserve"
_RESERVED_BYTES: Final = 64 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class Redacts(Protocol):
    """What a session needs of the redactor."""

    def text(self, text: str) -> str:
        """``text`` without secrets."""
        ...

    def data(self, value: Any) -> Any:
        """Plain data without secrets."""
        ...


def utc_now() -> str:
    """The time as records show it: UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Session:
    """An open record. Safe to use from any thread."""

    def __init__(
        self,
        path: Path,
        *,
        redactor: Redacts,
        enabled: Callable[[str], bool] = lambda _: True,
        level: str = "info",
        listeners: tuple[Callable[[Mapping[str, Any]], None], ...] = (),
    ) -> None:
        self.path = path
        self.id = path.name
        self.started = utc_now()
        self._redactor = redactor
        self._enabled = enabled
        self._threshold = LEVELS.index(level)
        self._listeners = listeners
        # Reentrant: the collector may run a finalizer that logs while this thread writes, or a listener may record.
        self._lock = threading.RLock()
        self._order = threading.RLock()
        self._seq = 0
        self._closed = False
        self._opening: dict[str, Any] = {}
        self._detailed: tuple[str, ...] = ()
        self._events = _open(path / "events.jsonl")
        self._metrics = _open(path / "metrics.jsonl")
        self._log = _open(path / "osiris.log")

    @classmethod
    def create(cls, kind: str, logs: Path, *, details: Mapping[str, Any], **options: Any) -> Session:
        """A new record below ``logs``; ``details`` go into ``session.json`` (``options``: see the constructor)."""
        path = logs / new_session_id(kind)
        try:
            path.mkdir(parents=True)
            session = cls(path, **options)
            (path / _RESERVE).write_bytes(b"\0" * _RESERVED_BYTES)
            mark = attrs.asdict(this_process())
            document = {"format": FORMAT, "session": session.id, "kind": kind, "started": session.started}
            session._write_opening({**document, "process": mark}, details)
        except OSError as error:
            raise _unwritable(path, error) from error
        return session

    def mask_opening(self) -> None:
        """Write ``session.json`` again when details in it have turned out to hold a secret since it was written."""
        details = {key: self._opening[key] for key in self._detailed}
        if self._redactor.data(details) != details:
            try:
                self._write_opening(self._opening, details)
            except OSError as error:
                raise _unwritable(self.path, error) from error

    def _write_opening(self, document: Mapping[str, Any], details: Mapping[str, Any]) -> None:
        self._detailed = tuple(details)
        self._opening = {**document, **self._redactor.data(dict(details))}
        write_atomically(self.path / "session.json", self._opening)

    def emit(self, event: Any) -> None:
        """Record one event of the vocabulary, and show it to the listeners."""
        name, fields = event_fields(event)
        self.emit_named(name, fields)

    def emit_named(self, name: str, fields: Mapping[str, Any]) -> None:
        """Record an event by name; for events of plugins' own."""
        clean: dict[str, Any] = self._redactor.data(dict(fields))
        # Listeners see one event at a time, in the order in which they are recorded.
        with self._order:
            with self._lock:
                if self._closed:
                    return
                enabled = self._enabled(name)
                self._seq += enabled
                line = {"ts": utc_now(), "session": self.id, "seq": self._seq, "event": name, **clean}
                if enabled:
                    self._append(self._events, strict_json(line))
            for listener in self._listeners:
                listener(line)

    def metric(self, name: str, value: float, unit: str, *, step: str | None) -> None:
        """Record one measurement; ``step`` is None for the run as a whole."""
        clean = self._redactor.text
        self._measure([(clean(name), value, clean(unit))], step)

    def measure(self, step: str | None, measurements: Sequence[tuple[str, float, str]]) -> None:
        """Record the runtime's own measurements (name, value, unit), whose names hold nothing to redact."""
        self._measure(measurements, step)

    def _measure(self, measurements: Sequence[tuple[str, float, str]], step: str | None) -> None:
        at = utc_now()
        lines = [
            {"ts": at, "session": self.id, "metric": name, "value": value, "unit": unit, "step": step}
            for name, value, unit in measurements
        ]
        text = "\n".join(map(strict_json, lines))
        with self._lock:
            if not self._closed:
                self._append(self._metrics, text)

    def log(self, level: str, message: str) -> None:
        """Write a message to ``osiris.log``, when the level asked for lets it through."""
        if LEVELS.index(level) < self._threshold:
            return
        clean = self._redactor.text(message)
        with self._lock:
            if not self._closed:
                self._append(self._log, f"{utc_now()} {level.upper():7} {clean}")

    def clean(self, text: str) -> str:
        """``text`` without secrets, as the record would hold it."""
        return self._redactor.text(text)

    def artifact(self, step: str, name: str) -> Path:
        """The path of a file that ``step`` leaves; ``name`` is reduced to characters that are safe in a path."""
        safe = _UNSAFE.sub("_", name).strip(".") or "artifact"
        folder = self.path / "artifacts" / step
        folder.mkdir(parents=True, exist_ok=True)
        return folder / safe[:150]

    def write_file(self, name: str, data: bytes) -> None:
        """Add a file to the record (the manifest's copy)."""
        path = self.path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def close(self, status: Mapping[str, Any]) -> None:
        """Write ``status.json`` and close the record; what comes after is dropped."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for descriptor in (self._events, self._metrics, self._log):
                os.close(descriptor)
        # On a full disk the reserve's blocks are what the outcome is written to.
        (self.path / _RESERVE).unlink(missing_ok=True)
        try:
            write_atomically(self.path / "status.json", self._redactor.data(dict(status)))
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _append(self, descriptor: int, line: str) -> None:
        data = (line + "\n").encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError as error:
            raise _unwritable(self.path, error) from error


class _ToSession(logging.Handler):
    """Writes what libraries log into a session's ``osiris.log``."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message, at the nearest of our levels."""
        level = next((name for name in reversed(LEVELS) if record.levelno >= _NUMBERS[name]), LEVELS[0])
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001 - recorded; a message that cannot be made must not fail its step
            text = f"{record.name}: {record.msg!r:.500} (cannot be formatted: {type(error).__name__})"
        # A record that cannot be written fails the run at its next event, which cannot be left out.
        with suppress(RunFailed):
            self._session.log(level, text)


@contextmanager
def collecting_logs(session: Session, level: str) -> Iterator[None]:
    """While open, what drivers and their libraries log goes into the record, redacted, instead of to the terminal."""
    root = logging.getLogger()
    handler = _ToSession(session)
    before = root.level
    root.addHandler(handler)
    root.setLevel(min(before or logging.WARNING, _NUMBERS[level]))
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.removeHandler(handler)
        root.setLevel(before)


def write_atomically(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON document such that a reader finds all of it or none, also after a power cut."""
    text = strict_json(document, indent=2) + "\n"
    replace_file(path, text.encode("utf-8", "backslashreplace"))


def replace_file(path: Path, data: bytes) -> None:
    """Write a file such that a reader finds all of it or what was there before, also after a power cut."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")  # another process may be at it, too
    try:
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException as error:  # a Ctrl-C, too, leaves nothing beside
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename, error.filename2 = str(path), None  # the file that the reader knows
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _unwritable(path: Path, error: OSError) -> RunFailed:
    return RunFailed(
        "OSR-RUN-030",
        f"the run record '{path.name}' cannot be written in {path.parent}: {error.strerror or error}",
        hint="free space or mend the permissions of the logs folder, then run again; the destinations are consistent",
    )
