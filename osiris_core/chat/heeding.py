"""What a wish says so plainly that a query which leaves it out can be mended without a model: how many decimals, the
best of each group instead of the best of all, no other group than those that are named, no row that lacks something.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from osiris_core.chat.grounding import DIALECT, is_named
from osiris_core.chat.joining import has_column, own_tables
from osiris_core.chat.linking import links
from osiris_core.chat.wording import IGNORED, NUMBERS, OF_EACH, TIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.chat.catalog import Sources

_DECIMALS: Final = re.compile(rf"\b(?P<number>\d|{'|'.join(NUMBERS)})\s+decimals?\b", re.IGNORECASE)
_GROUP: Final = re.compile(r"\b(?:each|every|per)\s+(?P<group>[^,.;:()]+)", re.IGNORECASE)
_OF_EACH: Final = re.compile(OF_EACH, re.IGNORECASE)
_TIES: Final = re.compile(TIES, re.IGNORECASE)
_LACKING: Final = re.compile(rf"{IGNORED}(?P<what>[^.,;]+)", re.IGNORECASE)
_EXCEPT: Final = re.compile(r"\b(?:not|never|keep|kept|includ\w*|but|except)\b|n['’]t\b", re.IGNORECASE)
"""What makes of a sentence about what is to be ignored one that this does not understand."""
_OF_NONE: Final = re.compile(r"\b(?:no|none|unknown|missing|without|empty|null)\b", re.IGNORECASE)


def heed(tree: exp.Expr, wish: str, sources: Sources) -> list[str]:
    """Put into the query what ``wish`` says plainly; what was changed, in sentences."""
    if not isinstance(tree, exp.Select):
        return []
    return [
        *_only_named(tree, wish),
        *_best_of_each(tree, wish, sources),
        *_with_ties(tree, wish),
        *_rounded(tree, wish),
        *_without_gaps(tree, wish, sources),
        *_no_unknown_first(tree, wish, sources),
        *_told_once(tree, wish),
    ]


def _without_gaps(select: exp.Select, wish: str, sources: Sources) -> Iterator[str]:
    """Rows without something are left out where the wish says to ignore them."""
    sentences = [one for one in re.split(r"[.;]", wish) if not _EXCEPT.search(one)]
    match = next(filter(None, map(_LACKING.search, sentences)), None)
    if match is None or any(one.find(exp.Is) for one in select.find_all(exp.Not)):
        return
    what = match["what"].lower()
    meant = {one.column for one in links(what, sources) if one.value is None and what.startswith(one.said)}
    # A table that is joined from one side lacks rows, which is another thing than a row that lacks a value.
    joined = {join.this.alias_or_name.lower() for join in select.args.get("joins") or () if join.side}
    tables = {alias: one for alias, one in own_tables(select, sources).items() if alias not in joined}
    found = [(alias, column) for column in sorted(meant) for alias, one in tables.items() if has_column(one, column)]
    if len({column for _, column in found}) != 1:
        return
    alias, name = found[0]
    column = exp.column(name, table=alias if len(own_tables(select, sources)) > 1 else None)
    select.where(exp.not_(exp.Is(this=column, expression=exp.Null())), copy=False)
    yield f"Rows without {name} are left out."


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
        select.where(exp.not_(exp.Is(this=columns[0].copy(), expression=exp.Null())), copy=False)
        yield f"Rows without {name} are left out of the ranking."


def _told_once(select: exp.Select, wish: str) -> Iterator[str]:
    """Of two columns that a join makes the same, the one of the table that is joined is left out of the result, unless
    the wish names both, or something else in the query needs it there.
    """
    words = set(re.findall(r"\w+", wish.lower()))
    for join in select.args.get("joins") or ():
        pair = join.args.get("on")
        sides = (pair.this, pair.expression) if isinstance(pair, exp.EQ) else ()
        if (
            not sides
            or not all(isinstance(one, exp.Column) and one.table for one in sides)
            or join.side not in ("", "LEFT")
        ):
            continue
        told = [one for one in select.expressions if isinstance(one, exp.Column) and one in sides]
        own = [one for one in told if one.table.lower() == join.this.alias_or_name.lower()]
        if len(told) != 2 or len(own) != 1 or {one.name.lower() for one in told} <= words or _by_place(select):
            continue
        own[0].pop()
        yield f"{own[0].sql(dialect=DIALECT)} is left out: it is {pair.sql(dialect=DIALECT)}."


def _by_place(select: exp.Select) -> bool:
    """Whether columns of the result are called by their number."""
    clauses = [select.args[name] for name in ("group", "order") if select.args.get(name) is not None]
    keys = [one for clause in clauses for one in clause.expressions]
    return any(isinstance(one.this if isinstance(one, exp.Ordered) else one, exp.Literal) for one in keys)


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


def _rounded(select: exp.Select, wish: str) -> Iterator[str]:
    """Averages and shares have as many decimals as the wish says."""
    match = _DECIMALS.search(wish)
    if match is None:
        return
    word = match["number"].lower()
    digits = NUMBERS[word] if word in NUMBERS else int(word)
    for one in select.expressions:
        value = one.unalias()
        if isinstance(value, exp.Round) or not isinstance(value, exp.Avg | exp.Div | exp.Mul | exp.Window | exp.Filter):
            continue
        if value.find(exp.Avg, exp.Div) is None or value.find(exp.Round) is not None:
            continue
        name = one.alias_or_name
        rounded = exp.Round(this=value.copy(), decimals=exp.Literal.number(digits))
        one.replace(exp.alias_(rounded, name) if name else rounded)
        yield f"{name or value.sql(dialect=DIALECT)} has {word} decimal{'' if digits == 1 else 's'}."


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


def _group_of(select: exp.Select, wish: str, sources: Sources) -> exp.Expr | None:
    """The column of the result that the wish says ``each`` of: what its words mean, else the first that is a name."""
    match = _GROUP.search(wish)
    words = match["group"] if match else ""
    meant = {link.column.lower() for link in links(words, sources) if link.value is None}
    columns = [one.unalias() for one in select.expressions if isinstance(one.unalias(), exp.Column)]
    return next((one for one in columns if one.name.lower() in meant), columns[0] if columns else None)


def _only_named(select: exp.Select, wish: str) -> Iterator[str]:
    """Rows that are grouped by a column are not those of one group alone, unless the wish names it."""
    where, group = select.args.get("where"), select.args.get("group")
    if where is None or group is None:
        return
    grouped = {one.name.lower() for one in group.find_all(exp.Column)}
    parts = list(where.this.flatten()) if isinstance(where.this, exp.And) else [where.this]
    left = [one for one in parts if _is_unnamed(one, grouped, wish)]
    if not left:
        return
    kept = [one for one in parts if one not in left]
    if kept:
        where.set("this", exp.and_(*kept))
    else:
        where.pop()
    said = " and ".join(one.sql(dialect=DIALECT) for one in left)
    yield f"The condition {said}, which the wish does not name, is left out."


def _is_unnamed(one: exp.Expr, grouped: set[str], wish: str) -> bool:
    if not isinstance(one, exp.EQ) or not isinstance(one.this, exp.Column) or one.this.name.lower() not in grouped:
        return False
    text = one.expression
    return isinstance(text, exp.Literal) and text.is_string and not is_named(text.name, wish)
