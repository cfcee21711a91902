"""The one place that opens DuckDB connections, and what they may do.

Two kinds: :func:`closed_connection` for SQL that came with a pipeline - in memory, nothing outside within reach, the
configuration locked - and :func:`trusted_connection` for SQL of Osiris's own. What each setting stops was tried; the
attacks are in ``tests/security/test_duckdb_attacks.py``. See ADR "SQL dialect and hardening".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import duckdb

if TYPE_CHECKING:
    from pathlib import Path


class Resources(Protocol):
    """What a connection may use; the context of a step is one."""

    @property
    def scratch(self) -> Path:
        """Where it may spill to."""
        ...

    @property
    def memory_limit(self) -> int:
        """Bytes of memory."""
        ...

    @property
    def threads(self) -> int:
        """Threads."""
        ...


_ALWAYS: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_unsigned_extensions": False,
    "allow_unredacted_secrets": False,
    "python_enable_replacements": False,
}
_SESSION: Final = (
    # The machine's zone must not show in results; settable once its extension is loaded, and also for cursors.
    "SET GLOBAL TimeZone = 'UTC'",
    "SET enable_progress_bar = false",  # it writes to stderr
    # It makes a join of IN with a list, and a join does not keep the order of rows, as a filter does.
    "SET GLOBAL disabled_optimizers = 'in_clause'",
)


def closed_connection(resources: Resources, *, attach: Path | None = None, **limits: int | None) -> Any:
    """A connection that can read what is registered on it (and ``attach``, a database file, read-only) and no more.

    ``limits`` may lower the run's ``memory_limit`` (bytes) and ``threads``.
    """
    connection = _connect(resources, limits)
    try:
        if attach is not None:
            connection.execute(f"ATTACH {literal(str(attach))} AS {ATTACHED} (READ_ONLY)")
            connection.execute(f"USE {ATTACHED}")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except BaseException:
        connection.close()
        raise
    return connection


def trusted_connection(resources: Resources) -> Any:
    """An in-memory connection for Osiris's own statements; it may attach files, and never sees SQL of a pipeline."""
    return _connect(resources, {})


def parsing_connection() -> Any:
    """An in-memory connection that is only asked to parse."""
    connection = duckdb.connect(
        config={**_ALWAYS, "enable_external_access": False, "temp_directory": "", "memory_limit": "256MB", "threads": 1}
    )
    connection.execute("SET lock_configuration = true")
    return connection


ATTACHED: Final = "osiris_file"
"""The name of the attached database in a closed connection."""


def literal(text: str) -> str:
    """``text`` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _connect(resources: Resources, limits: dict[str, int | None]) -> Any:
    memory = min(resources.memory_limit, limits.get("memory_limit") or resources.memory_limit)
    threads = min(resources.threads, limits.get("threads") or resources.threads)
    spill = resources.scratch / "duckdb"
    connection = duckdb.connect(
        config={
            **_ALWAYS,
            "memory_limit": f"{memory}B",
            "threads": threads,
            "temp_directory": str(spill),
        }
    )
    try:
        for statement in _SESSION:
            connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection
