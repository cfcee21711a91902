"""The one canonical form of data and the one place that hashes it.

Canonical JSON here is UTF-8, keys sorted by code point, no insignificant white space, no escapes beyond those JSON
demands, integers in full, and floats in Python's shortest round-trip form (the form of RFC 8785 but for its number
notation). NaN, infinities, non-string keys and other types are refused: what cannot be written one way only cannot be
hashed. Digests are SHA-256, in lower-case hex.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """``value`` (dict with str keys, list, tuple, str, int, float, bool, None) in canonical form.

    Raises ValueError for NaN, infinities, lone surrogates and data that contains itself, TypeError for any other type.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    _check(value)
    if not text.isascii():
        text.encode()  # a lone surrogate is not UTF-8: UnicodeEncodeError, which is a ValueError
    return text


def digest(value: Any) -> str:
    """The SHA-256 of the canonical form of ``value``."""
    return digest_bytes(canonical_json(value).encode())


def digest_bytes(data: bytes) -> str:
    """The SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def _check(value: Any) -> None:
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            for key in current:
                if not isinstance(key, str):
                    raise TypeError(f"a canonical mapping has text keys, not {type(key).__name__}")
            pending.extend(current.values())
        elif isinstance(current, list | tuple):
            pending.extend(current)
        elif current is not None and type(current) not in (str, int, float, bool):  # also their subclasses: enums
            raise TypeError(f"no canonical form for {type(current).__name__}")
