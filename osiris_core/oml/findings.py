"""Where the findings of one document gather, each at its line, none of them showing a secret."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.diagnostics import Diagnostic, Position, Severity, did_you_mean
from osiris_core.secret_shapes import MASK, is_sensitive_key, without_shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from osiris_core.diagnostics import Path
    from osiris_core.model.yaml import Document


class Findings:
    """Collects diagnostics about ``document``; one without a hint takes the ``remedy`` of its code."""

    def __init__(self, document: Document, *, remedy: Callable[[str], str | None]) -> None:
        self._document = document
        self._remedy = remedy
        self._items: list[Diagnostic] = []
        self._starts: list[int] | None = None
        self.secrets: set[str] = set()
        """Texts that look like secrets or hold one; they are kept out of messages and paths as well."""

    def error(self, code: str, message: str, path: Path = (), *, hint: str | None = None, key: bool = False) -> None:
        """Record an error at ``path``; ``key`` points at the mapping key instead of its value."""
        self._add(Severity.ERROR, code, message, path, hint, key=key)

    def error_in_text(self, code: str, message: str, path: Path, token: str, *, hint: str | None = None) -> None:
        """Record an error about ``token``, a part of the text at ``path``."""
        position = self._position_of(token, path)
        item = Diagnostic(code=code, message=message, path=path, position=self._clean(position), hint=hint)
        self._items.append(attrs.evolve(item, hint=hint or self._remedy(code)))

    def warning(self, code: str, message: str, path: Path = (), *, hint: str | None = None, key: bool = False) -> None:
        """Record a warning at ``path``."""
        self._add(Severity.WARNING, code, message, path, hint, key=key)

    def info(self, code: str, message: str, path: Path = (), *, hint: str | None = None) -> None:
        """Record a note at ``path``."""
        self._add(Severity.INFO, code, message, path, hint, key=False)

    def unknown_key(self, code: str, what: str, key: str, allowed: Iterable[str], path: Path) -> None:
        """Record that ``path`` is a key which ``what`` does not have, with the closest one that it has."""
        names = sorted(allowed)
        hint = did_you_mean(key, names) or f"{what} has: {', '.join(names)}"
        self._add(Severity.ERROR, code, f"{what} has no key '{key}'", path, hint, key=True)

    def add(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Take findings made elsewhere; one without a position gets that of its path."""
        for diagnostic in diagnostics:
            position = diagnostic.position
            if position is None and diagnostic.path:
                position = self._document.position(diagnostic.path)
            hint = diagnostic.hint or self._remedy(diagnostic.code)
            self._items.append(attrs.evolve(diagnostic, position=self._clean(position), hint=hint))

    def add_at(self, diagnostic: Diagnostic, *, line: int, column: int, source_line: str) -> None:
        """Take a finding about text that is no value of the document (a comment)."""
        position = Position(file=self._document.file, line=line, column=column, source_line=source_line)
        self._items.append(attrs.evolve(diagnostic, position=self._clean(position)))

    def position(self, path: Path, *, key: bool = False) -> Position:
        """Where the value at ``path`` stands in the document - or its key, with ``key``."""
        return self._document.position(path, key=key)

    @property
    def has_errors(self) -> bool:
        """Whether any error was recorded so far."""
        return any(item.is_error for item in self._items)

    def errors_below(self, path: Path) -> int:
        """How many errors were recorded so far for ``path`` and what is below it."""
        return sum(item.is_error and item.path[: len(path)] == path for item in self._items)

    def sorted(self) -> tuple[Diagnostic, ...]:
        """All findings in reading order; those without a place (a command-line value) first."""
        items = [self._masked(item) for item in self._items] if self.secrets else self._items
        return tuple(sorted(items, key=_reading_order))

    def _add(self, severity: Severity, code: str, message: str, path: Path, hint: str | None, *, key: bool) -> None:
        position = self._document.position(path, key=key) if path or key else self._document.position(())
        self._items.append(
            Diagnostic(
                code=code,
                message=message,
                severity=severity,
                path=path,
                position=self._clean(position),
                hint=hint or self._remedy(code),
            )
        )

    def command_line(self, code: str, message: str, path: Path = (), *, hint: str | None = None) -> None:
        """Record an error about a value that came from outside the document; ``path`` is what it was meant for."""
        self._items.append(Diagnostic(code=code, message=message, path=path, hint=hint or self._remedy(code)))

    def _position_of(self, token: str, path: Path) -> Position:
        """Where ``token`` stands in the text at ``path``; where the text starts, when it is written with escapes."""
        start = self._document.position(path)
        if self._starts is None:
            self._starts = [0, *(match.end() for match in _BREAK.finditer(self._document.text))]
        value_at = self._starts[start.line - 1] + start.column - 1
        match = re.compile(rf"{re.escape(token)}(?!\w)").search(self._document.text, value_at)
        if match is None:
            return start
        line = bisect_right(self._starts, match.start())
        end = self._starts[line] if line < len(self._starts) else len(self._document.text)
        return Position(
            file=start.file,
            line=line,
            column=match.start() - self._starts[line - 1] + 1,
            source_line=self._document.text[self._starts[line - 1] : end].rstrip("\r\n"),
        )

    def _masked(self, item: Diagnostic) -> Diagnostic:
        path = tuple(self._hidden(part) if isinstance(part, str) else part for part in item.path)
        hint = item.hint and self._hidden(item.hint)
        at = item.position and attrs.evolve(item.position, source_line=self._hidden(item.position.source_line))
        return attrs.evolve(item, message=self._hidden(item.message), path=path, position=at, hint=hint)

    def _hidden(self, text: str) -> str:
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST:
                text = text.replace(secret, MASK)
        return without_shapes(text)

    def _clean(self, position: Position | None) -> Position | None:
        if position is None or not position.source_line:
            return position
        return attrs.evolve(position, source_line=without_secrets(position.source_line))


_SHORTEST: Final = 4
"""A shorter text stands in any message by chance."""

_BREAK: Final = re.compile(r"\r\n|\r|\n")
_KEY: Final = re.compile(r"""(?P<key>[A-Za-z_][\w-]*)["']?\s*:\s+(?=\S)""")
_REFERENCE_ONLY: Final = re.compile(r"""["']?\$\{[^{}]*\}["']?[\s,}\]]*(?:\#.*)?\Z""")


@lru_cache(maxsize=64)  # a line of many findings is looked at once
def without_secrets(line: str) -> str:
    """A source line as it may be shown: nothing that looks like a secret, nothing behind a key that names one."""
    line = without_shapes(line)
    for match in _KEY.finditer(line):
        if is_sensitive_key(match["key"]) and not _REFERENCE_ONLY.match(line, match.end()):
            return f"{line[: match.end()]}***"
    return line


def _reading_order(item: Diagnostic) -> tuple[str, int, int, str, str]:
    at = item.position
    return (at.file, at.line, at.column, item.code, item.message) if at else ("", 0, 0, item.code, item.message)
