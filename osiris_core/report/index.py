"""The index over session records: what makes a list over ten thousand of them instant.

It is a cache in the logs folder and never the truth. A record with an outcome is final, so it is read once and kept;
what runs, has crashed or is damaged is read each time. The folder's names say which sessions there are, and what a
question finds is held against the stamp of its ``status.json`` before it is believed. An index that is missing,
damaged, of another format or somebody else's is made anew; where none can be had, everything is read (ADR 0026).
"""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from osiris_core.project.paths import held
from osiris_core.report.reader import FINAL, STATUS, SessionRecord, order_of, read_session, session_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FILE: Final = ".sessions.sqlite"

FORMAT: Final = 1
_APPLICATION: Final = 0x4F534952
"""What SQLite's header says whose file it is."""

_BUSY_SECONDS: Final = 5.0
_BATCH: Final = 1000

Sort = Literal["started", "duration", "rows"]

# The documents lie beside the columns that are searched, so that a search does not read them.
_TABLES: Final = """
    CREATE TABLE {at}.session (
        name TEXT PRIMARY KEY,
        moment TEXT NOT NULL,
        kind TEXT NOT NULL,
        pipeline TEXT,
        status TEXT NOT NULL,
        target TEXT,
        started TEXT NOT NULL,
        duration_ms INTEGER,
        rows INTEGER,
        labels TEXT NOT NULL,
        stamp TEXT
    ) STRICT;
    CREATE TABLE {at}.document (name TEXT PRIMARY KEY, content TEXT NOT NULL) STRICT
"""
_COLUMNS: Final = "name, moment, kind, pipeline, status, target, started, duration_ms, rows, labels, stamp"

_ALL: Final = f"""
    SELECT {_COLUMNS}, 0 AS kept FROM main.session
    UNION ALL
    SELECT {_COLUMNS}, 1 AS kept FROM kept.session
    WHERE name NOT IN (SELECT name FROM main.session UNION ALL SELECT name FROM main.gone)
"""
_TO_KEEP: Final = """
    SELECT EXISTS (SELECT 1 FROM main.gone) OR EXISTS (
        SELECT 1 FROM main.session WHERE stamp IS NOT NULL OR name IN (SELECT name FROM kept.session)
    )
"""
"""Whether there is something to put into the index, or out of it."""

_FILTERS: Final = {
    "kind": "kind = ?",
    "pipeline": "pipeline = ?",
    "status": "status = ?",
    "target": "target = ?",
    "since": "started >= ?",
    "until": "started < ?",
}
_ORDERS: Final[Mapping[str, str]] = {"started": "moment", "duration": "duration_ms", "rows": "rows"}

_BEYOND_REPAIR: Final = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@attrs.frozen(kw_only=True)
class Query:
    """Which sessions are wanted, and in which order: None leaves a property open.

    ``since`` and ``until`` (exclusive) are times as records have them; a label without a value is one that has any.
    ``started`` sorts the newest first, ``duration`` the longest, ``rows`` the most; ``reverse`` the other way round,
    what is not known last in either.
    """

    kind: str | None = None
    pipeline: str | None = None
    status: str | None = None
    target: str | None = None
    since: str | None = None
    until: str | None = None
    labels: tuple[tuple[str, str | None], ...] = ()
    sort: Sort = "started"
    reverse: bool = False
    limit: int | None = None


def find(logs: Path, query: Query) -> list[SessionRecord]:
    """The sessions below ``logs`` that ``query`` asks for."""
    present = session_names(logs)
    if not present:
        return []
    for attach in (_attach, _attach_anew):
        try:
            with closing(_memory()) as db:
                attach(db, logs)
                return _Answer(db, logs, keep=True).to(query, present)
        except (_Unbelievable, sqlite3.Error, OSError) as error:
            if not _is_beyond_repair(error):
                break
    with closing(_memory()) as db:
        db.execute("ATTACH ':memory:' AS kept")
        _make_tables(db, "kept")
        return _Answer(db, logs, keep=False).to(query, present)


class _Unbelievable(Exception):
    """What the index holds was not written by us."""


