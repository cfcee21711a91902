"""Which columns the words of a wish mean, found without a model: what a small one does not find by itself.

``departure delay`` is ``dep_delay``, ``visibility`` is ``visib``, ``scheduled hour`` may be ``hour``: a column is meant
when the wish has, one after the other, a word for each part of its name, which it is, begins with, or is the plural of.
A value is meant when it stands in the wish as it stands in the data, but for the case.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from osiris_core.chat.catalog import Source, Sources

_WORD: Final = re.compile(r"[^\W_]+")
_PART: Final = re.compile(r"[A-Za-z]+|\d+")
_SHORTEST: Final = 3
"""A part of a name that is shorter has to be the word itself."""
_CUT: Final = 3
"""How many letters a name leaves out at least of a word that it shortens: ``lat`` is no ``late``."""
_LEAST: Final = 3
"""Values of fewer characters are not looked for when they are of small letters: they are words."""


@attrs.frozen(kw_only=True)
class Link:
    """The words ``said`` in the wish mean ``column`` of the table ``table``; with ``value``, that value of it."""

    said: str
    table: str
    column: str
    value: str | None = None


def links(wish: str, sources: Sources) -> tuple[Link, ...]:
    """What the wish means by its words, in their order; the same words may mean columns of several tables."""
    plain = [word.lower() for word in _WORD.findall(wish)]
    tables = {source.name for source in sources.described}
    found: list[tuple[int, int, Link]] = []
    for source in sources.described:
        for column in _telling(source):
            for at, length in _runs(plain, column):
                said = " ".join(plain[at : at + length])
                if said in tables:
                    continue
                found.append((at, length, Link(said=said, table=source.name, column=column)))
    longest = _longest(found)
    kept = [(at, link) for at, length, link in found if length == longest[at + length - 1]]
    kept += list(_values(wish, sources))
    kept += list(_codes(plain, sources))
    kept.sort(key=lambda one: one[0])
    return _of_few_tables(list(dict.fromkeys(link for _, link in kept)), plain)


def _telling(source: Source) -> Iterator[str]:
    """The columns but for those that hold the same value in every row: no wish is about one."""
    profile = source.found.profile
    whole = profile.columns if profile is not None and profile.basis == "full" else ()
    same = {one.name for one in whole if one.distinct == 1 and not one.nulls}
    yield from (one for one in source.columns if one not in same)


def _of_few_tables(found: Sequence[Link], words: Sequence[str]) -> tuple[Link, ...]:
    """Each word with the column of one table: of those that the wish names, or that have the most of its words. What
    means columns of several tables, of which the wish names none and has no other word, is left out.
    """
    said: dict[str, set[str]] = {}
    owners: dict[str, set[str]] = {}
    for link in found:
        said.setdefault(link.table, set()).add(link.said)
        owners.setdefault(link.said, set()).add(link.table)
    named = {table for table in said if _is_named(table, words)}
    order = sorted(said, key=lambda table: (table not in named, -len(said[table]), table))
    first: dict[tuple[str, bool], Link] = {}
    for table in order:
        for link in found:
            sure = table in named or len(owners[link.said]) == 1 or len(said[table]) > 1
            if link.table == table and sure:
                first.setdefault((link.said, link.value is None), link)
    kept = set(first.values())
    return tuple(link for link in found if link in kept)


def _longest(found: Sequence[tuple[int, int, Link]]) -> dict[int, int]:
    """By the place of its last word, the length of the longest run that ends there."""
    longest: dict[int, int] = {}
    for at, length, _ in found:
        end = at + length - 1
        longest[end] = max(length, longest.get(end, 0))
    return longest


def _runs(words: Sequence[str], column: str) -> Iterator[tuple[int, int]]:
    """Where the wish says a column's name, and in how many words."""
    parts = [part.lower() for part in _PART.findall(column)]
    if not parts:
        return
    for at in range(len(words) - len(parts) + 1):
        if len(parts) == 1 and at and words[at].endswith("s") and (words[at - 1].isdigit() or words[at - 1] == "in"):
            continue  # an amount: `12 hours`, `in minutes`
        if all(means(word, part) for word, part in zip(words[at:], parts, strict=False)):
            yield at, len(parts)
        elif len(parts) == 1 and at + 1 < len(words) and _joined(words[at], words[at + 1], parts[0]):
            yield at, 2


def means(word: str, part: str) -> bool:
    """Whether a word of a wish means a part of a name: it is that, its plural, or what it shortens."""
    singular = word[:-3] + "y" if word.endswith("ies") else word.removesuffix("s")
    if part in (word, singular):
        return True
    # A superlative is no name: `longest` is not `lon`.
    cut = word.startswith(part) and not word.endswith("est")
    return cut and len(part) >= _SHORTEST and len(word) >= len(part) + _CUT


def _joined(one: str, other: str, part: str) -> bool:
    """Whether two words make the name together, the second one cut: ``tail number`` and ``tailnum``."""
    rest = part.removeprefix(one)
    return len(one) >= _SHORTEST and rest not in ("", part) and len(rest) > 1 and other.startswith(rest)


def _values(wish: str, sources: Sources) -> Iterator[tuple[int, Link]]:
    for source in sources.described:
        profile = source.found.profile
        for column in profile.columns if profile else ():
            if column.withheld or not column.top:
                continue
            for value in (one.value for one in column.top):
                match = _said(value, wish)
                if match is not None:
                    link = Link(said=match.group(), table=source.name, column=column.name, value=value)
                    yield len(_WORD.findall(wish[: match.start()])), link


def _codes(words: Sequence[str], sources: Sources) -> Iterator[tuple[int, Link]]:
    """``code`` by itself is what other tables refer to a table of the wish by: ``faa`` of airports."""
    at = next((at for at, word in enumerate(words) if word in ("code", "codes")), None)
    if at is None or any(_has_column(word, sources) for word in words[max(at - 1, 0) : at + 1]):
        return  # a column of that name, or `carrier code`, where the code is the column before it
    for _, relation in sources.relations:
        source = next((one for one in sources.described if one.found.table.name == relation.to_table), None)
        if source is not None and len(relation.to_columns) == 1 and _is_named(source.name, words):
            yield at, Link(said=words[at], table=source.name, column=relation.to_columns[0])


def _has_column(word: str, sources: Sources) -> bool:
    return any(next(_runs([word], column), None) for one in sources.described for column in one.columns)


def _is_named(table: str, words: Sequence[str]) -> bool:
    return any(means(word, part) for word in words for part in (table, table.removesuffix("s")))


def _said(value: str, wish: str) -> re.Match[str] | None:
    if len(value) < _LEAST or not any(one.isalpha() for one in value):
        return None
    exact = value.isupper() and len(value) <= _LEAST
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", wish, 0 if exact else re.IGNORECASE)
