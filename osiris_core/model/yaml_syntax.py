"""What libyaml says about a mistake of syntax, in words that help the person who made it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.diagnostics import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Callable

    from yaml.error import MarkedYAMLError

    from osiris_core.diagnostics import Position

_CODE: Final = "OSR-YAML-001"
_LONGEST_SHOWN: Final = 60

_QUOTE = "put the value in quotes, or a longer text under 'key: |'"
_FIT = "compare its indentation with the lines above"
_AT_CONTEXT = "context"
_AT_PROBLEM = "problem"

# libyaml's problem -> (message, hint, where it is shown). {start} is where libyaml says the construct began.
_WORDS: Final[dict[str, tuple[str, str, str]]] = {
    "mapping values are not allowed in this context": (
        "a ':' that cannot start a value here",
        "check the indentation of this line and the one above; quote a text that contains ': '",
        _AT_PROBLEM,
    ),
    "could not find expected ':'": (
        "this line is neither 'key: value' nor part of the value above",
        "a key needs ': ' (colon and space) after it; lines of a longer text are indented deeper than their key",
        _AT_CONTEXT,
    ),
    "block sequence entries are not allowed in this context": (
        "a list item ('- ') that cannot start here",
        "start the list on the line after its key",
        _AT_PROBLEM,
    ),
    "mapping keys are not allowed in this context": ("a key ('? ') that cannot start here", _FIT, _AT_PROBLEM),
    "did not find expected key": (
        "this does not belong to the mapping that starts at {start}",
        _FIT,
        _AT_PROBLEM,
    ),
    "did not find expected '-' indicator": (
        "this does not belong to the list that starts at {start}",
        f"every item of that list starts with '- ' in the same column; {_FIT}",
        _AT_PROBLEM,
    ),
    "did not find expected ',' or ']'": (
        "a ',' or ']' is missing before this; the list starts at {start}",
        "close the list, or quote a text that starts with '['",
        _AT_PROBLEM,
    ),
    "did not find expected ',' or '}'": (
        "a ',' or '}}' is missing before this; the mapping starts at {start}",
        "close the mapping, or quote a text that starts with '{'",
        _AT_PROBLEM,
    ),
    "found unexpected end of stream": (
        "the quote that opens here is never closed",
        "close it; a quote inside a text is doubled ('it''s') or escaped (\"say \\\"hi\\\"\")",
        _AT_CONTEXT,
    ),
    "found unexpected document indicator": (
        "the quote that opens here is still open at the '---' or '...' below",
        "close the quote",
        _AT_CONTEXT,
    ),
    "found unknown escape character": (
        "a backslash before a character that needs none",
        "double the backslash (\"C:\\\\data\"), or use single quotes ('C:\\data')",
        _AT_PROBLEM,
    ),
    "did not find expected hexdecimal number": (
        "an escape with too few hexadecimal digits",
        "\\x takes 2 digits, \\u 4, \\U 8",
        _AT_PROBLEM,
    ),
    "found invalid Unicode character escape code": (
        "an escape that is no Unicode character",
        "write a character beyond U+FFFF as one escape: \\U0001F600",
        _AT_PROBLEM,
    ),
    "did not find expected node content": ("a value is missing here", _QUOTE, _AT_PROBLEM),
    "did not find expected <document start>": (
        "text after the end of the document",
        "one value stands at the top of a file, usually a mapping; check the indentation of this line",
        _AT_PROBLEM,
    ),
    "did not find expected comment or line break": (
        "text where the line must end",
        "after '|' or '>' the text starts on the next line",
        _AT_PROBLEM,
    ),
    "did not find expected alphabetic or numeric character": (
        "'*' and '&' start an alias or anchor, which have no name here and are not allowed",
        _QUOTE,
        _AT_CONTEXT,
    ),
    "found unknown directive name": (
        "an unknown directive",
        "remove the line, or quote a text that starts with '%'",
        _AT_CONTEXT,
    ),
    "found incompatible YAML document": ("a %YAML directive of another version", "remove the line", _AT_PROBLEM),
    "found undefined tag handle": ("a tag that nobody defined; tags are not allowed", _QUOTE, _AT_PROBLEM),
}

_TAB = re.compile(r"[ ]*\t")
_NO_SPACE = re.compile(r"(?P<lead>\s*(?:- +)*)(?P<key>[A-Za-z_][\w-]*):(?P<value>[^\s:/].*)")
_EXPECTED: Final = ("did not find expected key", "did not find expected ',' or ']'", "did not find expected ',' or '}'")
_EXPECTED_KEY: Final = ("did not find expected key", "did not find expected node content")
_LONGEST_KEY: Final = 1024
"""libyaml looks for the ':' of a key so far; YAML 1.2 demands no more (section 7.4)."""


def explain(error: MarkedYAMLError, text: str, at: Callable[[int], Position]) -> Diagnostic:
    """The finding for a mistake of syntax in ``text``; ``at`` gives the place of an offset."""
    offset, start = _offsets(error, len(text))
    place, begun = at(offset), at(start)
    problem = error.problem or "not valid YAML"
    return (
        _tab(place, at, offset)
        or _first_character(problem, place)
        or _missing_space(problem, place, begun, text, at)
        or _near(problem, place)
        or _in_words(error, problem, place, begun)
    )


def _offsets(error: MarkedYAMLError, end: int) -> tuple[int, int]:
    """Where the problem is and where the construct around it starts."""
    marks = [mark for mark in (error.problem_mark, error.context_mark) if mark is not None]
    offsets = [min(mark.index, end) for mark in marks] or [0]
    return offsets[0], offsets[-1]


def _found(message: str, place: Position, hint: str | None = None) -> Diagnostic:
    return Diagnostic(code=_CODE, message=message, position=place, hint=hint)


def _tab(place: Position, at: Callable[[int], Position], offset: int) -> Diagnostic | None:
    tab = _TAB.match(place.source_line)
    if tab is None:
        return None
    tab_at = at(offset - (place.column - 1) + tab.end() - 1)
    return _found("a tab in the indentation; YAML indents with spaces", tab_at, "replace each tab with spaces")


def _first_character(problem: str, place: Position) -> Diagnostic | None:
    if problem != "found character that cannot start any token":
        return None
    rest = place.source_line[place.column - 1 :].strip()
    quote = "'" if '"' in rest or "\\" in rest else '"'
    hint = _QUOTE if quote in rest or len(rest) > _LONGEST_SHOWN else f"put the value in quotes: {quote}{rest}{quote}"
    return _found(f"'{rest[:1]}' cannot start a text without quotes", place, hint)


def _missing_space(
    problem: str, place: Position, begun: Position, text: str, at: Callable[[int], Position]
) -> Diagnostic | None:
    """``id:x``: YAML takes it for a text and complains a line later, if at all."""
    lines: list[Position] = []
    if problem == "could not find expected ':'":
        lines = [begun]
    elif problem == "mapping values are not allowed in this context":
        offset = sum(len(line) for line in text.splitlines(keepends=True)[: place.line - 2])
        lines = [at(offset)] if place.line > 1 else []
    for line in lines:
        match = _NO_SPACE.fullmatch(line.source_line)
        if match:
            colon = attrs.evolve(line, column=match.end("key") + 1)
            hint = f"write '{match['key']}: {match['value'][:_LONGEST_SHOWN]}'"
            return _found("a ':' without a space after it starts no value", colon, hint)
    return None


def _near(problem: str, place: Position) -> Diagnostic | None:
    """What the text around the place tells."""
    before = place.source_line[: place.column - 1].rstrip()
    if problem == "mapping values are not allowed in this context" and place.column > _LONGEST_KEY:
        hint = "a text with ': ' in it goes into quotes, or under 'key: |'"
        return _found(f"a key of more than {_LONGEST_KEY} characters", place, hint)
    if problem in _EXPECTED and before.endswith(("'", '"')):
        hint = "quote the whole value; a quote inside it is doubled ('it''s') or escaped (\"say \\\"hi\\\"\")"
        return _found("text after the closing quote", place, hint)
    if problem in _EXPECTED and before.endswith(("]", "}")):
        return _found("text after the closing bracket", place, _QUOTE)
    if problem in _EXPECTED_KEY and place.source_line[place.column - 1 :].startswith(":"):
        return _found("a key is missing before this ':'", place, "write the key, or quote a text that starts with ':'")
    return None


def _in_words(error: MarkedYAMLError, problem: str, place: Position, begun: Position) -> Diagnostic:
    words = _WORDS.get(problem)
    if words is None:
        return _found(f"{problem} ({error.context})" if error.context else problem, place)
    message, hint, shown = words
    where = f"line {begun.line}, column {begun.column}"
    return _found(message.format(start=where), begun if shown is _AT_CONTEXT else place, hint)
