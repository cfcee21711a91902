"""Watches the runs of this process: which of them is shown to whom, and how long their ends may wait."""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING, Any, Final

from osiris_observability.relay import Relay
from osiris_observability.switch import DEFAULT_TIMEOUT, MAX_TIMEOUT, TIMEOUT, receivers

if TYPE_CHECKING:
    from collections.abc import Mapping

_UNUSED: Final = frozenset({"step_progress", "observer_failed"})
"""Events that no receiver has a use for."""


class Unsent(Exception):
    """Not everything reached its receiver; Osiris records it and goes on."""


class Watch:
    """Opens relays when a run starts and closes them when it ends. Events of one run come one at a time."""

    def __init__(self) -> None:
        self._relays: dict[str, tuple[Relay, ...]] = {}

    def show(self, event: Mapping[str, Any]) -> None:
        """Take in one event; raises Unsent after the last one when something could not be sent."""
        name, session = event["event"], event["session"]
        if name == "run_started":
            wanted = receivers(os.environ)
            if wanted:
                self._relays[session] = tuple(Relay(receiver) for receiver in wanted)
        relays = self._relays.get(session)
        if relays is None or name in _UNUSED:
            return
        for relay in relays:
            relay.put(event)
        if name == "run_finished":
            del self._relays[session]
            self._finish(relays)

    def _finish(self, relays: tuple[Relay, ...]) -> None:
        seconds, complaint = _timeout()
        until = time.monotonic() + seconds
        said = [relay.finish(until) for relay in relays]
        complaints = [text for text in (complaint, *said) if text]
        if complaints:
            raise Unsent("; ".join(complaints))


def _timeout() -> tuple[float, str | None]:
    """Seconds that a run may wait at its end, and what is wrong with how they are set."""
    text = os.environ.get(TIMEOUT, "")
    if not text:
        return DEFAULT_TIMEOUT, None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if 0 <= seconds <= MAX_TIMEOUT:
        return seconds, None
    return (
        DEFAULT_TIMEOUT,
        f"{TIMEOUT} is no number of seconds from 0 to {MAX_TIMEOUT:g}; {DEFAULT_TIMEOUT:g} was taken",
    )
