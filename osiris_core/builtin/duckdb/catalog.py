"""Whether a DuckDB connection works, and opening its file to look at it."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import duckdb

from osiris_core.api import Health, OsirisError
from osiris_core.builtin.duckdb.database import database_path, file_error
from osiris_core.builtin.duckdb.failures import held_by
from osiris_core.builtin.duckdb.hardened import ATTACHED, closed_connection

if TYPE_CHECKING:
    from osiris_core.builtin.duckdb.config import DuckDBConnection

_CATEGORIES: Final = {
    "OSR-DUCKDB-020": "missing",
    "OSR-DUCKDB-021": "config",
    "OSR-DUCKDB-023": "config",
    "OSR-DUCKDB-024": "permission",
}
_PAUSE: Final = 0.05
_LARGE: Final = 1024 * 1024 * 1024
_THREADS: Final = 4


@attrs.frozen(kw_only=True)
class _Modest:
    """Limits for looking at a catalog."""

    scratch: Path
    memory_limit: int = 256 * 1024 * 1024
    threads: int = 1


class Doctor:
    """Checks that the file can be opened and read."""

    def check(self, connection: DuckDBConnection, *, project_root: Path, timeout: float) -> Health:
        """The health of ``connection``; a file that does not exist is well when a writer could create it."""
        try:
            path = database_path(connection, project_root)
            if not path.exists():
                return _absent(path, connection.path)
            with tempfile.TemporaryDirectory(prefix="osiris-") as scratch:
                found = opened(path, connection, Path(scratch), timeout)
                try:
                    ((tables,),) = found.execute(
                        "SELECT count(*) FROM duckdb_tables() WHERE database_name = $name AND NOT internal",
                        {"name": ATTACHED},
                    ).fetchall()
                finally:
                    found.close()
        except OsirisError as error:
            category = _CATEGORIES.get(error.code, "internal")
            return Health(ok=False, category=category, message=error.message, hint=error.hint)
        except TimeoutError as error:
            return Health(
                ok=False, category="timeout", message=str(error), hint="end the program that holds it, or try again"
            )
        writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        words = "readable and writable" if writable else "readable"
        noun = "table" if tables == 1 else "tables"
        return Health(
            ok=True,
            category="ok",
            message=f"{tables} {noun}, {words}",
            details={"tables": tables, "writable": writable, "bytes": path.stat().st_size},
        )


def _absent(path: Path, shown: str) -> Health:
    nearest = next(folder for folder in path.parents if folder.exists())
    if os.access(nearest, os.W_OK):
        return Health(ok=True, category="ok", message=f"'{shown}' does not exist yet; the first writer creates it")
    return Health(ok=False, category="permission", message=f"'{shown}' does not exist and its folder is not writable")


def opened(path: Path, connection: DuckDBConnection, scratch: Path, timeout: float, *, large: bool = False) -> Any:
    """A connection that can read ``path`` and no more, with modest limits unless ``large``; waits ``timeout`` seconds.

    Raises TimeoutError when somebody else holds the file all that time.
    """
    limits = _Modest(scratch=scratch, memory_limit=_LARGE, threads=_THREADS) if large else _Modest(scratch=scratch)
    deadline = time.monotonic() + timeout
    while True:
        try:
            return closed_connection(limits, attach=path)
        except duckdb.Error as error:
            holder = held_by(error)
            if holder is None:
                raise file_error(error, path, connection.path) from error
            if time.monotonic() >= deadline:
                raise TimeoutError(f"'{connection.path}' is held by {holder}") from error
        time.sleep(_PAUSE)
