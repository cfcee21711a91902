"""Named parameters and quoted identifiers in SQL text, found without parsing the statement.

``:name`` and ``$name`` are placeholders for bound values in every dialect Osiris speaks. One scanner serves the
validator (which names must ``query_params`` hold?) and the drivers (:func:`rewrite` to the marker their library wants).
It knows strings, quoted identifiers, dollar quotes and comments, and takes ``::`` casts, ``a[1:n]`` slices,
``{'key':value}`` and ``:=`` for what they are: a ``:name`` directly behind a letter, digit, quote or closing bracket is
no placeholder.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NAME: Final = r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
_NAMED: Final = rf"(?P<named>(?:(?<![\w:)\]}}\"'`]):|(?<![\w$])\$){_NAME})"
_DOLLAR: Final = r"(?P<dollar>\$\$.*?\$\$|(?<![\w$])\$(?P<tag>[A-Za-z_]\w*)\$.*?\$(?P=tag)\$)"

_STANDARD: Final = re.compile(
    r"(?P<string>(?<!\w)[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')"
    r'|(?P<identifier>"(?:[^"]|"")*")'
    r"|(?P<comment>--[^\n]*)|(?P<block>/\*)"
    rf"|{_DOLLAR}|(?P<other>::|:=)|{_NAMED}",
    re.DOTALL,
)
_MYSQL: Final = re.compile(
    r"(?P<string>'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\")"
    r"|(?P<identifier>`(?:[^`]|``)*`)"
    r"|(?P<comment>(?:--(?=\s|\Z)|\#)[^\n]*)|(?P<block>/\*)"
    rf"|(?P<other>:=)|{_NAMED}",
    re.DOTALL,
)
_BACKTICK_DIALECTS: Final = frozenset({"mysql", "doris", "starrocks"})
_NESTING: Final = re.compile(r"/\*|\*/")


@attrs.frozen
class Token:
    """A piece of SQL that matters here; ``kind`` is ``named`` or ``identifier``."""

    kind: str
    text: str
    start: int
    end: int


def tokens(sql: str, *, dialect: str = "duckdb") -> Iterator[Token]:
    """The placeholders and quoted identifiers of ``sql`` in order; ``text`` is the name, or the text within quotes."""
    backtick = dialect in _BACKTICK_DIALECTS
    pattern = _MYSQL if backtick else _STANDARD
    at = 0
    while match := pattern.search(sql, at):
        at = match.end()
        if match["block"]:
            at = _after_comment(sql, at, nested=not backtick)
        elif match["named"]:
            yield Token("named", match["name"], match.start(), match.end())
        elif match["identifier"]:
            yield Token("identifier", match["identifier"][1:-1], match.start(), match.end())


def placeholders(sql: str, *, dialect: str = "duckdb") -> tuple[str, ...]:
    """The names of the bound parameters in ``sql``, each once, in order of appearance."""
    return tuple(dict.fromkeys(token.text for token in tokens(sql, dialect=dialect) if token.kind == "named"))


def rewrite(sql: str, marker: Callable[[str], str], *, dialect: str = "duckdb") -> str:
    """``sql`` with every placeholder replaced by ``marker(name)``, such as ``$name`` or ``%(name)s``."""
    pieces: list[str] = []
    done = 0
    for token in tokens(sql, dialect=dialect):
        if token.kind == "named":
            pieces += (sql[done : token.start], marker(token.text))
            done = token.end
    return "".join((*pieces, sql[done:]))


def quote_identifier(name: str, *, dialect: str = "duckdb") -> str:
    """``name`` as a quoted identifier, its quotes doubled."""
    quote = "`" if dialect in _BACKTICK_DIALECTS else '"'
    return f"{quote}{name.replace(quote, quote * 2)}{quote}"


def _after_comment(sql: str, at: int, *, nested: bool) -> int:
    depth = 1
    while depth and (match := _NESTING.search(sql, at)):
        at = match.end()
        depth += -1 if match.group() == "*/" else int(nested)
    return at if depth == 0 else len(sql)
