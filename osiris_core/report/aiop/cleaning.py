"""What leaves a record for a model: plain data, masked, bounded in depth, with no character in it that acts.

Text is masked before anything is cut from it: half of a secret would not be found.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.display import visible

if TYPE_CHECKING:
    from osiris_core.redaction import Redactor

_DEEPEST: Final = 24
_TOO_LARGE: Final = 1 << 63


@attrs.frozen
class Raw:
    """Data of the record, under whatever names it gives them: masked by those names, too."""

    value: Any


class Cleaner:
    """Turns what layers are built of into what may be handed on. ``masked`` counts the texts that held a secret.

    ``words`` are the package's own: they are in every package, and stay whatever the secrets are.
    """

    def __init__(self, redactor: Redactor, words: frozenset[str]) -> None:
        self._redactor = redactor
        self._words = words
        self.masked = 0

    def clean(self, node: Any) -> Any:
        """``node`` as plain data; keys outside of :class:`Raw` are the package's own."""
        if isinstance(node, Raw):
            pruned = plain(node.value)
            hidden = self._redactor.data(pruned)
            self._count(pruned, hidden)
            return shown(hidden)
        if isinstance(node, dict):
            return {key: self.clean(value) for key, value in node.items()}
        if isinstance(node, list | tuple):
            return [self.clean(value) for value in node]
        if isinstance(node, str):
            if node in self._words:
                return node
            hidden = self._redactor.text(node)
            self.masked += hidden != node
            return visible(hidden)
        if node is None or isinstance(node, bool):
            return node
        hidden = self._redactor.data(plain(node))
        self.masked += hidden != node
        return node if hidden == node else None  # a number is a number or nothing

    def _count(self, before: Any, after: Any) -> None:
        if isinstance(before, dict) and isinstance(after, dict):
            for (old_key, old), (new_key, new) in zip(before.items(), after.items(), strict=False):
                self.masked += old_key != new_key
                self._count(old, new)
        elif isinstance(before, list) and isinstance(after, list):
            for old, new in zip(before, after, strict=False):
                self._count(old, new)
        else:
            self.masked += before != after


def plain(value: Any, depth: int = 0) -> Any:
    """``value`` as JSON has a form for it, at most some levels deep."""
    if isinstance(value, dict | list | tuple) and depth >= _DEEPEST:
        return f"(nested deeper than {_DEEPEST} levels)"
    if isinstance(value, dict):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < _TOO_LARGE else str(value)
    return value if isinstance(value, str | bool | None) else str(value)


def shown(value: Any) -> Any:
    """Plain data with every acting character of its texts and keys made visible."""
    if isinstance(value, dict):
        return {visible(key): shown(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shown(item) for item in value]
    return visible(value) if isinstance(value, str) else value
