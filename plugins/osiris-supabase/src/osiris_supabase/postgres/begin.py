"""How a transaction begins: its settings hold until its end and are read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osiris_core.api import ConnectionUnusable
from osiris_supabase.postgres.failures import ServerFailure, lost

if TYPE_CHECKING:
    from osiris_supabase.connection import SupabaseConnection
    from osiris_supabase.postgres.session import Session

_SETTINGS: Final = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
    "xmloption": "content",
    "idle_in_transaction_session_timeout": "0",
    "tcp_keepalives_idle": "30",  # a client that is gone without a word is noticed, and its locks are let go
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "jit": "off",  # a cancel that comes while it compiles is lost, and the statement goes on
}
_NO_SNAPSHOT: Final = ("22023", "42704")
"""What the server says of a snapshot that it does not have."""
_LEAST_IDLE: Final = 60.0
"""Seconds that a transaction of a writer may at least wait for its next rows."""


def begin(session: Session, connection: SupabaseConnection, *, read_only: bool, snapshot: str | None = None) -> None:
    """Begin a transaction with settings of its own; a read-only one sees one state of the database throughout, that of
    ``snapshot`` when given.
    """
    session.run(
        "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY" if read_only else "BEGIN ISOLATION LEVEL READ COMMITTED"
    )
    if snapshot is not None:
        _take_over(session, snapshot)
    limits = {
        "statement_timeout": _milliseconds(connection.statement_timeout),
        "lock_timeout": _milliseconds(connection.lock_timeout),
    }
    wanted = {**_SETTINGS, **limits}
    if not read_only:
        # What a policy would hide from a DELETE or UPDATE is an error instead, not a row that is left in silence.
        wanted["row_security"] = "off"
        wanted["idle_in_transaction_session_timeout"] = _milliseconds(max(connection.stall_timeout, _LEAST_IDLE))
    items = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in wanted.items())
    session.rows(f"SELECT {items}")
    setting = "(SELECT setting FROM pg_catalog.pg_settings WHERE name = '{}')"
    read_back = ", ".join(setting.format(name) for name in limits)
    (row,) = session.rows(f"SELECT {read_back}, current_setting('server_encoding')")
    if row[: len(limits)] != tuple(limits.values()):
        raise ConnectionUnusable("OSR-PG-007", "the server does not keep to the timeouts it is told")
    if row[len(limits)] == "SQL_ASCII":
        raise ConnectionUnusable("OSR-PG-007", "the database is encoded in SQL_ASCII, which says nothing of its texts")


def _take_over(session: Session, snapshot: str) -> None:
    try:
        session.run(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
    except ServerFailure as failure:
        if failure.state not in _NO_SNAPSHOT:
            raise
        raise lost("taking over a snapshot", "the session that kept it has ended") from None


def set_statement_timeout(session: Session, seconds: float | None) -> None:
    """Change the limit of a statement until the end of the transaction."""
    session.run(f"SET LOCAL statement_timeout = {_milliseconds(seconds)}")


def _milliseconds(seconds: float | None) -> str:
    return "0" if seconds is None else str(max(1, round(seconds * 1000)))
