"""Shorter forms of an item, for a package that would be too large; each says how much is missing."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, Final

from osiris_core.canonical import canonical_json

LEVELS: Final = (None, 2000, 300, 80)
"""Bytes of JSON that a text keeps, from whole to shortest: what is escaped or no ASCII takes several a character."""

_WHOLE: Final = frozenset({"@id", "@type", "step", "cites", "command", "pipeline", "previous", "component_id"})
_ENTRIES: Final = 20
"""A list or mapping keeps one entry for so many bytes that a text would."""


def shortened(value: Any, limit: int | None) -> Any:
    """``value`` with long texts, lists and mappings cut; ids stay whole. It is of the same shape."""
    if limit is None:
        return value
    if isinstance(value, str):
        return _beginning(value, limit)
    most = max(2, limit // _ENTRIES)
    if isinstance(value, list):
        return [shortened(item, limit) for item in value[:most]]
    if isinstance(value, dict):
        if "@id" in value:  # an item of the package: its keys are few and its own
            return {key: item if key in _WHOLE else shortened(item, limit) for key, item in value.items()}
        kept = list(value.items())[:most]
        return {shortened(key, limit): shortened(item, limit) for key, item in kept}
    return value


def bare(item: dict[str, Any]) -> dict[str, Any]:
    """An error in the form that fits into any package: code and message at their shortest."""
    shortest = shortened(item, LEVELS[-1])
    return {**shortest, "where": None, "hint": None, "diagnostics": []}


def _beginning(text: str, limit: int) -> str:
    """As much of ``text`` as ``limit`` bytes hold."""
    head = text[:limit]  # a character takes a byte or more
    kept = bisect_right(range(1, len(head) + 1), limit, key=lambda count: _bytes(head[:count]))
    return text if kept == len(text) else f"{text[:kept]}… ({len(text) - kept} more characters)"


def _bytes(text: str) -> int:
    return len(canonical_json(text).encode()) - len('""')
