"""Types of text columns, told from a sample by the very tests that every later cell must pass.

A type is taken when every value of the sample passes its strict test; the first of BOOLEAN, BIGINT, DOUBLE, DATE,
TIMESTAMP, TIMESTAMPTZ and TIME that fits, else VARCHAR. So a code like ``007``, a number with more digits than DOUBLE
keeps, and a date in any but ISO form stay text. A column without values in the sample is VARCHAR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from arro3.core import Array, DataType

from osiris_filesystem.cells import CellFormat, is_good, is_null
from osiris_filesystem.engine import hold, name, only_row

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CANDIDATES: Final = ("BOOLEAN", "BIGINT", "DOUBLE", "DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIME")
TEXT: Final = "VARCHAR"
_COLUMNS_AT_ONCE: Final = 50


def infer(connection: Any, table: str, columns: Sequence[str], form: CellFormat) -> dict[str, str]:
    """The type of each of ``columns`` (all VARCHAR) of ``table``."""
    found: dict[str, str] = {}
    for start in range(0, len(columns), _COLUMNS_AT_ONCE):
        found.update(_infer_some(connection, table, columns[start : start + _COLUMNS_AT_ONCE], form))
    return found


def infer_values(connection: Any, values: Mapping[str, Sequence[str | None]], form: CellFormat) -> dict[str, str]:
    """The types of columns given as Python texts; used for the few values that folders' names carry."""
    found: dict[str, str] = {}
    for column, texts in values.items():
        hold(connection, "osiris_values", {"value": Array(list(texts), DataType.utf8())})
        found[column] = infer(connection, "osiris_values", ["value"], form)["value"]
    return found


def _infer_some(connection: Any, table: str, columns: Sequence[str], form: CellFormat) -> dict[str, str]:
    tests = []
    for column in columns:
        cell = name(column)
        tests.append(f"count(*) FILTER (NOT {is_null(cell, form)})")
        tests.extend(f"bool_and({is_good(cell, type_, form, stated=False)})" for type_ in CANDIDATES)
        # Words for what is no number do not make a column of numbers.
        tests.append(f"count(*) FILTER (regexp_matches({cell}, '[0-9]'))")
    row = only_row(connection, f"SELECT {', '.join(tests)} FROM {table}")
    width = len(CANDIDATES) + 2
    found = {}
    for at, column in enumerate(columns):
        values, *passed, with_digit = row[at * width : (at + 1) * width]
        fitting = (type_ for type_, good in zip(CANDIDATES, passed, strict=True) if good)
        if not values:
            found[column] = TEXT
        else:
            found[column] = next((one for one in fitting if one == "BOOLEAN" or with_digit), TEXT)
    return found
