"""Profiles and samples by SQL, alike on every server: a discoverer says how its server spells a few things.

Every statement reads one source (a quoted table, or a sub-select of some rows) and gives plain rows of integers and
texts. Nothing is computed on rows here; the server counts, and min and max follow its own order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.spec.catalog import ColumnProfile, Overlap, Sample, TableProfile, ValueCount
from osiris_core.sqltext import quote_identifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from osiris_core.spec.catalog import Basis, ColumnInfo

_AT_ONCE: Final = 16
"""Columns that one statement counts: each needs a tree of its distinct values while it runs."""

_TOP: Final = 10
LONGEST: Final = 200
"""Characters of a value that are shown; a longer one is cut and says how long it is."""

_NO_ORDER: Final = ("STRUCT", "MAP", "UNION", "BLOB", "BIT", "JSON", "VARIANT", "GEOMETRY")
_NO_EQUALITY: Final = ("UNION", "VARIANT", "GEOMETRY")
_LOW: Final = 1000
"""A column with more distinct values than this has no top values worth naming."""


@attrs.frozen(kw_only=True)
class Spelling:
    """How a server writes what profiles need.

    ``quote`` makes an identifier of a name. ``text`` makes of an expression one that gives its value as text, cut when
    it is long (it is told the column). ``countable`` says whether values of a column can be compared for equality, and
    ``ordered`` whether min and max exist for them. ``ask`` runs a statement and gives its rows; it raises TimeoutError
    when the deadline passes. ``sorts`` is for a server that must see all rows for a few distinct values anyway: it
    gives the first in order, which are the same ones every time.
    """

    quote: Callable[[str], str]
    text: Callable[[str, ColumnInfo], str]
    countable: Callable[[ColumnInfo], bool]
    ordered: Callable[[ColumnInfo], bool]
    ask: Callable[[str], Sequence[Sequence[Any]]]
    sorts: bool = False


def duckdb_spelling(ask: Callable[[str], Sequence[Sequence[Any]]]) -> Spelling:
    """The spelling of DuckDB's dialect."""
    return Spelling(
        quote=quote_identifier,
        text=_duckdb_text,
        countable=_duckdb_countable,
        ordered=_duckdb_ordered,
        ask=ask,
        sorts=True,
    )


def profile_source(source: str, columns: Sequence[ColumnInfo], basis: Basis, spelling: Spelling) -> TableProfile:
    """The profile of the rows of ``source``, something that can stand after FROM."""
    examined = 0
    profiles: list[ColumnProfile] = []
    for start in range(0, max(len(columns), 1), _AT_ONCE):
        some = columns[start : start + _AT_ONCE]
        counts = [
            expression for column in some for expression in _measures(spelling.quote(column.name), column, spelling)
        ]
        measures = ", ".join(["count(*)", *counts])
        (row,) = spelling.ask(f"SELECT {measures} FROM {source} AS osiris_rows")  # noqa: S608 - quoted names
        examined = int(row[0])
        profiles += [_profile(column, examined, row[1 + 4 * at : 5 + 4 * at]) for at, column in enumerate(some)]
    by_name = {column.name: column for column in columns}
    return TableProfile(
        basis=basis,
        examined=examined,
        columns=tuple(_with_top(source, by_name[one.name], one, examined, spelling) for one in profiles),
    )


def sample_source(source: str, columns: Sequence[ColumnInfo], rows: int, spelling: Spelling) -> Sample:
    """The first ``rows`` rows that the server gives of ``source``."""
    names = tuple(column.name for column in columns)
    if not columns:
        return Sample(columns=(), rows=())
    texts = ", ".join(spelling.text(spelling.quote(column.name), column) for column in columns)
    found = spelling.ask(f"SELECT {texts} FROM {source} AS osiris_rows LIMIT {int(rows)}")  # noqa: S608
    return Sample(columns=names, rows=tuple(tuple(_text(value) for value in row) for row in found))


def overlap_sources(
    source: str, column: str, other: str, other_column: str, values: int, spelling: Spelling
) -> Overlap:
    """How many of up to ``values`` different values of ``column`` in ``source`` occur as ``other_column``."""
    mine, theirs = spelling.quote(column), spelling.quote(other_column)
    order = "ORDER BY 1 " if spelling.sorts else ""
    (row,) = spelling.ask(
        f"SELECT count(*), sum(CASE WHEN EXISTS (SELECT 1 FROM {other} AS osiris_others "  # noqa: S608 - quoted names
        f"WHERE osiris_others.{theirs} = osiris_rows.osiris_value) THEN 1 ELSE 0 END) "
        f"FROM (SELECT DISTINCT {mine} AS osiris_value FROM {source} AS osiris_all WHERE {mine} IS NOT NULL "
        f"{order}LIMIT {int(values)}) AS osiris_rows"
    )
    return Overlap(checked=int(row[0]), found=int(row[1] or 0))


def _measures(name: str, column: ColumnInfo, spelling: Spelling) -> Iterable[str]:
    yield f"count({name})"
    yield f"count(DISTINCT {name})" if spelling.countable(column) else "NULL"
    ordered = spelling.ordered(column)
    yield spelling.text(f"min({name})", column) if ordered else "NULL"
    yield spelling.text(f"max({name})", column) if ordered else "NULL"


def _profile(column: ColumnInfo, examined: int, found: Sequence[Any]) -> ColumnProfile:
    filled, distinct, minimum, maximum = found
    return ColumnProfile(
        name=column.name,
        nulls=examined - int(filled),
        distinct=None if distinct is None else int(distinct),
        minimum=_text(minimum),
        maximum=_text(maximum),
    )


def _with_top(
    source: str, column: ColumnInfo, profile: ColumnProfile, examined: int, spelling: Spelling
) -> ColumnProfile:
    distinct, filled = profile.distinct, examined - (profile.nulls or 0)
    if distinct is None or distinct > _LOW or distinct * 2 > filled:
        return profile
    name = spelling.quote(column.name)
    found = spelling.ask(
        f"SELECT {spelling.text(name, column)}, count(*) FROM {source} AS osiris_rows "  # noqa: S608 - quoted names
        f"WHERE {name} IS NOT NULL GROUP BY {name} ORDER BY 2 DESC, 1 LIMIT {_TOP}"
    )
    return profile.with_top(ValueCount(value=_text(value) or "", count=int(count)) for value, count in found)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes | bytearray) else str(value)


def _duckdb_text(expression: str, column: ColumnInfo) -> str:
    del column
    text = f"CAST({expression} AS VARCHAR)"
    return (
        f"CASE WHEN length({text}) > {LONGEST} THEN left({text}, {LONGEST}) || '… (' || length({text}) || "
        f"' characters)' ELSE {text} END"
    )


def _duckdb_countable(column: ColumnInfo) -> bool:
    return not column.type.startswith(_NO_EQUALITY)


def _duckdb_ordered(column: ColumnInfo) -> bool:
    return not (column.type.startswith(_NO_ORDER) or column.type.endswith("]"))
