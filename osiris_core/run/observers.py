"""The plugins that observe a run: each sees every event, and one that fails changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from osiris_core.run.events import ObserverFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.plugins.registry import Registry
    from osiris_core.run.session import Session


class Observers:
    """Shows events to the plugins that observe them, and says once for each which one fails."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._said: set[str] = set()
        self.session: Session | None = None

    def __call__(self, line: Mapping[str, Any]) -> None:
        """Show them one event."""
        for message in self._registry.notify(line):
            plugin = message.split("'")[1] if "'" in message else message
            if plugin not in self._said and self.session is not None:
                self._said.add(plugin)
                self.session.emit(ObserverFailed(message=message))
