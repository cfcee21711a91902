"""When two values of a result are the same.

Numbers are compared by value whatever their type: ``3``, ``3.0`` and ``Decimal("3.00")`` are the same. Where a float is
involved, a millionth of the larger is forgiven, and a billionth in all. A date is the midnight it begins with; a moment
with a time zone is the instant, and never the same as one without. NULL is the same as NULL, NaN as NaN. Everything
else has to be equal and of one kind: ``true`` is not 1, ``"1"`` is not 1, and an empty text is not NULL.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from osiris_core.display import visible

RELATIVE: Final = 1e-6
ABSOLUTE: Final = 1e-9
_LONGEST: Final = 40


def same(one: Any, other: Any) -> bool:
    """Whether two cells are the same."""
    if isinstance(one, float) or isinstance(other, float):
        return is_number(one) and is_number(other) and _close(as_float(one), as_float(other))
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return bool(exact(one) == exact(other))


def _close(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def is_number(value: Any) -> bool:
    """Whether a value is a number, which a truth value is not."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def as_float(value: Any) -> float:
    """A number as the nearest float; one beyond the largest is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def is_inexact(value: Any) -> bool:
    """Whether there is a float in a value."""
    if isinstance(value, list | tuple):
        return any(map(is_inexact, value))
    if isinstance(value, Mapping):
        return any(map(is_inexact, value.values()))
    return isinstance(value, float)


def exact(value: Any) -> Any:
    """A key that is equal for values that are the same, and for no others; floats have to be equal to the last bit."""
    if isinstance(value, list | tuple):
        return ("list", tuple(map(exact, value)))
    if isinstance(value, Mapping):
        return ("struct", frozenset((key, exact(item)) for key, item in value.items()))
    if is_number(value):
        return ("number", value) if value == value else ("NaN",)  # noqa: PLR0124 - NaN alone is not itself
    if isinstance(value, dt.datetime):
        return ("moment", value) if value.tzinfo is None else ("instant", value.astimezone(dt.UTC))
    if isinstance(value, dt.date):
        return ("moment", dt.datetime.combine(value, dt.time()))
    return (type(value).__name__, value)


def shown(value: Any) -> str:
    """A cell for a sentence."""
    if value is None:
        return "NULL"
    text = visible(repr(value) if isinstance(value, str) else str(value))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
