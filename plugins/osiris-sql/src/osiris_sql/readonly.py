"""The first of the fences around extract SQL: a parse that lets one plain query through and nothing else.

What is parsed must be what the server runs. So comments go first, by the server's own rules: some servers run what
stands in a comment, and where one begins differs. What is sent is the text without them. The other fences (a statement
prepared by the server, a read-only transaction, time limits, the account's rights) are the plugins' own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs
import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MOST_BYTES: Final = 64 * 1024
"""Longer SQL is refused: a parse takes seconds beyond it."""

_FORBIDDEN: Final = (
    exp.Into,
    exp.Lock,
    exp.DML,
    exp.DDL,
    exp.Command,
    exp.Set,
    exp.Copy,
    exp.Parameter,
    exp.PropertyEQ,
    exp.NextValueFor,
    exp.Hint,
)
_SAID: Final = {
    exp.Into: "INTO",
    exp.Lock: "a locking clause",
    exp.Parameter: "a session variable",
    exp.PropertyEQ: "an assignment ':='",
    exp.NextValueFor: "NEXT VALUE FOR",
    exp.Hint: "an optimizer hint",
}
_RESERVED: Final = """
    all and as between binary by case char decimal distinct div double else except exists float from having in index
    inner intersect into is join key like limit match mod not numeric on or over partition regexp rlike select
    straight_join then union using values varchar when where xor
