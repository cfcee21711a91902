"""What is wrong with the queries of a pipeline, as far as it shows without rows: found by ``validate`` and ``compile``.

The same parser and the same rules as at run time, so nothing that is refused there passes here unless it needs the
inputs' columns; those `osiris explain` binds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import Diagnostic, DriverError, Severity
from osiris_core.builtin.duckdb.hardened import parsing_connection
from osiris_core.builtin.duckdb.statement import Query, Select, parse_selects
from osiris_core.ids import input_name

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUERIES: Final = frozenset({"duckdb.processor", "duckdb.extractor"})


def review(pipeline: Any) -> list[Diagnostic]:
    """The findings about every query of ``pipeline`` (``osiris_core.oml.document.Pipeline``, everything filled in)."""
    steps = [step for step in pipeline.steps if step.component in _QUERIES and step.config.get("query")]
    if not steps:
        return []
    connection = parsing_connection()
    try:
        parsed = parse_selects(connection, [_query(step) for step in steps])
    finally:
        connection.close()
    return [finding for step, found in zip(steps, parsed, strict=True) for finding in _findings(step, found)]


def _query(step: Any) -> Query:
    text, params = step.config["query"], step.config.get("query_params") or {}
    if step.component == "duckdb.extractor":  # which names the file has is known when it is opened
        return Query(text=text, params=params, inputs=None, hidden=(), what="the query")
    needs = step.needs or ()
    inputs = [input_name(needed) for needed in needs] + (["df"] if len(needs) == 1 else [])
    return Query(text=text, params=params, inputs=inputs, what="the query")


def _findings(step: Any, found: Select | DriverError) -> Iterator[Diagnostic]:
    path = ("steps", step.index, "config", "query")
    if isinstance(found, DriverError):
        yield Diagnostic(code=found.code, message=found.message, path=path, hint=found.hint)
    elif found.volatile:
        yield Diagnostic(
            code="OSR-DUCKDB-013",
            message=f"the query gives other rows each time it runs, because of {', '.join(found.volatile)}",
            severity=Severity.WARNING,
            path=path,
        )
