"""The plugins that observe a run: each sees every event, and one that fails changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from osiris_core.plugins.registry import Registry


class Observers:
    """Shows events to the plugins that observe them, and says once for each which one fails.

    ``complain`` gets what is said; it is set before the first event.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._said: set[str] = set()
        self.complain: Callable[[str], None] = lambda _: None

    def __call__(self, line: Mapping[str, Any]) -> None:
        """Show them one event."""
        for message in self._registry.notify(line):
            plugin = message.split("'")[1] if "'" in message else message
            if plugin not in self._said:
                self._said.add(plugin)
                self.complain(message)
