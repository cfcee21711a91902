"""What an unquoted scalar means: the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).

``yes``, ``on``, ``1:30``, ``1_000`` and ``2024-01-01`` are text; ``012`` and ``0o14`` are twelve. What JSON cannot hold
(``.inf``, ``.nan``, a float beyond the largest) is refused.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+\Z")
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_STARTS_NUMBER: Final = frozenset("0123456789+-.")
_BASES: Final = ("o", "x")
_MAX_DIGITS: Final = 3500
"""Python refuses to write integers of more than 4,300 decimal digits, which is 3,571 hexadecimal ones."""


class NotHeldError(ValueError):
    """A number that cannot be held as written; the message says which and why."""


def resolve(text: str) -> Any:
    """The value of a plain scalar: None, bool, int, float or the text itself. Raises :class:`NotHeldError`."""
    if text in _NULL:
        return None
    if text[0] in _STARTS_NUMBER:
        return _number(text)
    return _BOOL.get(text, text)


def _number(text: str) -> int | float | str:
    if _INT.match(text) or _BASED.match(text):
        if len(text) > _MAX_DIGITS:
            raise NotHeldError(f"a number of {len(text)} digits is too long")
        return int(text, 0 if text[1:2] in _BASES else 10)
    if _FLOAT.match(text):
        value = float(text)
        if math.isinf(value):
            raise NotHeldError(f"the number {text[:40]} is too large")
        return value
    if _NOT_FINITE.match(text):
        raise NotHeldError(f"{text} is not a number that JSON can hold")
    return text
