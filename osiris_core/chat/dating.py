"""Dates of tables that hold year, month and day in three columns, where a small model's query takes them for one."""

from __future__ import annotations

import re
from calendar import isleap
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from osiris_core.chat.grounding import DIALECT, strange_names
from osiris_core.chat.joining import has_column, own_columns, own_tables
from osiris_core.chat.sketching import DATE_PARTS, has_date_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.chat.catalog import Source, Sources

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}.*", re.DOTALL)


def dated(tree: exp.Expr, sources: Sources, wish: str) -> Iterator[str]:
    """``date``, and ``date(day)`` of a number, is the date that the three columns make; a date of a year that the wish
    does not say is of the year that all rows have. What was changed, in sentences.
    """
    strange = strange_names(tree, sources)
    for select in list(tree.find_all(exp.Select)):
        yield from _made(select, sources, strange)
    read = [sources.get(one.name) for one in tree.find_all(exp.Table)]
    parted = {one.name: one for one in read if one is not None and has_date_parts(one)}
    if len(parted) == 1:
        yield from _of_the_year(tree, next(iter(parted.values())), wish)


def _made(select: exp.Select, sources: Sources, strange: frozenset[str]) -> Iterator[str]:
    """Where it is certain whose ``day`` or ``date`` is meant: its table is said, or no other can be."""
    tables = {alias: one for alias, one in own_tables(select, sources).items() if has_date_parts(one)}
    read, joins = select.args.get("from_"), select.args.get("joins")
    alone = bool(tables) and read is not None and isinstance(read.this, exp.Table) and not joins
    outputs = {one.alias.lower() for one in select.expressions if isinstance(one, exp.Alias)}
    for column in own_columns(select):
        name = column.name.lower()
        only = next(iter(tables)) if alone or (name in strange and len(tables) == 1) else ""
        alias = column.table.lower() or only
        if alias not in tables:
            continue
        is_cast = isinstance(column.parent, exp.Cast) and column.parent.to.this is exp.DataType.Type.DATE
        is_day = name == DATE_PARTS[-1] and (is_cast or isinstance(column.parent, exp.Date))
        is_date = name == "date" and name not in outputs and not _has_date(select, sources)
        if not is_day and not is_date:
            continue
        table = column.table or (alias if joins else None)
        made: exp.Expr = exp.func("make_date", *(exp.column(part, table=table) for part in DATE_PARTS), dialect=DIALECT)
        if is_date and isinstance(column.parent, exp.Select):
            made = exp.alias_(made, column.name)
        (column.parent if is_day and column.parent is not None else column).replace(made)
        yield f"The date of a row of {tables[alias].name} is made of its year, month and day."


def _has_date(select: exp.Select, sources: Sources) -> bool:
    """Whether a table of the whole query has a column ``date``, which one within it may mean."""
    read = (sources.get(one.name) for one in select.root().find_all(exp.Table))
    return any(has_column(one, "date") for one in read if one is not None)


def _of_the_year(tree: exp.Expr, source: Source, wish: str) -> Iterator[str]:
    """Dates of one year that is not said, where the data is of one other."""
    profile = source.found.profile
    columns = profile.columns if profile is not None and profile.basis == "full" else ()
    known = next((one for one in columns if one.name.lower() == DATE_PARTS[0] and not one.withheld), None)
    year = None if known is None or known.minimum != known.maximum else known.minimum
    if year is None or not re.fullmatch(r"\d{4}", year):
        return
    dates = [one for one in tree.find_all(exp.Literal) if one.is_string and _DATE.fullmatch(one.name)]
    written = {one.name[:4] for one in dates}
    if len(written) != 1 or written == {year} or written.pop() in wish or not all(map(_is_of_parts, dates)):
        return
    for one in dates:
        day = "-02-28" if one.name[4:10] == "-02-29" and not isleap(int(year)) else one.name[4:10]
        one.replace(exp.Literal.string(f"{year}{day}{one.name[10:]}"))
    yield f"Dates are of {year}, as all rows of {source.name} are."


def _is_of_parts(literal: exp.Expr) -> bool:
    """Whether it is compared with a date that is made of its parts, or with what the query calls such a date."""
    compared = literal.find_ancestor(exp.Between, exp.In, exp.Binary)
    select = literal.find_ancestor(exp.Select)
    if compared is None or select is None or isinstance(compared, exp.Connector):
        return False
    made = {one.alias.lower() for one in select.expressions if isinstance(one, exp.Alias) and _makes_date(one)}
    return _makes_date(compared) or any(one.name.lower() in made for one in compared.find_all(exp.Column))


def _makes_date(one: exp.Expr) -> bool:
    return one.find(exp.DateFromParts) is not None
