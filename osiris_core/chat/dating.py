"""Dates of tables that hold year, month and day in three columns, where a small model's query takes them for one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from osiris_core.chat.joining import has_column, own_columns, own_tables
from osiris_core.chat.sketching import DATE_PARTS, has_date_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.chat.catalog import Source, Sources

_DATE: Final = re.compile(r"(?P<year>\d{4})(?P<rest>-\d{2}-\d{2}.*)", re.DOTALL)


def dated(tree: exp.Expr, sources: Sources, wish: str) -> Iterator[str]:
    """``date``, and ``date(day)`` of a number, is the date that the three columns make; a date of a year that the wish
    does not say is of the year that all rows have. What was changed, in sentences.
    """
    for select in tree.find_all(exp.Select):
        yield from _named(select, sources)
    tables = {one.alias_or_name.lower(): sources.get(one.name) for one in tree.find_all(exp.Table)}
    parted = {alias: one for alias, one in tables.items() if one is not None and has_date_parts(one)}
    if len({one.name for one in parted.values()}) != 1:
        return
    (source, *_) = parted.values()
    yield from _made(tree, source, alone=len(tables) == 1)
    yield from _of_the_year(tree, source, wish)


def _named(select: exp.Select, sources: Sources) -> Iterator[str]:
    """A query that reads one table which has no ``date`` but its parts."""
    tables = list(own_tables(select, sources).values())
    if len(tables) != 1 or select.args.get("joins") or not has_date_parts(tables[0]) or has_column(tables[0], "date"):
        return
    for column in own_columns(select):
        if column.name.lower() != "date" or isinstance(column.parent, exp.Order | exp.Ordered):
            continue
        made: exp.Expr = exp.func("make_date", *map(exp.column, DATE_PARTS), dialect="duckdb")
        if isinstance(column.parent, exp.Select):
            made = exp.alias_(made, column.name)
        column.replace(made)
        yield f"The date of a row of {tables[0].name} is made of its year, month and day."


def _made(tree: exp.Expr, source: Source, *, alone: bool) -> Iterator[str]:
    for one in list(tree.find_all(exp.Date, exp.Cast)):
        day = one.this
        if not isinstance(day, exp.Column) or day.name.lower() != DATE_PARTS[-1] or not (day.table or alone):
            continue
        if not isinstance(one, exp.Cast) or one.to.this is exp.DataType.Type.DATE:
            parts = (exp.column(part, table=day.table or None) for part in DATE_PARTS)
            one.replace(exp.func("make_date", *parts, dialect="duckdb"))
            yield f"The date of a row of {source.name} is made of its year, month and day."


def _of_the_year(tree: exp.Expr, source: Source, wish: str) -> Iterator[str]:
    """Dates of one year that is not said, where the data is of one other."""
    profile = source.found.profile
    years = () if profile is None or profile.basis != "full" or profile.columns is None else profile.columns
    known = next((one for one in years if one.name.lower() == DATE_PARTS[0] and not one.withheld), None)
    if known is None or known.minimum is None or known.minimum != known.maximum:
        return
    dates = [one for one in tree.find_all(exp.Literal) if one.is_string and _DATE.fullmatch(one.name)]
    written = {one.name[:4] for one in dates}
    if len(written) != 1 or written == {known.minimum} or written.pop() in wish:
        return
    for one in dates:
        one.replace(exp.Literal.string(known.minimum + one.name[4:]))
    yield f"Dates are of {known.minimum}, as all rows of {source.name} are."