"""
_SYNTAX: Final = frozenset(_RESERVED.split())
"""Words before a parenthesis that call nothing: both servers reserve them, so no function has such a name unquoted."""
_BEFORE_QUERY: Final = frozenset({"any", "some", "lateral"})
"""Words that call nothing where a query follows: the argument of a function must stand in parentheses of its own."""
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FIRST: Final = frozenset({"select", "with", "values", "("})

_WORD: Final = r"A-Za-z0-9_\x80-\U0010ffff"
"""What names are made of for the servers, which take every character beyond ASCII for a letter."""

_MYSQL: Final = re.compile(
    r"(?P<keep>'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`(?:[^`]|``)*`)"
    r"|(?P<line>--(?=[ \t\r\n]|\Z)[^\n]*|\#[^\n]*)"
    r"|(?P<run>/\*M?[!+])|(?P<block>/\*.*?\*/)"
    r"|(?P<minus>--)|(?P<open>/\*|['\"`])",
    re.DOTALL,
)
_POSTGRES: Final = re.compile(
    rf"(?P<keep>(?P<escaped>(?<![{_WORD}$])[eE]'(?:[^'\\]|\\.|'')*')|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\""
    rf"|(?<![{_WORD}$])\$(?P<tag>(?:(?![0-9])[{_WORD}]+)?)\$.*?\$(?P=tag)\$)"
    r"|(?P<line>--[^\n\r]*)|(?P<nested>/\*)|(?P<open>['\"])",
    re.DOTALL,
)
_WHERE: Final = re.compile(r"Line \d+, Col: \d+")
_DUMP: Final = re.compile(r"\s*(?:for|but got)?\s*<(?:class '|Token )")
_CONTINUED: Final = re.compile(r"(?:\s|--[^\n\r]*|/\*.*?\*/)*'", re.DOTALL)
_NESTING: Final = re.compile(r"/\*|\*/")


class Refused(Exception):
    """SQL that is no plain read; the text says why, for a message."""


@attrs.frozen(kw_only=True)
class Rules:
    """What a plugin lets through. ``dialect`` is ``mysql`` or ``postgres``.

    ``denied`` are names of functions that are refused wherever they are called, whoever allows them. ``allowed`` are
    those let through, and no other: a name that the parser knows may be a stored function on this server. None lets
    every name through, for a plugin that looks names up (:attr:`Query.calls`). ``qualified`` says whether
    ``schema.function(…)`` is let through at all.
    """

    dialect: str
    denied: frozenset[str]
    allowed: frozenset[str] | None = None
    qualified: bool = False


@attrs.frozen(kw_only=True)
class Query:
    """A query that passed. ``sql`` is what to send: its text without comments and final semicolons. ``calls`` are the
    names before a parenthesis, with their schema: every function that is called, and some words that are none.
    ``dotted`` are the names that stand with what qualifies them, part by part as written, but for those of functions;
    ``variables`` are the variables of MySQL's servers (``@@name``), in lower case and without their scope. Both are of
    the text, not of the tree: where the parser takes a table for something else, it is among them all the same.
    """

    sql: str
    tree: exp.Query
    calls: frozenset[str]
    dotted: frozenset[tuple[str, ...]]
    variables: frozenset[str]


def read_only(sql: str, rules: Rules, *, also: Collection[str] = ()) -> Query:
    """``sql`` as a query that only reads, or :class:`Refused`. ``also`` are function names that a person allowed,
    ``schema.name`` for one of a schema.
    """
    try:
        size = len(sql.encode())
    except UnicodeEncodeError as error:
        raise Refused("it holds half a character") from error
    if size > MOST_BYTES:
        raise Refused(f"it is longer than {MOST_BYTES // 1024} KB")
    if _CONTROL.search(sql):
        raise Refused("it holds control characters")
    text = without_comments(sql, rules.dialect)
    try:
        tokens = sqlglot.tokenize(text, dialect=rules.dialect)
        text, tokens = _one_statement(text, tokens)
        trees = sqlglot.parse(text, dialect=rules.dialect)
    except SqlglotError as error:
        raise Refused(f"it cannot be parsed: {_first_line(error)}") from error
    except RecursionError as error:
        raise Refused("it is nested too deeply") from error
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Query):
        raise Refused("it is not one SELECT")
    names = frozenset(name.casefold() for name in also)
    calls = frozenset(_calls(tokens))
    _check_calls(calls, rules)
    if rules.allowed is not None:
        for name in _called(tokens):
            _check_name(name, rules, names)
    _check_nodes(tree, rules, names)
    dotted = frozenset(_dotted(tokens))
    return Query(sql=text, tree=tree, calls=calls, dotted=dotted, variables=frozenset(_variables(tokens)))


def check_condition(sql: str, dialect: str) -> None:
    """Raise :class:`Refused` unless ``sql`` can stand between parentheses as one whole; what it does is checked with
    the query that it becomes part of.
    """
    text = without_comments(sql, dialect)
    try:
        tokens = sqlglot.tokenize(text, dialect=dialect)
    except SqlglotError as error:
        raise Refused(f"it cannot be parsed: {_first_line(error)}") from error
    depth = 0
    for token in tokens:
        depth += (token.token_type == TokenType.L_PAREN) - (token.token_type == TokenType.R_PAREN)
        if depth < 0 or token.token_type == TokenType.SEMICOLON:
            break
    if depth or not tokens or any(token.token_type == TokenType.SEMICOLON for token in tokens):
        raise Refused("it is not one condition")


def without_comments(sql: str, dialect: str) -> str:
    """``sql`` with a space for each comment, by the server's own rules of where one begins and ends.

    Refuses comments that the server runs, and text whose end lies within a string or comment.
    """
    pattern = _MYSQL if dialect == "mysql" else _POSTGRES
    pieces: list[str] = []
    at = 0
    while match := pattern.search(sql, at):
        groups = match.groupdict()
        if groups.get("run"):
            raise Refused("it holds a comment that the server runs ('/*!', '/*M!' or '/*+')")
        if groups.get("minus"):
            raise Refused("'--' begins a comment only before a space; write '- -' for two minus signs")
        if groups["open"]:
            raise Refused(f"a {match.group()} is not closed")
        if groups.get("escaped"):
            _refuse_continued(sql, match.end())
        _refuse_spaces(sql[at : match.start()])
        keep = bool(groups["keep"])
        pieces += (sql[at : match.end() if keep else match.start()], "" if keep else " ")
        at = _nested_end(sql, match.end()) if groups.get("nested") else match.end()
    _refuse_spaces(sql[at:])
    return "".join((*pieces, sql[at:]))


def _refuse_spaces(text: str) -> None:
    """Refuse, outside of strings, what is a space to the parser and a letter to the servers."""
    for character in text:
        if character > "\x7f" and character.isspace():
            raise Refused(f"it holds the character U+{ord(character):04X}, which is no space to the server")


def _refuse_continued(sql: str, at: int) -> None:
    """Refuse a string that goes on in the next line, in which PostgreSQL still takes backslashes for escapes."""
    if (found := _CONTINUED.match(sql, at)) is not None and "\n" in found.group().replace("\r", "\n"):
        raise Refused("it has a string E'…' that goes on in another line")


def _nested_end(sql: str, at: int) -> int:
    depth = 1
    while depth:
        match = _NESTING.search(sql, at)
        if match is None:
            raise Refused("a comment is not closed")
        depth += 1 if match.group() == "/*" else -1
        at = match.end()
    return at


def _one_statement(text: str, tokens: list[Token]) -> tuple[str, list[Token]]:
    """The text up to its final semicolons, and its tokens."""
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        text = text[: tokens[-1].start]
        tokens = tokens[:-1]
    if not tokens:
        raise Refused("it is empty")
    if any(token.token_type == TokenType.SEMICOLON for token in tokens):
        raise Refused("it is more than one statement")
    if tokens[0].text.casefold() not in _FIRST:
        raise Refused(f"it begins with {tokens[0].text[:40]!r}, and only SELECT, WITH and VALUES read")
    return text.strip(), tokens


def _dotted(tokens: list[Token]) -> Iterator[tuple[str, ...]]:
    """The names of more than one part, but for those before a parenthesis."""
    at = 0
    while at < len(tokens):
        end = _dotted_end(tokens, at)
        if end > at and tokens[min(end + 1, len(tokens) - 1)].token_type != TokenType.L_PAREN:
            yield tuple(token.text for token in tokens[at : end + 1 : 2])
        at = end + 1


def _dotted_end(tokens: list[Token], at: int) -> int:
    """The last part of the name whose first one is ``at``."""
    while at + 2 < len(tokens) and tokens[at + 1].token_type == TokenType.DOT:
        at += 2
    return at


def _variables(tokens: list[Token]) -> Iterator[str]:
    """The names after '@@', the last part of each."""
    for at, token in enumerate(tokens[:-1], start=1):
        if token.token_type == TokenType.SESSION_PARAMETER:
            yield tokens[_dotted_end(tokens, at)].text.casefold()


def _calls(tokens: list[Token]) -> Iterator[str]:
    """The words before a parenthesis, in lower case, with what qualifies them."""
    for at, token in enumerate(tokens[:-1]):
        if tokens[at + 1].token_type == TokenType.L_PAREN and token.token_type not in (
            TokenType.STRING,
            TokenType.NUMBER,
        ):
            name = token.text
            before = at - 1
            while before > 0 and tokens[before].token_type == TokenType.DOT:
                name = f"{tokens[before - 1].text}.{name}"
                before -= 2
            yield name.casefold()


def _called(tokens: list[Token]) -> Iterator[str]:
    """The names of :func:`_calls` that may be functions; all but what the server's grammar takes for something else."""
    around: list[str] = []
    for at, token in enumerate(tokens):
        if token.token_type == TokenType.R_PAREN:
            around = around[:-1]
        if token.token_type != TokenType.L_PAREN:
            continue
        names = list(_calls(tokens[max(at - 5, 0) : at + 1])) if at else []
        word = _word(tokens[at - 1]) if at else ""
        if word and not _is_syntax(tokens, at, word, around[-1] if around else ""):
            yield names[-1]
        around.append(word)


