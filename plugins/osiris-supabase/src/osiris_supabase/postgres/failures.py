"""What the server said as errors with codes; the one table of SQLSTATEs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from psycopg.pq import DiagnosticField

from osiris_core.api import ConnectionUnusable, DriverError, OsirisError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN: Final = 300
_CLASSES: Final[Mapping[str, tuple[str, bool]]] = {
    "08": ("OSR-PG-003", True),
    "22": ("OSR-PG-041", False),
    "23": ("OSR-PG-040", False),
    "25006": ("OSR-PG-013", False),
    "25P03": ("OSR-PG-003", True),
    "28": ("OSR-PG-002", False),
    "3D": ("OSR-PG-006", False),
    "40": ("OSR-PG-010", True),
    "42501": ("OSR-PG-008", False),
    "53": ("OSR-PG-011", True),
    "53100": ("OSR-PG-011", False),
    "55006": ("OSR-PG-010", True),
    "55P03": ("OSR-PG-010", True),
    "57014": ("OSR-PG-009", False),
    "57P": ("OSR-PG-003", True),
}
"""Code and whether a retry may help, by the longest beginning of the SQLSTATE; anything else is OSR-PG-012."""
_BROKEN_RULES: Final = ("23", "44")
"""Classes of SQLSTATEs whose details show the row, or the values of a key, that break a rule of a table."""
_KEY: Final = re.compile(r"(?P<names>\([^()]*\)\s?=\s?)?\(.*\)", re.DOTALL)
_ROW: Final = re.compile(r"\(.*\)", re.DOTALL)
_KEYED: Final = ("23503", "23505", "23P01")
_LINE: Final = re.compile(r"(COPY .*?, line \d+).*")


class ServerFailure(Exception):
    """What the server answered instead of a result."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(fields.get("message", ""))
        self.fields = fields
        self.state = fields.get("state", "")

    @classmethod
    def of(cls, result: Any) -> ServerFailure:
        """The failure that a libpq result holds."""

        def text(which: DiagnosticField) -> str:
            value = result.error_field(which)
            return value.decode("utf-8", "replace").strip() if value else ""

        found = {
            "state": text(DiagnosticField.SQLSTATE),
            "message": text(DiagnosticField.MESSAGE_PRIMARY) or result.get_error_message().strip(),
            "detail": text(DiagnosticField.MESSAGE_DETAIL),
            "hint": text(DiagnosticField.MESSAGE_HINT),
            "context": text(DiagnosticField.CONTEXT),
            "position": text(DiagnosticField.STATEMENT_POSITION),
        }
        return cls(found)

    @property
    def said(self) -> str:
        """The server's words, on one line and not too many: its message and, for a bad row, which one - not its values,
        of which only one that is no value of its column's type is shown.
        """
        words = self.fields.get("message", "")
        context = self.fields.get("context", "").split("\n")[0]
        for more in (self._detail(), self._line(context) if context.startswith("COPY ") else ""):
            if more:
                words = f"{words} ({more})"
        return _shown(words)

    def _detail(self) -> str:
        detail = self.fields.get("detail", "")
        if not self.state.startswith(_BROKEN_RULES):
            return detail
        # In whatever language the server speaks.
        if self.state in _KEYED:
            return _KEY.sub(lambda match: f"{match['names'] or ''}(…)", detail, count=1)
        return _ROW.sub("(…)", detail)

    def _line(self, context: str) -> str:
        return _LINE.sub(r"\1", context) if self.state.startswith(_BROKEN_RULES) else context

    def advice(self, ours: str | None = None) -> str | None:
        """What to do about it: ``ours``, and what the server advises."""
        theirs = _shown(self.fields.get("hint", ""))
        return "; the server says: ".join(one for one in (ours, theirs) if one) or None

    def error(self, what: str, *, codes: Mapping[str, str] | None = None, hint: str | None = None) -> OsirisError:
        """The error to raise; ``codes`` say by SQLSTATE or its class what another meaning is meant by."""
        code, retriable = next(
            (_CLASSES[self.state[:length]] for length in (5, 3, 2) if self.state[:length] in _CLASSES),
            ("OSR-PG-012", False),
        )
        for length in (2, 3, 5):
            code = (codes or {}).get(self.state[:length], code)
        kind = ConnectionUnusable if code in ("OSR-PG-002", "OSR-PG-006") else DriverError
        return kind(code, f"{what}: {self.said}", hint=self.advice(hint), retriable=retriable)


def _shown(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def lost(what: str, why: str = "") -> DriverError:
    """The error for a connection that is no more."""
    return DriverError(
        "OSR-PG-003", f"{what}: the connection to the server was lost{f' ({why})' if why else ''}", retriable=True
    )
