"""What a cursor's values can be, as texts: their one form, their order, and the value a lag before.

integer, decimal: digits, with a minus sign and a point as needed · float: the shortest text that gives the same number;
finite · date: 2026-03-01 · timestamp: 2026-03-01 07:00:00, with a fraction of up to nine digits when there is one ·
timestamptz: the same in UTC, with +00:00 at its end · text: itself, ordered by its UTF-8 bytes · uuid: lower-case, with
hyphens · binary: hexadecimal digits, two a byte.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST: Final = 4096
"""Characters of a value; a longer text is no cursor, and would be carried in every commit row."""

_INTEGER: Final = re.compile(r"[+-]?[0-9]+\Z")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)\Z")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_MOMENT: Final = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[ T](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2})?)?)?\Z"
)
_EXACT: Final = Context(prec=200)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = 1_000_000_000


class Kind(StrEnum):
    """What a cursor is; types that differ in size only are one kind."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIMESTAMPTZ = "timestamptz"
    TEXT = "text"
    UUID = "uuid"
    BINARY = "binary"


MEASURED: Final = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ})
"""The kinds that have a distance, and so a lag."""


def canonical(kind: Kind, text: str) -> str:
    """The one form of the value that ``text`` states; ValueError says in words why it states none."""
    return _FORMS[kind](order(kind, text))


def order(kind: Kind, text: str) -> Any:
    """What values of ``kind`` are compared by; ValueError says in words why ``text`` is none."""
    if len(text) > LONGEST:
        raise ValueError(f"it has more than {LONGEST} characters")
    return _READ[kind](text)


def before(kind: Kind, text: str, lag: float | None) -> str | None:
    """The value ``lag`` before ``text``; None when that is before all there can be, ValueError when there is no lag."""
    value = order(kind, text)
    if not lag:
        return _FORMS[kind](value)
    if kind not in MEASURED:
        raise ValueError(f"a {kind} has no lag")
    step = Decimal(str(lag))
    try:
        match kind:
            case Kind.INTEGER:
                value = math.floor(_EXACT.subtract(Decimal(value), step))
            case Kind.DECIMAL:
                value = _EXACT.subtract(value, step)
            case Kind.FLOAT:
                value = value - float(step)
            case Kind.DATE:
                value = value - timedelta(days=math.ceil(step))
            case _:
                value = value - math.ceil(step * _SECOND)
        return _FORMS[kind](value)
    except OverflowError:
        return None


def later(kind: Kind, *texts: str | None) -> str | None:
    """The largest of ``texts``; None, which is before everything, when they are all None."""
    return max((text for text in texts if text is not None), key=lambda text: order(kind, text), default=None)


def _read_integer(text: str) -> int:
    if not _INTEGER.match(text):
        raise ValueError("it is no whole number")
    return int(text)


def _read_decimal(text: str) -> Decimal:
    try:
        if not _DECIMAL.match(text):
            raise InvalidOperation
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError("it is no decimal number") from error


def _read_float(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError("it is no number") from error
    if not math.isfinite(value):
        raise ValueError("it is not finite, so nothing comes after it")
    return value


def _read_date(text: str) -> date:
    if not _DATE.match(text):
        raise ValueError("it is no date of the years 1 to 9999 (YYYY-MM-DD)")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError("there is no such day") from error


def _read_timestamp(text: str) -> int:
    return _nanoseconds(text, zoned=False)


def _read_timestamptz(text: str) -> int:
    return _nanoseconds(text, zoned=True)


def _nanoseconds(text: str, *, zoned: bool) -> int:
    """Nanoseconds since 1970; a time without a zone is taken for UTC."""
    match = _MOMENT.match(text)
    if match is None:
        raise ValueError("it is no time of the years 1 to 9999 (YYYY-MM-DD HH:MM:SS)")
    if match["zone"] and not zoned:
        raise ValueError("the cursor has no time zone, so its values have none")
    try:
        moment = datetime.fromisoformat(f"{match['day']}T{match['time'] or '00:00'}{match['zone'] or '+00:00'}")
    except ValueError as error:
        raise ValueError("there is no such moment") from error
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * _SECOND + int((match["fraction"] or "").ljust(9, "0"))


def _read_text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _read_uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ValueError("it is no UUID") from error


def _read_binary(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise ValueError("it is not written in hexadecimal digits") from error


def _written_moment(value: int) -> str:
    seconds, fraction = divmod(value, _SECOND)
    whole = (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat(sep=" ")
    return f"{whole}.{fraction:09}".rstrip("0") if fraction else whole


_READ: Final[Mapping[Kind, Callable[[str], Any]]] = {
    Kind.INTEGER: _read_integer,
    Kind.DECIMAL: _read_decimal,
    Kind.FLOAT: _read_float,
    Kind.DATE: _read_date,
    Kind.TIMESTAMP: _read_timestamp,
    Kind.TIMESTAMPTZ: _read_timestamptz,
    Kind.TEXT: _read_text,
    Kind.UUID: _read_uuid,
    Kind.BINARY: _read_binary,
}
_FORMS: Final[Mapping[Kind, Callable[[Any], str]]] = {
    Kind.INTEGER: str,
    Kind.DECIMAL: lambda value: format(value, "f"),
    Kind.FLOAT: repr,
    Kind.DATE: date.isoformat,
    Kind.TIMESTAMP: _written_moment,
    Kind.TIMESTAMPTZ: lambda value: f"{_written_moment(value)}+00:00",
    Kind.TEXT: lambda value: value.decode("utf-8", "surrogatepass"),
    Kind.UUID: str,
    Kind.BINARY: bytes.hex,
}