class _Answer:
    """One question being answered. What is read for it lies in memory (``main``), what is known already in ``kept``."""

    def __init__(self, db: sqlite3.Connection, logs: Path, *, keep: bool) -> None:
        self._db = db
        self._logs = logs
        self._keeps = keep

    def to(self, query: Query, present: Iterable[str]) -> list[SessionRecord]:
        names = set(present)
        known = {name for (name,) in self._db.execute("SELECT name FROM kept.session")}
        self._db.executemany("INSERT OR IGNORE INTO main.gone VALUES (?)", [(name,) for name in known - names])
        new = sorted(names - known, key=order_of)
        for start in range(0, len(new), _BATCH):  # who interrupts a long first time has not waited for nothing
            self._read(new[start : start + _BATCH])
            self._keep()
        while True:
            found = self._select(query)
            stale = [name for name, stamp, kept in found if kept and stamp != _stamp(self._logs / name)]
            if not stale:
                return [self._record(name, kept=kept) for name, _, kept in found]
            self._read(stale)
            self._keep()

    def _read(self, names: Iterable[str]) -> None:
        for name in names:
            stamp = _stamp(self._logs / name)  # before the reading: what is written meanwhile differs from it
            record = read_session(self._logs / name)
            if record.status not in FINAL and not record.path.is_dir():  # somebody has just removed it
                self._db.execute("INSERT OR IGNORE INTO main.gone VALUES (?)", (name,))
                continue
            row = (
                name,
                order_of(name),
                record.kind,
                _storable(record.pipeline),
                record.status,
                _storable(record.target),
                _storable(record.started),
                record.duration_ms,
                record.rows,
                json.dumps(dict(record.labels)),
                stamp if record.status in FINAL else None,
            )
            self._db.execute(f"INSERT OR REPLACE INTO main.session VALUES ({', '.join('?' * len(row))})", row)
            self._db.execute("INSERT OR REPLACE INTO main.document VALUES (?, ?)", (name, json.dumps(record.to_json())))

    def _keep(self) -> None:
        """Move what is final into the index, and out of it what is not (there) any more; later, where that fails."""
        if not self._keeps or not self._db.execute(_TO_KEEP).fetchone()[0]:
            return
        try:
            # Not to wait: who holds the folder does the same as we.
            with held(self._logs, wait=False):
                self._db.execute("BEGIN IMMEDIATE")
                for table in ("session", "document"):
                    self._db.execute(
                        f"DELETE FROM kept.{table} WHERE name IN "
                        "(SELECT name FROM main.gone UNION ALL SELECT name FROM main.session WHERE stamp IS NULL)"
                    )
                    self._db.execute(
                        f"INSERT OR REPLACE INTO kept.{table} SELECT * FROM main.{table} "
                        "WHERE name IN (SELECT name FROM main.session WHERE stamp IS NOT NULL)"
                    )
                self._db.execute("DELETE FROM main.gone")
                self._db.execute("DELETE FROM main.session WHERE stamp IS NOT NULL")
                self._db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if _is_beyond_repair(error):
                raise

    def _select(self, query: Query) -> list[tuple[str, str | None, bool]]:
        asked = {name: getattr(query, name) for name in _FILTERS}
        conditions = [_FILTERS[name] for name, value in asked.items() if value is not None]
        values: list[Any] = [_storable(value) for value in asked.values() if value is not None]
        for key, wanted in query.labels:
            equal = "" if wanted is None else " AND value = ?"
            conditions.append(f"EXISTS (SELECT 1 FROM json_each(labels) AS label WHERE label.key = ?{equal})")
            values += [_storable(each) for each in (key, wanted) if each is not None]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        way = "ASC" if query.reverse else "DESC"
        order = f"{_ORDERS[query.sort]} {way} NULLS LAST, moment {way}"
        limit = -1 if query.limit is None else query.limit
        sql = f"SELECT name, stamp, kept FROM ({_ALL}) {where} ORDER BY {order} LIMIT ?"
        return [(name, stamp, bool(kept)) for name, stamp, kept in self._db.execute(sql, [*values, limit])]

    def _record(self, name: str, *, kept: bool) -> SessionRecord:
        place = "kept" if kept else "main"
        row = self._db.execute(f"SELECT content FROM {place}.document WHERE name = ?", (name,)).fetchone()
        try:
            return SessionRecord.from_json(json.loads(row[0]), path=self._logs / name)
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise _Unbelievable from error


def _memory() -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", timeout=_BUSY_SECONDS, isolation_level=None, uri=True)
    _make_tables(db, "main")
    db.execute("CREATE TABLE main.gone (name TEXT PRIMARY KEY) STRICT")
    return db


def _attach(db: sqlite3.Connection, logs: Path) -> None:
    """Attach the index; raises _Unbelievable when what is there is none of ours."""
    path = (logs / FILE).absolute()
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise _Unbelievable
    except FileNotFoundError:
        _make(path)
    db.execute("ATTACH ? AS kept", (f"{path.as_uri()}?mode=rw",))
    whose = tuple(db.execute(f"PRAGMA kept.{name}").fetchone()[0] for name in ("application_id", "user_version"))
    if whose != (_APPLICATION, FORMAT):
        raise _Unbelievable


def _attach_anew(db: sqlite3.Connection, logs: Path) -> None:
    """Attach an index without anything in it, in the place of the one that is of no use."""
    path = logs / FILE
    # Whoever writes holds the folder, so nobody's journal is taken away from under a transaction.
    with held(logs, wait=False):
        for each in (path, path.with_name(f"{FILE}-journal")):
            each.unlink(missing_ok=True)
    _attach(db, logs)


def _make(path: Path) -> None:
    with held(path.parent, wait=False), closing(sqlite3.connect(path, isolation_level=None)) as db:
        # A rollback journal, not WAL: that needs memory shared by all processes, which network folders do not have.
        db.execute("BEGIN EXCLUSIVE")
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            _make_tables(db, "main")
            db.execute(f"PRAGMA application_id = {_APPLICATION}")
            db.execute(f"PRAGMA user_version = {FORMAT}")
        db.execute("COMMIT")


def _make_tables(db: sqlite3.Connection, at: str) -> None:
    for statement in _TABLES.split(";"):
        db.execute(statement.format(at=at))


def _is_beyond_repair(error: Exception) -> bool:
    """Whether only a new index helps: not when another process has it, the disk is full or the folder read-only."""
    if isinstance(error, sqlite3.Error):  # without a code: a text in it is none
        return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _BEYOND_REPAIR
    return isinstance(error, _Unbelievable)


def _stamp(folder: Path) -> str | None:
    """What changes when somebody changes the outcome; None when there is none."""
    try:
        found = (folder / STATUS).stat()
    except OSError:
        return None
    return f"{found.st_mtime_ns}-{found.st_size}"


def _storable(text: str | None) -> str | None:
    """``text`` as SQLite can hold it: half a character of JSON's escapes is none."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()
