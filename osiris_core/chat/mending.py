"""Repairs of a small model's query that need no model: each is the only thing that the query can have meant.

A value is written as the data writes it; a condition on an aggregate or a window stands where SQL allows one; rows are
grouped by what is selected beside aggregates; a function that another dialect has is written in DuckDB's. Whatever was
changed is said, so that the person sees it among the assumptions.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from osiris_core.chat.catalog import Sources
from osiris_core.chat.dating import dated
from osiris_core.chat.grounding import DIALECT, is_beyond, is_said, parsed, strange_names
from osiris_core.chat.heeding import heed
from osiris_core.chat.joining import (
    has_column,
    joined_tables,
    named_tables,
    needless_joins,
    own_columns,
    own_tables,
    told_once,
)
from osiris_core.chat.linking import links
from osiris_core.chat.spelling import moved, spelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from osiris_core.chat.linking import Link

_NUMBER_OF: Final = re.compile(r"\b(?:numbers?|counts?)\b|\bhow\s+many\b", re.IGNORECASE)
_EMPTY: Final = frozenset({"number", "no", "id", "code", "value", "the", "of"})
"""Words that a small model adds to a column's name."""
_OTHERS: Final = ("mysql", "postgres", "sqlite", "snowflake", "bigquery", "tsql")


@attrs.frozen(kw_only=True)
class Mended:
    """A query, and in sentences what is other than in the one that was given."""

    sql: str
    notes: tuple[str, ...] = ()


def mend(sql: str, sources: Sources, meant: Sequence[Link] = (), wish: str = "") -> Mended:
    """``sql`` as it must have been meant, ``meant`` being the columns that words of the ``wish`` mean; what cannot be
    read is left as it is.
    """
    query = _stored(sql)
    tree, notes = _read(query or sql)
    if tree is None:
        return Mended(sql=sql)
    if query is not None:
        notes.append("Of a statement that stores rows its query is taken; where they go follows from the wish.")
    notes += _named(tree, sources, meant)
    notes += _counted(tree, sources, wish)
    for select in tree.find_all(exp.Select):
        notes += named_tables(select, tree, sources)
        notes += joined_tables(select, sources, meant)
        notes += _owned(select, sources, meant)
        notes += needless_joins(select, sources, wish)
    notes += dated(tree, sources, wish)
    notes += _around(tree)
    notes += _invented(tree, sources, wish)
    notes += _percent(tree)
    for select in tree.find_all(exp.Select):
        notes += [note for repair in (_placed, _grouped, _ranked) for note in repair(select)]
    notes += spelled(tree, sources)
    notes += moved(tree, sources)
    notes += heed(tree, wish, sources)
    notes += told_once(tree, wish)
    return Mended(sql=tree.sql(dialect=DIALECT), notes=tuple(dict.fromkeys(notes))) if notes else Mended(sql=sql)


def _stored(sql: str) -> str | None:
    """The query of a statement that stores what it gives (``INSERT INTO t SELECT …``); None for any other."""
    try:
        statement = sqlglot.parse_one(sql, dialect=DIALECT)
    except (SqlglotError, RecursionError):
        return None
    query = statement.expression if isinstance(statement, exp.Insert | exp.Create) else None
    if not isinstance(query, exp.Select):
        return None
    columns = statement.this.expressions if isinstance(statement.this, exp.Schema) else ()
    for column, one in zip(columns, list(query.expressions), strict=False):
        if column.name and column.name.lower() != one.alias_or_name.lower():
            one.replace(exp.alias_(one.unalias().copy(), column.name))
    return query.sql(dialect=DIALECT)


def _read(sql: str) -> tuple[exp.Expr | None, list[str]]:
    """The query's tree; in the first other dialect that knows every function of it, where DuckDB's does not."""
    tree = parsed(sql)
    unknown = None if tree is None else {one.name.lower() for one in tree.find_all(exp.Anonymous)}
    if unknown == set():
        return tree, []
    for dialect in _OTHERS:
        other = parsed(sql, dialect)
        if other is None or (unknown and unknown & {one.name.lower() for one in other.find_all(exp.Anonymous)}):
            continue
        written = parsed(other.sql(dialect=DIALECT), DIALECT)
        if written is not None:
            named = f"{', '.join(sorted(unknown))} is" if unknown else "The query was"
            return written, [f"{named} written in the dialect {dialect}, and translated into DuckDB's."]
    return tree, []


