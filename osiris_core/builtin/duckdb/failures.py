"""DuckDB's exceptions as Osiris's errors, also those that arrive as the text of an Arrow stream's error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import duckdb

from osiris_core.api import DriverError, OsirisError

if TYPE_CHECKING:
    from collections.abc import Mapping

_KIND: Final = re.compile(r"(?P<kind>[A-Z][A-Za-z ]*?) Error: (?P<text>.*)", re.DOTALL)
_NOISE: Final = re.compile(r"\s*(?:Possible solutions:.*|See also (?:https?|See)?.*)\Z", re.DOTALL)
_LOCK: Final = re.compile(
    r"Could not set lock on file .*?: Conflicting lock is held in (?P<who>[^.].*?)\s*\(PID (?P<pid>\d+)\)"
)
_ROOM: Final = re.compile(
    r"No space left|disk quota|max_temp_directory_size|temporary directory .*(?:full|exceed)", re.IGNORECASE
)

_BINDING: Final = frozenset({"Binder", "Catalog", "Parser", "Syntax"})
_MESSAGES: Final[Mapping[str, tuple[str, str]]] = {
    "Out of Memory": ("OSR-DUCKDB-011", "ran out of memory"),
    "Constraint": ("OSR-DUCKDB-036", "a constraint is violated"),
    "Permission": ("OSR-DUCKDB-004", "tried what is not allowed"),
}


def interrupted(error: BaseException) -> bool:
    """Whether ``error`` is what a connection says after ``interrupt()``."""
    return isinstance(error, duckdb.InterruptException) or _kind_of(error) == "INTERRUPT"


def explain(error: BaseException) -> str:
    """What DuckDB said, without its advice on settings that a pipeline cannot change."""
    match = _KIND.search(str(error))
    text = match["text"] if match else str(error)
    return _NOISE.sub("", text).strip()


def query_failure(error: BaseException, *, what: str) -> OsirisError:
    """The error to raise for ``error`` while ``what`` (``the query of step 'x'``) was bound or ran."""
    if isinstance(error, OsirisError):
        return error
    kind, text = _kind_of(error), explain(error)
    if _ROOM.search(text):
        return DriverError("OSR-DUCKDB-012", f"{what} found no room to spill: {text}")
    if kind in _BINDING:
        return DriverError("OSR-DUCKDB-006", f"{what} does not fit its inputs: {text}")
    code, words = _MESSAGES.get(kind, ("OSR-DUCKDB-010", "failed"))
    return DriverError(code, f"{what} {words}: {text}")


def held_by(error: BaseException) -> str | None:
    """Who holds the lock on a database file, when that is what ``error`` says."""
    match = _LOCK.search(str(error))
    if match:
        return f"process {match['pid']} ({match['who'].rsplit('/', 1)[-1]})"
    if "Unique file handle conflict" in str(error):
        return "another step of this run"
    return None


def _kind_of(error: BaseException) -> str:
    match = _KIND.search(str(error))
    return match["kind"].removeprefix("C Data interface error: ") if match else ""
