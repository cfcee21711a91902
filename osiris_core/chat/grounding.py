"""What a query refers to that is not there: names that nothing has, and values beyond all that a column holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from osiris_core.chat.wording import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from osiris_core.chat.catalog import Sources
    from osiris_core.chat.linking import Link
    from osiris_core.spec.catalog import ColumnProfile

DIALECT: Final = "duckdb"
_WORD: Final = re.compile(r"[^\W\d_]+")
_SHORTEST: Final = 3
_PARTS: Final = frozenset({"month", "day", "hour", "minute", "weekday", "quarter", "week"})
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")


def parsed(sql: str, dialect: str = DIALECT) -> exp.Expr | None:
    """The tree of a query; None when it is none in ``dialect``."""
    try:
        tree = sqlglot.parse_one(sql, dialect=dialect)
    except (SqlglotError, RecursionError):
        return None
    return tree if isinstance(tree, exp.Query) else None


def doubts(sql: str, wish: str, meant: Iterable[Link]) -> tuple[str, ...]:
    """What speaks against a query, a sentence each: columns and values that words of the wish mean and it does not use,
    and texts that it compares with although the wish does not say them.
    """
    tree = parsed(sql)
    if tree is None:
        return ()
    used = {one.name.lower() for one in tree.find_all(exp.Identifier)}
    # A word may be the name of what is computed, as in `minutes` of delay, and no column's.
    made = {one.alias.lower() for one in tree.find_all(exp.Alias) if not isinstance(one.this, exp.Column)}
    texts = {one.name.casefold() for one in tree.find_all(exp.Literal) if one.is_string}
    found = []
    for one in meant:
        if one.column.lower() not in used and (one.said not in made or one.value is not None):
            found.append(f"it does not use the column {one.column} of {one.table}")
        elif one.value is not None and one.value.casefold() not in texts:
            found.append(f"it does not look for {one.said} in {one.column}")
    compared = [literal.name for one in _compared(tree) for literal in one.find_all(exp.Literal) if literal.is_string]
    found += [f"the question does not say '{text}'" for text in compared if not is_named(text, wish)]
    # Not of date parts, which a wish names by words: Monday, the evening.
    unsaid = [one for one in _compared(tree) if list(_numbers(one)) and not is_said(one, wish)]
    unsaid = [one for one in unsaid if isinstance(one.this, exp.Column) and one.this.name.lower() not in _PARTS]
    found += [f"the question does not say {one.sql(dialect=DIALECT)}" for one in unsaid]
    return tuple(dict.fromkeys(found))


def is_named(text: str, wish: str) -> bool:
    """Whether a wish names a text: it says it, or a word that it shortens, as ``LGA`` does LaGuardia."""
    said, short = wish.casefold(), text.casefold()
    if short in said:
        return True
    return len(short) >= _SHORTEST and any(_shortens(short, word) for word in _WORD.findall(said))


def _shortens(short: str, word: str) -> bool:
    """Whether the letters are those of the word with some left out."""
    letters = iter(word)
    return len(word) > len(short) and all(letter in letters for letter in short)


def strangers(sql: str, sources: Sources) -> frozenset[str]:
    """The names in a query that no table, column, alias or query in it has."""
    tree = parsed(sql)
    return frozenset() if tree is None else strange_names(tree, sources)


def strange_names(tree: exp.Expr, sources: Sources) -> frozenset[str]:
    """The same of a tree."""
    known = {name.lower() for source in sources.described for name in (source.name, *source.columns)}
    known |= {one.alias.lower() for one in tree.find_all(exp.Alias, exp.CTE, exp.TableAlias, exp.Table, exp.Subquery)}
    known |= {one.name.lower() for alias in tree.find_all(exp.TableAlias) for one in alias.columns}
    return frozenset(
        one.name.lower()
        for one in tree.find_all(exp.Column, exp.Table)
        if not isinstance(one.this, exp.Star) and one.name and one.name.lower() not in known
    )


def beyond(sql: str, sources: Sources, wish: str) -> str | None:
    """Which column a query looks for values in that lie beyond all of it, in a sentence; None when there is none.

    Only for values that the wish says, where the whole column was looked at, and nothing that the column may hold is
    looked for beside.
    """
    tree = parsed(sql)
    if tree is None:
        return None
    looked: dict[str, list[bool]] = {}
    for one in _compared(tree):
        for what, outside in _looked_for(one, tree, sources):
            looked.setdefault(what, []).append(outside and is_said(one, wish))
    return next((what for what, outside in looked.items() if all(outside)), None)


def is_beyond(one: exp.Expr, tree: exp.Expr, sources: Sources) -> bool:
    """Whether a condition looks for numbers that lie beyond all that the column holds, whichever it is."""
    found = list(_looked_for(one, tree, sources)) if isinstance(one, exp.EQ | exp.In) else []
    return bool(found) and all(outside for _, outside in found)


def is_said(one: exp.Expr, wish: str) -> bool:
    """Whether the wish says a number that something is compared with."""
    words = set(_NUMBER.findall(wish)) | {str(NUMBERS[word]) for word in _WORD.findall(wish.lower()) if word in NUMBERS}
    return isinstance(one, exp.EQ | exp.In) and any(f"{value:g}" in words for value in _numbers(one))


def _looked_for(one: exp.EQ | exp.In, tree: exp.Expr, sources: Sources) -> Iterator[tuple[str, bool]]:
    """What the column that is compared may be, in a sentence, and whether all that is looked for lies beyond it."""
    column, values = one.this, list(_numbers(one))
    of_year = isinstance(column, exp.Year | exp.Extract)
    column = column.find(exp.Column) if of_year else column
    if not isinstance(column, exp.Column) or not values:
        return
    for table, profile in _profiles(tree, column, sources):
        ends = _ends(profile, of_year=of_year)
        if ends is not None:
            least, greatest = (f"{end:g}" for end in ends)
            held = f"{least} in all rows" if least == greatest else f"from {least} to {greatest}"
            outside = all(not ends[0] <= value <= ends[1] for value in values)
            yield f"'{profile.name}' of {table} is {held}", outside


def _compared(tree: exp.Expr) -> Iterator[exp.EQ | exp.In]:
    yield from tree.find_all(exp.EQ)
    yield from tree.find_all(exp.In)


def _numbers(one: exp.EQ | exp.In) -> Iterator[float]:
    """The numbers that something is compared with; nothing when it is compared with something else as well."""
    others = one.expressions if isinstance(one, exp.In) else [one.expression]
    if others and all(isinstance(other, exp.Literal) and not other.is_string for other in others):
        yield from (float(other.name) for other in others)


def _profiles(tree: exp.Expr, column: exp.Column, sources: Sources) -> Iterator[tuple[str, ColumnProfile]]:
    """The profiles of what the column may be, of tables that were looked at whole."""
    for table in tree.find_all(exp.Table):
        source = sources.get(table.name)
        if source is None or (column.table and column.table.lower() != table.alias_or_name.lower()):
            continue
        profile = source.found.profile
        if profile is not None and profile.basis == "full":
            yield from ((source.name, one) for one in profile.columns if one.name.lower() == column.name.lower())


def _ends(profile: ColumnProfile, *, of_year: bool) -> tuple[float, float] | None:
    if profile.withheld or profile.minimum is None or profile.maximum is None:
        return None
    least, greatest = (one[:4] if of_year else one for one in (profile.minimum, profile.maximum))
    try:
        return float(least), float(greatest)
    except ValueError:
        return None