def _named(tree: exp.Expr, sources: Sources, meant: Sequence[Link]) -> Iterator[str]:
    """A name that nothing has is the column which that word of the wish means."""
    strange = strange_names(tree, sources)
    said: set[str] = set()
    for column in [one for one in tree.find_all(exp.Column) if one.name.lower() in strange]:
        select = column.find_ancestor(exp.Select)
        tables = {} if select is None else {one.name: one for one in own_tables(select, sources).values()}
        name = column.name.lower()
        own = links(name.replace("_", " "), Sources(described=tuple(tables.values())))
        found = [one for one in (*meant, *own) if one.table in tables and not one.value and _is_said(name, one.said)]
        if len({one.column for one in found}) != 1:
            continue
        made: exp.Expr = exp.column(found[0].column, table=column.table or None)
        said.add(f"'{column.name}' is the column {found[0].column} of {found[0].table}.")
        if isinstance(column.parent, exp.Select):
            made = exp.alias_(made, column.name)
        column.replace(made)
    yield from sorted(said)


def _owned(select: exp.Select, sources: Sources, meant: Sequence[Link]) -> Iterator[str]:
    """A column is of the table that has it: where it is said to be of another one; and where several have it, of the
    one that the wish means, else of the first.
    """
    joins = select.args.get("joins") or ()
    shared = {name.name.lower() for join in joins for name in join.args.get("using") or ()}
    shared |= {"*"} if any(join.args.get("method") == "NATURAL" for join in joins) else set()
    tables = own_tables(select, sources)
    if len(tables) < 2 or "*" in shared:
        return
    outputs = {one.alias.lower() for one in select.expressions if isinstance(one, exp.Alias)}
    said: set[str] = set()
    for column in own_columns(select):
        name, before = column.name.lower(), column.table.lower()
        owners = [alias for alias, source in tables.items() if has_column(source, name)]
        wrong = before in tables and before not in owners and len(owners) == 1
        rivals = not column.table and len(owners) > 1 and name not in shared
        if not wrong and (not rivals or (name in outputs and column.find_ancestor(exp.Order, exp.Group))):
            continue
        linked = [
            alias for alias in owners for one in meant if tables[alias].name == one.table and one.column.lower() == name
        ]
        owner = (linked or owners)[0]
        column.set("table", exp.to_identifier(owner))
        said.add(f"'{column.name}' is that of {tables[owner].name}.")
    yield from sorted(said)


def _counted(tree: exp.Expr, sources: Sources, wish: str) -> Iterator[str]:
    """A table's own name among what is selected of it is the number of its rows, where the wish asks for one."""
    if not isinstance(tree, exp.Select) or not _NUMBER_OF.search(wish):
        return
    tables = own_tables(tree, sources)
    for one in list(tree.expressions):
        column = one.unalias()
        source = tables.get(column.name.lower()) if isinstance(column, exp.Column) and not column.table else None
        if source is not None and not any(has_column(other, column.name) for other in tables.values()):
            one.replace(exp.alias_(exp.Count(this=exp.Star()), one.alias_or_name))
            yield f"'{column.name}' is the number of rows of {source.name}."


def _is_said(name: str, said: str) -> bool:
    """Whether the name is these words, with or without a word that tells nothing: ``flight_number``."""
    words = [word for word in name.split("_") if word not in _EMPTY] or name.split("_")
    return " ".join(words) in (said, said.removesuffix("s")) or name.replace("_", " ") == said


def _around(tree: exp.Expr) -> Iterator[str]:
    """``hour >= 22 AND hour < 6`` holds for nothing; what is meant goes over the end of the day."""
    for top in [one for one in tree.find_all(exp.And) if not isinstance(one.parent, exp.And)]:
        parts = list(top.flatten())
        for least in [one for one in parts if isinstance(one, exp.GTE | exp.GT)]:
            most = next((one for one in parts if isinstance(one, exp.LT | exp.LTE) and one.this == least.this), None)
            if most is None or not _crossed(least.expression, most.expression):
                continue
            either = exp.paren(exp.or_(least.copy(), most.copy(), wrap=False))
            parts = [either if one is least else one for one in parts if one is not most]
            said = f"{least.sql(dialect=DIALECT)} and {most.sql(dialect=DIALECT)}"
            top.replace(exp.and_(*parts, wrap=False) if len(parts) > 1 else either)
            yield f"Nothing is {said}; one of the two is meant."
            break


def _crossed(least: exp.Expr, most: exp.Expr) -> bool:
    numbers = [float(one.name) for one in (least, most) if isinstance(one, exp.Literal) and not one.is_string]
    return len(numbers) == 2 and numbers[0] > numbers[1]


def _invented(tree: exp.Expr, sources: Sources, wish: str) -> Iterator[str]:
    """A condition that nothing meets, for a number which the wish does not say, is left out: ``year = 2021``."""
    for where in list(tree.find_all(exp.Where)):
        parts = list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]
        left = [one for one in parts if is_beyond(one, tree, sources) and not is_said(one, wish)]
        if not left:
            continue
        kept = [one for one in parts if one not in left]
        said = " and ".join(one.sql(dialect=DIALECT) for one in left)
        if kept:
            where.set("this", exp.and_(*kept))
        else:
            where.pop()
        yield f"The condition {said}, which nothing meets and the wish does not name, is left out."


