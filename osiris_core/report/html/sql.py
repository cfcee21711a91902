"""SQL in colours: a query cut into pieces of one kind each, for a reader's eye only.

Lexical, forgiving and linear: nothing is parsed, text that is no SQL comes back as it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.report.html.text import cut

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SQL: Final = 20_000

_TOKEN: Final = re.compile(
    r"""
    (?P<comment> --[^\n]*+ | /\*(?:[^*]|\*(?!/))*+(?:\*/)? )
  | (?P<string>  '(?:[^']|'')*+'? )
  | (?P<name>    "(?:[^"]|"")*+"? | `[^`]*+`? )
  | (?P<number>  \b\d[\d_]*+(?:\.\d+)?(?:[eE][+-]?\d+)?\b )
  | (?P<param>   (?<![:\w])[:$]\w++ )
  | (?P<word>    [^\W\d]\w*+ )
  | (?P<rest>    \s++ | . )
    """,
    re.VERBOSE | re.DOTALL,
)

_KEYWORDS: Final = frozenset(
    re.findall(
        r"\w+",
        """
    all and anti any array as asc asof at between both by case cast coalesce collate create cross current date day desc
    distinct else end except exclude exists extract false fetch filter first following for from full group grouping
    having ilike in inner intersect interval into is join last lateral leading left like limit materialized natural not
    null nullif nulls offset on only or order outer over partition percent pivot positional preceding qualify range
    recursive replace right rollup row rows sample select semi sets similar some struct table then ties time timestamp
    to trailing true try_cast unbounded union unnest unpivot using values when where window with within year month
    """,
    )
)


@attrs.frozen
class Piece:
    """A stretch of a query; ``kind``: ``comment string name number param keyword function text``."""

    kind: str
    text: str


def pieces(query: str) -> Iterator[Piece]:
    """``query`` in pieces that make it up again, cut at 20,000 characters with a mark."""
    query = cut(query, MAX_SQL)
    plain = ""
    for match in _TOKEN.finditer(query):
        kind = _kind(match, query)
        if kind == "text":
            plain += match.group()
            continue
        if plain:
            yield Piece("text", plain)
            plain = ""
        yield Piece(kind, match.group())
    if plain:
        yield Piece("text", plain)


def _kind(match: re.Match[str], query: str) -> str:
    group = match.lastgroup or "rest"
    if group == "word":
        if match.group().lower() in _KEYWORDS:
            return "keyword"
        return "function" if query[match.end() : match.end() + 1] == "(" else "text"
    return "text" if group == "rest" else group
