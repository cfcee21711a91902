"""What a refusal of the Data API means: which may pass by itself, which a smaller request avoids, and its error."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

import attrs

from osiris_core.api import ConnectionUnusable, DriverError, OsirisError

_BUSY: Final = frozenset({408, 425, 429, 502, 503, 504, 520, 521, 522, 523, 524})
_PASSING: Final = ("40001", "40P01", "53", "57P0")
_LAGGING: Final = ("PGRST204", "PGRST205", "PGRST002")
_LONGEST: Final = 300


@attrs.frozen(kw_only=True)
class Refusal:
    """An answer that is an error."""

    status: int
    code: str = ""
    message: str = ""
    hint: str = ""
    """What the server advises. Its details are left out: they are rows."""
    retry_after: float | None = None

    @classmethod
    def of(cls, status: int, body: bytes, retry_after: str | None) -> Refusal:
        """The refusal in an answer, whatever its body is."""
        found: Any = None
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        found = found if isinstance(found, dict) else {}
        seconds = None
        if retry_after is not None and retry_after.strip().isdecimal():
            seconds = float(min(int(retry_after.strip()[:6]), 86_400))
        return cls(
            status=status,
            code=_text(found.get("code")),
            message=_text(found.get("message") or found.get("msg") or found.get("error")),
            hint=_text(found.get("hint")),
            retry_after=seconds,
        )

    @property
    def passes(self) -> bool:
        """Whether the same request may succeed later by itself."""
        return self.status in _BUSY or (self.status >= 500 and self.code.startswith(_PASSING))

    @property
    def lags(self) -> bool:
        """Whether the server's picture of the schema is older than the one the request was made from."""
        return self.code in _LAGGING

    @property
    def too_much(self) -> bool:
        """Whether a smaller request of the kind may succeed."""
        return self.status in (413, 504) or self.code == "57014"


class Refused(Exception):
    """A refusal on its way to whoever can do something about it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.status} {refusal.code}")
        self.refusal = refusal
        self.attempts = 1


def raise_refusal(refused: Refused, *, what: str) -> NoReturn:
    """The error for a refusal of ``what``."""
    raise _error(refused.refusal, what, refused.attempts) from None


def _error(refusal: Refusal, what: str, attempts: int) -> OsirisError:
    said = f"{what}: {refusal.message or 'no reason given'} ({_named(refusal)})"
    code, status, advice = refusal.code, refusal.status, refusal.hint or None
    if code == "42501":
        return DriverError("OSR-SUPA-103", said, hint=_grants(what))
    if status == 401 or code in ("PGRST301", "PGRST302", "PGRST303"):
        return ConnectionUnusable("OSR-SUPA-102", said)
    simple = _SIMPLE.get(code) or _GROUPS.get(code[:2] if len(code) == 5 else "")
    if simple is not None:
        return DriverError(simple, said, hint=advice)
    if refusal.passes:
        tries = f" after {attempts} attempts" if attempts > 1 else ""
        return DriverError("OSR-SUPA-106", f"{said}{tries}", retriable=True)
    if status in (414, 431):
        return DriverError(
            "OSR-SUPA-115", f"{said}: it names too many columns", hint="name fewer in 'columns', or add 'dsn'"
        )
    if status == 413:
        return DriverError("OSR-SUPA-119", said)
    if status == 403:
        return DriverError("OSR-SUPA-103", said, hint=advice)
    return DriverError("OSR-SUPA-118", said, hint=advice)


_SIMPLE: Final = {
    "PGRST106": "OSR-SUPA-109",
    "PGRST126": "OSR-SUPA-114",
    "PGRST205": "OSR-SUPA-110",
    "42P01": "OSR-SUPA-110",
    "PGRST204": "OSR-SUPA-111",
    "42703": "OSR-SUPA-111",
    "42P10": "OSR-SUPA-126",
    "21000": "OSR-SUPA-125",
    "57014": "OSR-SUPA-108",
}
_GROUPS: Final = {"22": "OSR-SUPA-117", "23": "OSR-SUPA-127"}


def _grants(what: str) -> str:
    return (
        f"{what}: GRANT SELECT, INSERT, UPDATE ON the table TO the key's role (service_role for the secret key; new "
        "tables of a project are granted to no role of the Data API), and check its row level security"
    )


def _named(refusal: Refusal) -> str:
    return f"HTTP {refusal.status}, {refusal.code}" if refusal.code else f"HTTP {refusal.status}"


def _text(value: Any) -> str:
    """A text of the server's as part of a message: one line, not long."""
    if not isinstance(value, str):
        return ""
    line = " ".join(value.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
