"""Statements of a session that writes: its settings, what they changed, and what their errors mean to a load."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pymysql

from osiris_core.api import DriverError, OsirisError
from osiris_mysql.errors import failure, said
from osiris_mysql.session import Session, open_session

if TYPE_CHECKING:
    from osiris_core.api import DriverContext

WRITE_MODE: Final = (
    "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION,"
    "NO_AUTO_VALUE_ON_ZERO,NO_BACKSLASH_ESCAPES"
)
"""Strict, and nothing in a value means anything but itself."""
_DEFINE_MODE: Final = WRITE_MODE.replace("NO_ZERO_DATE,NO_ZERO_IN_DATE,", "")

_SETTINGS: Final = (
    "autocommit = 1",
    "sql_notes = 1",
    "max_error_count = 64",
    "sql_safe_updates = 0",
    # With it, IS NULL finds the row that was inserted last.
    "sql_auto_is_null = 0",
    "foreign_key_checks = 1",
    "unique_checks = 1",
)
_LOCK_SECONDS: Final = 60
_VALUE: Final = frozenset({1048, 1264, 1265, 1292, 1366, 1367, 1406, 1411, 1416, 1690, 3140, 3141, 3156, 1301, 1071})
_CONSTRAINT: Final = frozenset(
    {1022, 1062, 1169, 1216, 1217, 1451, 1452, 1526, 1557, 1586, 1644, 1701, 3730, 3819, 4025}
)
_ROW: Final = re.compile(r"\bat row (\d+)")
_OURS: Final = (
    (re.compile(r"`[^`]+`\.`_osiris_(?:new|stage)_[0-9a-f]+`\.`([^`]*)`"), r"'\1'"),
    (re.compile(r" for `[^`]+`\.`_osiris_(?:new|stage)_[0-9a-f]+`"), ""),
    (re.compile(r"_osiris_(?:new|stage)_[0-9a-f]+\."), ""),
)
"""How the tables that rows are staged in are named in messages of the server, and what is to stand there instead."""


def open_writing(ctx: DriverContext) -> Session:
    """A session for a load."""
    # The server is to give up before this side takes its silence for a lost connection.
    wait = max(1, int(min(_LOCK_SECONDS, ctx.connection.read_timeout / 2)))
    locks = (f"innodb_lock_wait_timeout = {wait}", f"lock_wait_timeout = {wait}")
    return open_session(ctx.connection, sql_mode=WRITE_MODE, settings=(*_SETTINGS, *locks), local_infile=True)


def change(session: Session, sql: str, what: str) -> int:
    """Run one statement that gives no rows; the number of rows it affected."""
    with session.raw.cursor() as cursor:
        try:
            return int(cursor.execute(sql))
        except (pymysql.err.Error, OSError) as error:
            raise load_failure(error, what) from error


def merge(session: Session, sql: str, what: str) -> tuple[int, int]:
    """Run an INSERT … SELECT … ON DUPLICATE KEY UPDATE; the rows it inserted, and those that it found to be there.

    The server counts an inserted row once, a changed one twice and one that stays as it is not at all, and says beside
    it how many rows it was given and how many it changed (MySQL, "INSERT ... ON DUPLICATE KEY UPDATE Statement"; words
    in the server's language, numbers always in this order).
    """
    with session.raw.cursor() as cursor:
        try:
            affected = int(cursor.execute(sql))
            said_ = bytes(cursor._result.message)  # noqa: SLF001 - PyMySQL has no other way to it
        except (pymysql.err.Error, OSError) as error:
            raise load_failure(error, what) from error
    words = said_[1:] if said_ and said_[0] == len(said_) - 1 else said_  # its length may stand before it
    numbers = [int(found) for found in re.findall(rb"\d+", words)]
    if len(numbers) != 3:
        raise DriverError("OSR-MYSQL-059", f"{what}: the server does not say what it did: {words!r}")
    given, changed, _ = numbers
    inserted = affected - 2 * changed
    return inserted, given - inserted


def define(session: Session, sql: str, what: str) -> None:
    """Run a CREATE or ALTER of a table that may have zero dates as defaults, which a strict session refuses."""
    session.run(f"SET SESSION sql_mode = '{_DEFINE_MODE}'", what)
    try:
        change(session, sql, what)
    finally:
        session.run(f"SET SESSION sql_mode = '{WRITE_MODE}'", what)


def number(session: Session, sql: str, what: str) -> int:
    """The one whole number that a query gives."""
    ((found,),) = session.run(sql, what)
    return int(found)


def load_failure(error: BaseException, what: str, *, before: int = 0) -> OsirisError:
    """The error to raise for what PyMySQL raised while rows were loaded; ``before``: rows ahead of the statement's."""
    number_ = error.args[0] if error.args else None
    if number_ in _VALUE:
        return DriverError("OSR-MYSQL-054", f"{what}: {numbered(said(error), before)}")
    if number_ in _CONSTRAINT:
        return DriverError("OSR-MYSQL-062", f"{what}: {numbered(said(error), before)}")
    return failure(error, what)


def numbered(text: str, before: int) -> str:
    """A server's message with the row's number in the load instead of that in the statement, and no name of a stage."""
    for pattern, instead in _OURS:
        text = pattern.sub(instead, text)
    return _ROW.sub(lambda match: f"at row {int(match[1]) + before}", text)


def refuse_warnings(session: Session, what: str, *, before: int = 0) -> None:
    """Raise when the last statement changed a value on its way: LOAD DATA LOCAL only warns, in strict mode too."""
    warnings = session.run("SHOW WARNINGS", what)
    if not warnings:
        return
    level, code, text = warnings[0]
    said_ = numbered(" ".join(str(text).split()), before)
    more = f" (and {len(warnings) - 1} more)" if len(warnings) > 1 else ""
    kind = "OSR-MYSQL-062" if code in _CONSTRAINT else "OSR-MYSQL-054"
    raise DriverError(kind, f"{what}: {said_}{more}", hint=None if level != "Note" else "nothing was written")


def ident(name: str) -> str:
    """``name`` as an SQL identifier."""
    return "`" + name.replace("`", "``") + "`"


def text(value: str | None) -> str:
    """``value`` as an SQL string of a session in :data:`WRITE_MODE`."""
    return "NULL" if value is None else "'" + value.replace("'", "''") + "'"


def listed(names: Any, prefix: str = "") -> str:
    """Names as a list of SQL identifiers."""
    return ", ".join(prefix + ident(name) for name in names)
