"""The tables of a small model's query: columns of tables that it does not read, and names of tables that there are not.

A table that is needed is joined where discovery found how, and only there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from osiris_core.chat.grounding import DIALECT
from osiris_core.chat.linking import means

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from osiris_core.chat.catalog import Source, Sources
    from osiris_core.chat.linking import Link


def named_tables(select: exp.Select, tree: exp.Expr, sources: Sources) -> Iterator[str]:
    """A table's name before a column that no table of the query has is left out, or is that of the table that is meant:
    ``airline.name`` of ``airlines AS a``.
    """
    tables = own_tables(select, sources)
    if not tables:
        return
    known = {one.alias_or_name.lower() for one in tree.find_all(exp.Table, exp.Subquery, exp.CTE)}
    for column in own_columns(select):
        said = column.copy()
        if column.args.get("db") is not None:  # `f.flights.day`: a table's alias, and its name once more
            column.set("table", column.args["db"])
            column.set("db", None)
        before = column.table.lower()
        if before and before not in known:
            table = _meant(before, column.name, tables, sources)
            column.set("table", exp.to_identifier(table) if table else None)
        if column != said:
            yield f"'{said.sql(dialect=DIALECT)}' is meant as {column.sql(dialect=DIALECT)}."


def _meant(before: str, column: str, tables: Mapping[str, Source], sources: Sources) -> str | None:
    """The table that a name before ``column`` can only mean: one that is read and has the column, by its name if it can
    be; else one of that name which is not read; None when it means nothing.
    """
    holders = [alias for alias, source in tables.items() if has_column(source, column)]
    named = [alias for alias in holders if before in (tables[alias].name, tables[alias].name.removesuffix("s"))]
    if named or holders:
        return (named or holders)[0]
    other = sources.get(before) or sources.get(f"{before}s")
    return None if other is None else other.name


def joined_tables(select: exp.Select, sources: Sources, meant: Sequence[Link]) -> Iterator[str]:
    """A table whose column the query uses and that it does not read is joined, by what one of its tables refers to."""
    tables = own_tables(select, sources)
    read = list(select.find_all(exp.Table, exp.Subquery))
    if not tables or len(tables) != len([one for one in read if one.find_ancestor(exp.Select) is select]):
        return  # of a query within the query nothing is known
    outputs = {one.alias.lower() for one in select.expressions if isinstance(one, exp.Alias)}
    for column in own_columns(select):
        name, before = column.name.lower(), column.table.lower()
        if before in tables or any(has_column(source, name) for source in tables.values()):
            continue
        if not before and name in outputs:
            continue
        holders = [one for one in sources.described if has_column(one, name)]
        linked = [one for one in holders if before == one.name] or [
            one for one in holders if any(link.table == one.name and link.column.lower() == name for link in meant)
        ]
        found = linked or holders
        on = _relation(tables, found[0], sources) if len(found) == 1 else None
        if on is None:
            continue
        other = found[0].name
        select.join(exp.to_table(other), on=on, copy=False)
        tables[other] = found[0]
        column.set("table", exp.to_identifier(other))
        yield f"The table {other} is joined where {on.sql(dialect=DIALECT)}."


def needless_joins(select: exp.Select, sources: Sources, wish: str) -> Iterator[str]:
    """A table that is joined by one column, of which nothing else is told and of whose name the wish has no word, only
    loses rows or doubles them.
    """
    tables, words = own_tables(select, sources), re.findall(r"\w+", wish.lower())
    if not words or any(one.is_star for one in select.expressions):
        return
    for join in list(select.args.get("joins") or ()):
        alias, pair = join.this.alias_or_name.lower(), join.args.get("on")
        plain = not (join.side or join.args.get("method") or join.args.get("using")) and join.kind in ("", "INNER")
        sides = (pair.this, pair.expression) if isinstance(pair, exp.EQ) else ()
        if alias not in tables or not plain or not sides or not all(isinstance(one, exp.Column) for one in sides):
            continue
        if any(means(word, part) for word in words for part in tables[alias].name.lower().split("_")):
            continue
        own = set(map(id, sides))
        if any(id(one) not in own and _may_be_of(one, alias, tables) for one in select.find_all(exp.Column)):
            continue
        join.pop()
        yield f"The table {tables[alias].name}, of which nothing is told, is not joined."


def _may_be_of(column: exp.Column, alias: str, tables: Mapping[str, Source]) -> bool:
    """Whether a column is of the table with that alias, or could be of no other."""
    if column.table:
        return column.table.lower() == alias
    return [other for other, source in tables.items() if has_column(source, column.name)] == [alias]


def told_once(tree: exp.Expr, wish: str) -> Iterator[str]:
    """Of two columns that a join makes the same, the one of the table that is joined is left out of the result, unless
    the wish names both, or something else in the query needs it there.
    """
    if not isinstance(tree, exp.Select):
        return
    words = set(re.findall(r"\w+", wish.lower()))
    for join in tree.args.get("joins") or ():
        pair = join.args.get("on")
        sides = (pair.this, pair.expression) if isinstance(pair, exp.EQ) else ()
        if (
            not sides
            or not all(isinstance(one, exp.Column) and one.table for one in sides)
            or join.side not in ("", "LEFT")
        ):
            continue
        told = [one for one in tree.expressions if isinstance(one, exp.Column) and one in sides]
        own = [one for one in told if one.table.lower() == join.this.alias_or_name.lower()]
        if len(told) != 2 or len(own) != 1 or {one.name.lower() for one in told} <= words or _by_place(tree):
            continue
        own[0].pop()
        yield f"{own[0].sql(dialect=DIALECT)} is left out: it is {pair.sql(dialect=DIALECT)}."


def _by_place(select: exp.Select) -> bool:
    """Whether columns of the result are called by their number."""
    clauses = [select.args[name] for name in ("group", "order") if select.args.get(name) is not None]
    keys = [one for clause in clauses for one in clause.expressions]
    return any(isinstance(one.this if isinstance(one, exp.Ordered) else one, exp.Literal) for one in keys)


def without_null(select: exp.Select, column: exp.Expr) -> None:
    """Leave out the rows in which ``column`` is NULL."""
    select.where(exp.not_(exp.Is(this=column, expression=exp.Null())), copy=False)


def own_tables(select: exp.Select, sources: Sources) -> dict[str, Source]:
    """The tables that a SELECT reads itself, by the name that the query gives them."""
    found = {}
    for table in select.find_all(exp.Table):
        source = sources.get(table.name) if table.find_ancestor(exp.Select) is select else None
        if source is not None:
            found[table.alias_or_name.lower()] = source
    return found


def own_columns(select: exp.Select) -> list[exp.Column]:
    """The columns that stand in a SELECT and in no query within it."""
    return [one for one in select.find_all(exp.Column) if one.find_ancestor(exp.Select) is select]


def has_column(source: Source, name: str) -> bool:
    """Whether the table has a column of this name, whatever the case."""
    return name.lower() in map(str.lower, source.columns)


def _relation(tables: Mapping[str, Source], other: Source, sources: Sources) -> exp.Expr | None:
    """How ``other`` hangs together with one of ``tables``: the likeliest relation that is known."""
    found = []
    for alias, source in tables.items():
        own, theirs = source.found.table.name, other.found.table.name
        for connection, one in sources.relations:
            if connection not in (source.connection, other.connection):
                continue
            if (one.table, one.to_table) == (own, theirs):
                found.append((one.confidence, alias, one.columns, one.to_columns))
            elif (one.table, one.to_table) == (theirs, own):
                found.append((one.confidence, alias, one.to_columns, one.columns))
    if not found:
        return None
    _, alias, mine, its = max(found, key=lambda one: one[0])
    pairs = zip(mine, its, strict=True)
    return exp.and_(*(exp.column(a, table=alias).eq(exp.column(b, table=other.name)) for a, b in pairs))
