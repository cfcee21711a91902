"""What cannot be done safely without the database itself: found when a pipeline is validated, and again by the drivers.

Pure, and without anything that is slow to import: the entry module's hook calls it for every pipeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import Diagnostic, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from osiris_supabase.config import Extractor, Writer

_CODE: Final = "OSR-SUPA-115"
_WHY: Final = {
    "replace": "the rows would be gone until the new ones are all there, and readers would see that",
    "append": "a request whose answer is lost could not be sent again without risking rows twice",
    "delete_insert": "the rows would be gone until the new ones are there, and readers would see that",
}


def of_extractor(config: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """The options of an extractor that need SQL; their paths are within the config, as everywhere here."""
    for name in ("query", "where"):
        if config.get(name) is not None:
            yield Diagnostic(
                code=_CODE,
                message=f"'{name}' is SQL, and the connection has only the Data API, which runs none",
                path=(name,),
                hint="add 'dsn' to the connection, or read the table and filter in a DuckDB step",
            )


def of_writer(config: Mapping[str, Any]) -> Iterator[Diagnostic]:
    """The mode of a writer, where a load of several requests could lose or repeat rows."""
    mode = config.get("mode")
    if mode in _WHY:
        yield Diagnostic(
            code=_CODE,
            message=f"'mode: {mode}' is not possible over the Data API: {_WHY[mode]}",
            path=("mode",),
            hint="add 'dsn' to the connection, or use 'mode: upsert' with a primary_key",
        )


def refuse_sql(config: Extractor) -> None:
    """Refuse what :func:`of_extractor` finds."""
    _refuse(of_extractor({"query": config.query, "where": config.where}))


def refuse_mode(config: Writer) -> None:
    """Refuse what :func:`of_writer` finds."""
    _refuse(of_writer({"mode": config.mode}))


def _refuse(found: Iterator[Diagnostic]) -> None:
    """Raise the first finding as InvalidInput, if there is any."""
    for finding in found:
        raise InvalidInput(finding.code, finding.message, hint=finding.hint, where=str(finding.path[0]))
