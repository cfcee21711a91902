"""JSON as its standard has it: what that has no form for (NaN, infinities, other types) is written as text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def strict_json(value: Any, *, indent: int | None = None, ensure_ascii: bool = False) -> str:
    """``value`` as JSON that any reader takes; in one line without ``indent``."""
    separators = (",", ": " if indent else ":")
    try:
        return json.dumps(
            value, indent=indent, ensure_ascii=ensure_ascii, separators=separators, default=str, allow_nan=False
        )
    except ValueError:
        return json.dumps(
            _plain(value), indent=indent, ensure_ascii=ensure_ascii, separators=separators, allow_nan=False
        )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and math.isfinite(value):
        return value
    return value if isinstance(value, str | int | None) else str(value)
