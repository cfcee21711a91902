"""What is wrong with a document, at which line, and how to mend it: one value per finding.

A diagnostic is data; :func:`render` and :func:`Diagnostic.to_json` are its two presentations.
"""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from bisect import bisect_left
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import attrs

from osiris_core.catalogue import remedy
from osiris_core.display import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]
"""Where a value stands in a document: mapping keys and list indexes from the root."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LONGEST_LINE = 160
_CONTEXT = 60
_ELLIPSIS = "…"
_MOST_COMPARED = 100


class Severity(StrEnum):
    """How much a finding matters; only errors stop a command, in every validation mode."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@attrs.frozen(kw_only=True)
class Position:
    """A place in a text file; line and column count from 1."""

    file: str
    line: int
    column: int
    source_line: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@attrs.frozen(kw_only=True)
class Diagnostic:
    """One finding, with its stable code (``OSR-OML-012``), path, position and remedy."""

    code: str
    message: str
    severity: Severity = Severity.ERROR
    path: Path = ()
    position: Position | None = None
    hint: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether this finding stops the command."""
        return self.severity is Severity.ERROR

    @property
    def advice(self) -> str | None:
        """What to do: the hint, or the catalogue's remedy for the code."""
        return self.hint or remedy(self.code)

    def to_json(self) -> dict[str, Any]:
        """The finding as plain data; absent parts are ``None`` so that consumers see every key."""
        at = self.position
        return {
            "severity": self.severity.value,
            "code": self.code,
            "message": self.message,
            "path": json_path(self.path),
            "file": at.file if at else None,
            "line": at.line if at else None,
            "column": at.column if at else None,
            "source": at.source_line if at else None,
            "hint": self.advice,
        }


def json_path(path: Path) -> str:
    """A path in JSONPath notation (RFC 9535), e.g. ``$.steps[0].config['a-b']``."""
    text = "$"
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.match(part):
            text += f".{part}"
        else:
            text += f"['{_quoted(part)}']"
    return text


def render(diagnostic: Diagnostic) -> str:
    """The finding as plain text lines: heading, source line with a caret, remedy.

    The text may hold data from a file; a caller that prints to a terminal passes it through
    :func:`osiris_core.display.visible` first.
    """
    at = diagnostic.position
    head = f"{at}: " if at else ""
    message, *more = [line for line in diagnostic.message.split("\n") if line.strip()] or [""]
    lines = [f"{head}{diagnostic.severity.value}[{diagnostic.code}]: {message}"]
    if diagnostic.path:
        lines[0] += f" (at {json_path(diagnostic.path)})"
    lines += [f"    {line}" for line in more]  # a message that shows what it speaks of
    if at and at.source_line:
        shown, before = _window(at.source_line, at.column - 1)
        lines.append(f"  {at.line} | {shown}")
        if before is not None:
            lines.append(f"  {' ' * len(str(at.line))} | {before}^")
    if diagnostic.advice:
        lines.append(f"  = {diagnostic.advice}")
    return "\n".join(lines)


def _quoted(key: str) -> str:
    """A key as it stands between single quotes in a JSONPath (RFC 9535, section 2.7)."""
    return json.dumps(key, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")


def _window(line: str, index: int) -> tuple[str, str | None]:
    """The part of a long line around an index, and what stands before the caret (None: the index is beyond it)."""
    if index > len(line):
        return line[:_LONGEST_LINE], None
    lead = tail = ""
    if len(line) > _LONGEST_LINE:
        start = max(0, min(index - _CONTEXT, len(line) - _LONGEST_LINE))
        lead, tail = _ELLIPSIS if start else "", _ELLIPSIS if start + _LONGEST_LINE < len(line) else ""
        line, index = line[start : start + _LONGEST_LINE], index - start
    return lead + line + tail, "".join(_blank(character) for character in lead + line[:index])


def _blank(character: str) -> str:
    """White space as wide as a character is when it is printed."""
    if character == "\t":
        return "\t"
    shown = visible(character)
    if len(shown) > 1:
        return " " * len(shown)
    if unicodedata.combining(character):
        return ""
    return "  " if unicodedata.east_asian_width(character) in "WF" else " "


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """``did you mean 'x'?`` for the closest candidate, or None when nothing is close."""
    found = closest(word, candidates)
    return f"did you mean '{found}'?" if found is not None else None


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that ``word`` may be a slip of, or None when nothing is close.

    Of very many candidates only the word's neighbours in the alphabet are compared, which begin like it: a document
    with thousands of mistakes is answered in seconds.
    """
    known = sorted(candidates)
    if len(known) > _MOST_COMPARED:
        at = bisect_left(known, word)
        known = known[max(0, at - _MOST_COMPARED // 2) : at + _MOST_COMPARED // 2]
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.6)), None)


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any finding stops the command."""
    return any(d.is_error for d in diagnostics)
