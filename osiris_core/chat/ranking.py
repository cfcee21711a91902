"""Rankings that a small model writes as a plain ``LIMIT``: the best of each group, all that share the last place, and
no place for rows of no group.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from osiris_core.chat.grounding import DIALECT
from osiris_core.chat.joining import own_tables, without_null
from osiris_core.chat.linking import links
from osiris_core.chat.wording import NUMBERS, OF_EACH, TIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.chat.catalog import Sources

_GROUP: Final = re.compile(r"\b(?:each|every|per)\s+(?P<group>[^,.;:()]+)", re.IGNORECASE)
_OF_EACH: Final = re.compile(OF_EACH, re.IGNORECASE)
_TIES: Final = re.compile(TIES, re.IGNORECASE)
_OF_NONE: Final = re.compile(r"\b(?:no|none|unknown|missing|without|empty|null)\b", re.IGNORECASE)


def ranked(select: exp.Select, wish: str, sources: Sources) -> Iterator[str]:
    """Rank as ``wish`` says; what was changed, in sentences."""
    yield from _best_of_each(select, wish, sources)
    yield from _no_unknown_first(select, wish, sources)
    yield from _with_ties(select, wish)


def _best_of_each(select: exp.Select, wish: str, sources: Sources) -> Iterator[str]:
    """``LIMIT n`` of all rows is the best n of each group where the wish says so."""
    limit, order = select.args.get("limit"), select.args.get("order")
    if limit is None or order is None or not _OF_EACH.search(wish) or select.find(exp.Window, exp.Qualify):
        return
    group = _group_of(select, wish, sources)
    if group is None or not isinstance(limit, exp.Limit):
        return
    ranked = exp.Window(this=exp.RowNumber(), partition_by=[group.copy()], order=order.copy())
    select.set("qualify", exp.Qualify(this=exp.LTE(this=ranked, expression=limit.expression.copy())))
    select.set("limit", None)
    select.set("order", None)
    yield f"The first {limit.expression.name} are those of each {group.sql(dialect=DIALECT)}."


def _group_of(select: exp.Select, wish: str, sources: Sources) -> exp.Expr | None:
    """The column of the result that the wish says ``each`` of: what its words mean, else the first that is a name."""
    match = _GROUP.search(wish)
    words = match["group"] if match else ""
    meant = {link.column.lower() for link in links(words, sources) if link.value is None}
    columns = [one.unalias() for one in select.expressions if isinstance(one.unalias(), exp.Column)]
    return next((one for one in columns if one.name.lower() in meant), columns[0] if columns else None)


def _with_ties(select: exp.Select, wish: str) -> Iterator[str]:
    """``LIMIT n`` cuts off what is as good as the last; where the wish keeps that, the rank is what counts."""
    limit, key = _whole_limit(select), _first_key(select)
    if limit is None or key is None or not _TIES.search(wish) or select.find(exp.Window):
        return
    first = select.args["order"].expressions[0].copy()
    first.set("this", key.copy())
    ranked = exp.Window(this=exp.Rank(), order=exp.Order(expressions=[first]))
    select.set("qualify", exp.Qualify(this=exp.LTE(this=ranked, expression=exp.Literal.number(limit))))
    select.set("limit", None)
    yield f"All that share place {limit} are kept."


def _no_unknown_first(select: exp.Select, wish: str, sources: Sources) -> Iterator[str]:
    """In a ranking of groups, of which the wish wants so many, the rows of no group are none."""
    tables, limit, key = own_tables(select, sources), _whole_limit(select), _first_key(select)
    if limit is None or key is None or key.find(exp.AggFunc) is None or select.args.get("group") is None:
        return
    said = {str(NUMBERS.get(word, word)) for word in re.findall(r"\w+", wish.lower())}
    columns = [one.unalias() for one in select.expressions if isinstance(one.unalias(), exp.Column)]
    if len(tables) != 1 or len(columns) != 1 or str(limit) not in said or _OF_NONE.search(wish) or select.find(exp.Is):
        return
    (source,) = tables.values()
    profile, name = source.found.profile, columns[0].name
    if any(one.name.lower() == name.lower() and one.nulls for one in (profile.columns if profile else ())):
        without_null(select, columns[0].copy())
        yield f"Rows without {name} are left out of the ranking."


def _whole_limit(select: exp.Select) -> int | None:
    """The number of rows that a query is cut off at, where that is all that is said."""
    limit = select.args.get("limit")
    if not isinstance(limit, exp.Limit) or limit.args.get("limit_options"):
        return None
    number = limit.expression
    if not isinstance(number, exp.Literal) or not number.name.isdigit():
        return None
    return None if select.args.get("offset") or select.args.get("distinct") else int(number.name)


def _first_key(select: exp.Select) -> exp.Expr | None:
    """What rows are ordered by first, an output's name or number put as what it is; None where that is no one value."""
    order = select.args.get("order")
    first: exp.Expr | None = order.expressions[0].this if order is not None and order.expressions else None
    if isinstance(first, exp.Literal):
        place = int(first.name) - 1 if first.name.isdigit() else -1
        placed: list[exp.Expr] = select.expressions[place : place + 1] if place >= 0 else []
        return placed[0].unalias() if placed else None
    if isinstance(first, exp.Column) and not first.table:
        outputs: dict[str, exp.Expr] = {
            one.alias.lower(): one.this for one in select.expressions if isinstance(one, exp.Alias)
        }
        return outputs.get(first.name.lower(), first)
    return None if isinstance(first, exp.Var) else first