def _word(token: Token) -> str:
    """The word that a token is or ends with, in lower case; empty for marks and values."""
    if token.token_type in (TokenType.STRING, TokenType.NUMBER) or not token.text:
        return ""
    if token.token_type == TokenType.IDENTIFIER:
        return token.text.casefold()
    return token.text.casefold().split()[-1] if re.search(r"[\w$]", token.text) else ""


def _is_syntax(tokens: list[Token], at: int, word: str, around: str) -> bool:
    """Whether the ``word`` before the parenthesis ``at``, which is within those of ``around``, calls nothing."""
    before = tokens[at - 2] if at > 1 else None
    # A quoted one is always a name, and so is one after a dot, if of a table.
    plain = tokens[at - 1].token_type != TokenType.IDENTIFIER
    if before is not None and before.token_type in (TokenType.R_PAREN, TokenType.STRING, TokenType.ALIAS):
        return True  # 'columns', 'against', or an alias or type: no expression begins here
    if plain and before is not None and before.token_type == TokenType.DOT:
        return False
    if plain and (word in _SYNTAX or (word == "of" and " " in tokens[at - 1].text)):
        return True
    if plain and word in _BEFORE_QUERY:
        return at + 1 < len(tokens) and tokens[at + 1].text.casefold() in ("select", "with", "values", "table")
    if around == "columns" or (around == "convert" and before is not None and before.token_type == TokenType.COMMA):
        return True  # a type
    return _names_query(tokens, at)


def _names_query(tokens: list[Token], at: int) -> bool:
    """Whether the parentheses from ``at`` list the columns of a query that WITH names."""
    depth = 0
    for end in range(at, len(tokens) - 2):
        kind = tokens[end].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if not depth:
            return tokens[end + 1].token_type == TokenType.ALIAS and tokens[end + 2].token_type == TokenType.L_PAREN
    return False


def _check_calls(calls: frozenset[str], rules: Rules) -> None:
    for name in sorted(calls):
        if name.rpartition(".")[2] in rules.denied:
            raise Refused(f"the function '{name}' does more than compute a value")


def _check_nodes(tree: exp.Query, rules: Rules, also: frozenset[str]) -> None:
    for node in tree.walk():
        if isinstance(node, _FORBIDDEN):
            said = next((text for kind, text in _SAID.items() if isinstance(node, kind)), type(node).__name__.upper())
            raise Refused(f"it holds {said}")
        if isinstance(node, exp.Func) and isinstance(node.parent, exp.Dot):
            _check_qualified(node.parent, node, rules, also)
        elif isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc)):
            _check_name(node.name.casefold(), rules, also)


def _check_qualified(dot: exp.Dot, function: exp.Func, rules: Rules, also: frozenset[str]) -> None:
    called = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
    name = f"{dot.this.name}.{called}".casefold()
    if not rules.qualified and name not in also:
        raise Refused(f"the function '{name}' is not known to be without side effects")


def _check_name(name: str, rules: Rules, also: frozenset[str]) -> None:
    if rules.allowed is not None and name not in rules.allowed and name not in also:
        raise Refused(f"the function '{name}' is not known to be without side effects")


def _first_line(error: Exception) -> str:
    """What the parser says, without its own objects, which mean nothing to who wrote the SQL."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    said, where, dump = text.split("\n")[0], _WHERE.search(text), _DUMP.search(text)
    if dump and where:
        said = f"{text[: dump.start()]}. {where.group()}"
    return said.rstrip(". ") + "."
