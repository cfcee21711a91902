"""DuckDB files: where they may lie, and opening them while others use them too.

A process that writes holds a file alone; any number may read it together. Within one process, DuckDB lets one instance
write a file or several read it. So extractors read for as long as rows flow, writers open the file only to look at it
and to publish, and whoever comes second waits - for another process as long as the connection's ``lock_timeout``, for
another step of the same run until that step is done with the file.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import duckdb

from osiris_core.api import ConnectionUnusable, DriverError, OsirisError
from osiris_core.builtin.duckdb.failures import explain, held_by
from osiris_core.builtin.duckdb.hardened import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osiris_core.api import DriverContext
    from osiris_core.builtin.duckdb.config import DuckDBConnection

OWN_RUN_WAIT: Final = 3600.0
"""Seconds a writer waits for the other steps of its run to let go of the file before it takes that for a defect."""

_PAUSE: Final = (0.01, 0.25)
_NEW: Final = ".osiris-new"
_LONG_AGO: Final = 3600.0


def database_path(connection: DuckDBConnection, project_root: Path) -> Path:
    """The absolute path of the connection's file; ConnectionUnusable when it names none.

    It may lie anywhere: a person wrote it into the connections file, and no pipeline can override it.
    """
    text = connection.path
    if text.startswith(":") or "://" in text:
        raise ConnectionUnusable(
            "OSR-DUCKDB-023",
            f"'{text}' is not the path of a file",
            hint="give the path of a database file; a database in memory would be gone after the step",
        )
    resolved = (project_root / text).resolve()
    if resolved.exists() and not stat.S_ISREG(resolved.stat().st_mode):
        raise ConnectionUnusable("OSR-DUCKDB-023", f"'{text}' is not a regular file")
    return resolved


def create_database(path: Path, shown: str) -> None:
    """Make an empty database at ``path``, complete or not at all; keeps one that appears meanwhile."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        new = path.with_name(f".{path.name}.{os.getpid()}-{uuid4().hex[:12]}{_NEW}")
        try:
            duckdb.connect(str(new)).close()
            _sync(new)
            with suppress(FileExistsError):
                os.link(new, path)
            _sync(path.parent)
        finally:
            new.unlink(missing_ok=True)
    except (OSError, duckdb.Error) as error:
        raise file_error(error, path, shown) from error


def remove_leftovers(path: Path) -> None:
    """Remove what a run that was killed inside :func:`create_database` left, and nothing that is still being made."""
    for left in path.parent.glob(f".{path.name}.*{_NEW}*"):
        with suppress(OSError):
            process = left.name.removeprefix(f".{path.name}.").partition("-")[0]
            old = time.time() - left.stat().st_mtime > _LONG_AGO
            if old or not (process.isdecimal() and _is_alive(int(process))):
                left.unlink()


@contextmanager
def attached(connection: Any, name: str, path: Path, *, read_only: bool, ctx: DriverContext) -> Iterator[None]:
    """``path`` attached to ``connection`` as ``name``, for the duration; waits for others as the module says."""
    statement = f"ATTACH {literal(str(path))} AS {name}" + (" (READ_ONLY)" if read_only else "")
    wait_for_file(lambda: connection.execute(statement), path, ctx)
    try:
        yield
    finally:
        # Detaching also checkpoints. What was committed is safe in the log by then, so a checkpoint that fails (a full
        # disk) is no failure of the load; the next one to open the file repeats it.
        with suppress(duckdb.Error):
            connection.execute(f"DETACH {name}")


def wait_for_file(open_it: Callable[[], Any], path: Path, ctx: DriverContext) -> Any:
    """The result of ``open_it``, called again and again while somebody else holds ``path``."""
    settings: DuckDBConnection = ctx.connection
    started = time.monotonic()
    pause = _PAUSE[0]
    while True:
        try:
            return open_it()
        except duckdb.Error as error:
            holder = held_by(error)
            if holder is None:
                raise file_error(error, path, settings.path) from error
            own = holder == "another step of this run"
            waited = time.monotonic() - started
            if waited >= (OWN_RUN_WAIT if own else settings.lock_timeout):
                raise DriverError(
                    "OSR-DUCKDB-022",
                    f"the database file '{settings.path}' is held by {holder}; gave up after {waited:.0f} s",
                    retriable=not own,
                ) from error
        ctx.check()
        time.sleep(pause)
        pause = min(pause * 2, _PAUSE[1])


def file_error(error: Exception, path: Path, shown: str) -> OsirisError:
    """``error`` of opening or writing the file as what it means; ``shown`` is the path as the user wrote it."""
    text = explain(error).replace(str(path), shown)
    lowered = text.casefold()
    if "no space left" in lowered or "disk quota" in lowered:
        return DriverError("OSR-DUCKDB-025", f"cannot write '{shown}': {text}")
    if "does not exist" in lowered or "no such file" in lowered:
        return ConnectionUnusable("OSR-DUCKDB-020", f"there is no database file '{shown}'")
    if "not a valid duckdb" in lowered or "version number" in lowered or "serializ" in lowered:
        return ConnectionUnusable("OSR-DUCKDB-021", f"'{shown}' cannot be read as a DuckDB database: {text}")
    return ConnectionUnusable("OSR-DUCKDB-024", f"cannot open '{shown}': {text}")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
