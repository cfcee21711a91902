"""What a wish says so plainly that a query which leaves it out can be mended without a model: how many decimals, no
other group than those that are named, no row that lacks something; and what it says of rankings (:mod:`.ranking`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from osiris_core.chat.grounding import DIALECT, is_named
from osiris_core.chat.joining import has_column, own_tables, without_null
from osiris_core.chat.linking import links
from osiris_core.chat.ranking import ranked
from osiris_core.chat.wording import IGNORED, NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osiris_core.chat.catalog import Sources

_DECIMALS: Final = re.compile(rf"\b(?P<number>\d|{'|'.join(NUMBERS)})\s+decimals?\b", re.IGNORECASE)
_LACKING: Final = re.compile(rf"{IGNORED}(?P<what>[^.,;]+)", re.IGNORECASE)
_EXCEPT: Final = re.compile(r"\b(?:not|never|keep|kept|includ\w*|but|except)\b|n['’]t\b", re.IGNORECASE)
"""What makes of a sentence about what is to be ignored one that this does not understand."""


def heed(tree: exp.Expr, wish: str, sources: Sources) -> list[str]:
    """Put into the query what ``wish`` says plainly; what was changed, in sentences."""
    if not isinstance(tree, exp.Select):
        return []
    return [
        *_only_named(tree, wish),
        *ranked(tree, wish, sources),
        *_rounded(tree, wish),
        *_without_gaps(tree, wish, sources),
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
    without_null(select, column)
    yield f"Rows without {name} are left out."


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
