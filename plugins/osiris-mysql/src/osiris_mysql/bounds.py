"""Values of a column as the server's literals, for comparing it: bounds of a window, and of the parts of a table."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from osiris_core.api import DriverError
from osiris_mysql.query import name
from osiris_mysql.reading import BINARY, DATES, INTEGERS, STRINGS, base_type, type_name

if TYPE_CHECKING:
    from osiris_core.api import Window
    from osiris_mysql.result import Field
    from osiris_mysql.session import Session

_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_FRACTION: Final = re.compile(r"\.(?P<kept>[0-9]{6})(?P<more>[0-9]+)")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})*")


def window_conditions(session: Session, field: Field, window: Window) -> list[str]:
    """The conditions of ``window`` on its cursor column; none when it has no bounds."""
    value = comparable(field)
    return [
        f"{value} {sign} {bound_literal(session, field, text)}"
        for sign, text in ((">=", window.lower), ("<", window.upper))
        if text is not None
    ]


def comparable(field: Field) -> str:
    """The column of a query as what bounds are compared with; text by its bytes, whatever its collation says."""
    column = name(field.name)
    kind = base_type(field)
    if kind in INTEGERS or kind in DATES or kind in ("YEAR", "DECIMAL", "DOUBLE"):
        return column
    if kind in STRINGS:
        return column if field.charset == BINARY else f"CAST(CONVERT({column} USING utf8mb4) AS BINARY)"
    raise DriverError(
        "OSR-MYSQL-027",
        f"column '{field.name}' is a {type_name(field)}, which has no order to read by",
        hint="choose another column",
    )


def bound_literal(session: Session, field: Field, text: str) -> str:
    """``text`` as a literal of the type of ``field``."""
    kind = base_type(field)
    if kind in INTEGERS or kind == "YEAR":
        return _number(_INTEGER, field, text)
    if kind == "DECIMAL":
        return _number(_DECIMAL, field, text)
    if kind == "DOUBLE":
        return f"({_number(_FLOAT, field, text)} + 0e0)"
    if kind in DATES:
        return _moment(field, text)
    if field.charset == BINARY:
        if not _HEX.fullmatch(text):
            raise _no_value(field, text, "hexadecimal digits")
        return f"X'{text}'"
    return f"CAST(CONVERT({session.escape(text)} USING utf8mb4) AS BINARY)"


def _number(pattern: re.Pattern[str], field: Field, text: str) -> str:
    if not pattern.fullmatch(text.strip()):
        raise _no_value(field, text, "a number")
    return f"({text.strip()})"


def _moment(field: Field, text: str) -> str:
    """A point in time to the microsecond; of a finer one the next, as there is nothing between."""
    finer = _FRACTION.search(text)
    plain = text if finer is None else text.replace(finer.group(), f".{finer['kept']}")
    try:
        moment = datetime.fromisoformat(plain.strip())
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        if finer is not None and finer["more"].strip("0"):
            moment += timedelta(microseconds=1)
    except (ValueError, OverflowError) as error:
        raise _no_value(field, text, "a date, or a date and a time") from error
    return f"CAST('{moment.isoformat(sep=' ')}' AS DATETIME(6))"


def _no_value(field: Field, text: str, wanted: str) -> DriverError:
    return DriverError("OSR-MYSQL-027", f"'{text[:80]}' is no bound for column '{field.name}': {wanted} is wanted")
