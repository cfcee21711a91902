"""The entry module: hands each event of a run to what is switched on. It imports nothing that sends anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from osiris_core.api import hookimpl
from osiris_observability.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Mapping

OSIRIS_API = "1.0"

_WATCH: Final = Watch()


@hookimpl
def osiris_run_event(event: Mapping[str, Any]) -> None:
    """Pass the event on; at the run's end wait, for a limited time, until everything is sent."""
    _WATCH.show(event)