def _percent(tree: exp.Expr) -> Iterator[str]:
    """A hundred times a share that is in percent already is that share: ``100.0 * a / b * 100``."""
    for outer in [one for one in tree.find_all(exp.Mul) if _is_hundred(one.expression)]:
        share = outer.this
        if isinstance(share, exp.Div) and isinstance(share.this, exp.Mul) and _is_hundred(share.this.this):
            outer.replace(share)
            yield "A share in percent is not multiplied by 100 again."


def _is_hundred(one: exp.Expr) -> bool:
    return isinstance(one, exp.Literal) and not one.is_string and float(one.name) == 100.0


def _placed(select: exp.Select) -> Iterator[str]:
    """Conditions on aggregates go into HAVING, those on windows into QUALIFY."""
    where = select.args.get("where")
    if where is None:
        return
    kept, having, qualify = [], [], []
    for one in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        if _own(one, exp.Window):
            qualify.append(one)
        elif _own(one, exp.AggFunc):
            having.append(one)
        else:
            kept.append(one)
    if not having and not qualify:
        return
    select.set("where", exp.Where(this=exp.and_(*kept)) if kept else None)
    for clause, kind, found in (("having", exp.Having, having), ("qualify", exp.Qualify, qualify)):
        if found:
            there = select.args.get(clause)
            select.set(clause, kind(this=exp.and_(*([there.this] if there else []), *found)))
            said = " and ".join(one.sql(dialect=DIALECT) for one in found)
            yield f"The condition {said} stands in {clause.upper()}."


def _grouped(select: exp.Select) -> Iterator[str]:
    """Rows are grouped by all that is selected beside aggregates, where something is missing."""
    aggregates = [one for one in select.expressions if _own(one, exp.AggFunc, windows=False)]
    plain = [one for one in select.expressions if one not in aggregates and any(one.find_all(exp.Column))]
    plain = [one for one in plain if not one.find(exp.Window) or any(_outside(one))]
    group = select.args.get("group")
    if not aggregates or not plain or (group is not None and (group.args.get("all") or not _lacks(group, plain))):
        return
    select.set("group", exp.Group(all=True))
    yield f"Rows are grouped by {', '.join(one.alias_or_name or one.sql(dialect=DIALECT) for one in plain)}."


def _ranked(select: exp.Select) -> Iterator[str]:
    """A limit on all rows where they are ranked within groups is meant of each group."""
    limit = select.args.get("limit")
    if not isinstance(limit, exp.Limit) or select.args.get("qualify") is not None:
        return
    for one in select.expressions:
        window = one.this if isinstance(one, exp.Alias) else None
        if not isinstance(window, exp.Window) or not isinstance(window.this, exp.RowNumber | exp.Rank | exp.DenseRank):
            continue
        if window.args.get("partition_by") and isinstance(limit.expression, exp.Literal):
            condition = exp.LTE(this=exp.column(one.alias), expression=limit.expression.copy())
            select.set("qualify", exp.Qualify(this=condition))
            select.set("limit", None)
            groups = ", ".join(part.sql(dialect=DIALECT) for part in window.args["partition_by"])
            yield f"The first {limit.expression.name} are those of each {groups}."
            return


def _outside(one: exp.Expr) -> Iterator[exp.Column]:
    return (column for column in one.find_all(exp.Column) if column.find_ancestor(exp.Window) is None)


def _lacks(group: exp.Group, plain: list[exp.Expr]) -> bool:
    """Whether a column that is selected as it is is not among those that are grouped by."""
    by = list(group.expressions)
    if (
        not by
        or any(isinstance(one, exp.Literal) for one in by)
        or any(key for key in group.args if key not in ("expressions", "all") and group.args[key])
    ):
        return False
    named = {one.name.lower() for one in by if isinstance(one, exp.Column)}
    return any(
        isinstance(one.unalias(), exp.Column) and not {one.unalias().name.lower(), one.alias.lower()} & named
        for one in plain
    )


def _own(one: exp.Expr, kind: type[exp.Expr], *, windows: bool = True) -> bool:
    """Whether there is such a node in it and not in a query within it; with ``windows`` false, not of a window."""
    start = one.find_ancestor(exp.Select)
    for found in one.find_all(kind):
        if found.find_ancestor(exp.Select) is not start:
            continue
        if (
            windows
            or not isinstance(found.parent, exp.Window | exp.Filter)
            or (isinstance(found.parent, exp.Filter) and not isinstance(found.parent.parent, exp.Window))
        ):
            return True
    return False
