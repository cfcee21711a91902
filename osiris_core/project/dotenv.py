r"""The grammar of ``.env`` files, and its parser.

    file    = [ BOM ] *( line ( LF / CRLF ) )
    line    = blank / comment / [ "export" 1*WS ] name *WS "=" *WS value *WS [ comment ]
    name    = ( ALPHA / "_" ) *( ALPHA / DIGIT / "_" )
    value   = single / double / plain
    single  = "'" *( any character but "'" ) "'"
    double  = DQUOTE *( any character but DQUOTE, "\" / "\" ( "\" / DQUOTE / "$" / "n" / "r" / "t" ) ) DQUOTE
    plain   = any characters but quotes, up to the end of the line or to white space followed by "#"
    comment = "#" any characters

A variable is one line. Nothing is interpolated: ``${`` in a plain or double-quoted value is refused, because other
tools would replace it; between single quotes (or as ``\${``) it is text. A name stands once in a file. Control
characters other than tab are refused. The file is UTF-8.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from osiris_core.diagnostics import Diagnostic, Position
from osiris_core.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

MALFORMED: Final = "OSR-SET-010"
TWICE: Final = "OSR-SET-011"

_ASSIGNMENT = re.compile(r"[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_SINGLE = re.compile(r"'(?P<value>[^']*)'")
_DOUBLE = re.compile(r'"(?P<value>(?:[^"\\]|\\.)*)"')
_COMMENT = re.compile(r"[ \t]#")
_REST = re.compile(r"[ \t]*(?:#.*)?\Z")
_ESCAPE = re.compile(r"\\(.)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_ESCAPES: Final = {"\\": "\\", '"': '"', "$": "$", "n": "\n", "r": "\r", "t": "\t"}


class Variable(NamedTuple):
    """A variable's value and the line that sets it."""

    value: str
    line: int


class _Malformed(Exception):
    """What is wrong with a line; holds no part of its value."""


def parse(text: str, *, file: str) -> Mapping[str, Variable]:
    """The variables of a ``.env`` text in order.

    Raises InvalidInput with one diagnostic for each line that breaks the grammar; no message shows a value.
    """
    variables: dict[str, Variable] = {}
    findings: list[Diagnostic] = []
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.removesuffix("\r")
        if not content.strip(" \t") or content.lstrip(" \t").startswith("#"):
            continue
        position = Position(file=file, line=number, column=1)
        try:
            name, value = _parse_line(content)
        except _Malformed as problem:
            findings.append(Diagnostic(code=MALFORMED, message=str(problem), position=position))
            continue
        if name in variables:
            message = f"{name} is already set in line {variables[name].line}"
            findings.append(Diagnostic(code=TWICE, message=message, position=position))
            continue
        variables[name] = Variable(value, number)
    if findings:
        raise InvalidInput(
            findings[0].code,
            f"{file} has {len(findings)} line{'s' if len(findings) > 1 else ''} that cannot be used",
            diagnostics=findings,
        )
    return variables


def _parse_line(line: str) -> tuple[str, str]:
    if _CONTROL.search(line):
        raise _Malformed("a control character stands in the line")
    assignment = _ASSIGNMENT.match(line)
    if assignment is None:
        raise _Malformed("expected NAME=value")
    name, start = assignment["name"], assignment.end()
    quote = line[start : start + 1]
    if quote == "'":
        value, end = _single(line, start)
    elif quote == '"':
        value, end = _double(line, start)
    else:
        value, end = _plain(line, start)
    if not _REST.match(line, end):
        raise _Malformed(f"text follows the closing quote of {name}")
    return name, value


def _single(line: str, start: int) -> tuple[str, int]:
    match = _SINGLE.match(line, start)
    if match is None:
        raise _Malformed("the single quote is not closed on its line")
    return match["value"], match.end()


def _double(line: str, start: int) -> tuple[str, int]:
    match = _DOUBLE.match(line, start)
    if match is None:
        raise _Malformed("the double quote is not closed on its line; write a line break as \\n")
    value = match["value"]
    _refuse_interpolation(re.sub(r"\\.", "", value))
    for escape in _ESCAPE.finditer(value):
        if escape[1] not in _ESCAPES:
            raise _Malformed('unknown escape after a backslash; known are \\\\ \\" \\$ \\n \\r \\t')
    return _ESCAPE.sub(lambda escape: _ESCAPES[escape[1]], value), match.end()


def _plain(line: str, start: int) -> tuple[str, int]:
    # the character before the value counts: in "A= #x" the value is empty
    comment = _COMMENT.search(line, start - 1)
    end = comment.start() if comment else len(line)
    value = line[start:end].rstrip(" \t")
    if "'" in value or '"' in value:
        raise _Malformed("a quote stands inside an unquoted value; quote the whole value")
    _refuse_interpolation(value)
    return value, max(start, end)


def _refuse_interpolation(value: str) -> None:
    if "${" in value:
        raise _Malformed("nothing is interpolated here; put the value between single quotes if '${' is meant as text")
