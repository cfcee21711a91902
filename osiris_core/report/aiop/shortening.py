"""Shorter forms of an item, for a package that would be too large; each says how much is missing."""

from __future__ import annotations

from typing import Any, Final

LEVELS: Final = (None, 2000, 300, 80)
"""Characters that a text keeps, from whole to shortest."""

_WHOLE: Final = frozenset({"@id", "@type", "step", "cites", "command", "pipeline", "previous", "component_id"})
_ENTRIES: Final = 20
"""A list or mapping keeps one entry for so many characters that a text would."""


def shortened(value: Any, limit: int | None) -> Any:
    """``value`` with long texts, lists and mappings cut; ids stay whole. It is of the same shape."""
    if limit is None:
        return value
    if isinstance(value, str):
        return value if len(value) <= limit else f"{value[:limit]}… ({len(value) - limit} more characters)"
    most = max(2, limit // _ENTRIES)
    if isinstance(value, list):
        return [shortened(item, limit) for item in value[:most]]
    if isinstance(value, dict):
        if "@id" in value:  # an item of the package: its keys are few and its own
            return {key: item if key in _WHOLE else shortened(item, limit) for key, item in value.items()}
        kept = list(value.items())[:most]
        return {shortened(key, limit): shortened(item, limit) for key, item in kept}
    return value
