"""Takes the events of one run to one receiver, on a thread of its own: the run only ever puts an event into a queue.

The SDK is imported on that thread, too. What goes wrong there ends this relay and nothing else; it is said at the end.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Protocol

from osiris_observability.complaints import without_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_observability.switch import Receiver

_MAX_WAITING: Final = 10_000
"""Events that may wait for a slow receiver. A run has a few a step; more is memory that nobody gets anything for."""


class Sink(Protocol):
    """Turns events into what one kind of receiver understands, and sends it."""

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in one event. May block: it is called on a thread of its own."""
        ...

    def close(self) -> str | None:
        """Send what is left, and let go; what could not be sent, in words, or None."""
        ...


class NotInstalled(Exception):
    """What is switched on has no SDK here."""


class Relay:
    """The way of one run's events to one receiver. Made when the run starts; :meth:`finish` is its last call."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._events: queue.Queue[Mapping[str, Any] | None] = queue.Queue(_MAX_WAITING)
        self._lost = 0
        self._complaint: str | None = None
        self._ended = threading.Event()
        # A daemon: a receiver that does not answer must not keep the process from ending.
        threading.Thread(target=self._work, name=f"osiris-{receiver.extra}", daemon=True).start()

    def put(self, event: Mapping[str, Any]) -> None:
        """Pass an event on; never waits."""
        if self._ended.is_set():
            return
        try:
            self._events.put_nowait(event)
        except queue.Full:
            self._lost += 1

    def finish(self, until: float) -> str | None:
        """Wait at most until ``until`` (monotonic seconds) for everything to be sent; what was not, in words, or None.

        What is still under way then goes on for as long as the process lives.
        """
        ended = self._ended.is_set()
        if not ended:
            with suppress(queue.Full):
                self._events.put(None, timeout=_left(until))
            ended = self._ended.wait(_left(until))
        complaints = [self._complaint if ended else self._late()]
        if self._lost:
            complaints.append(f"{self._lost} events were left out because the receiver is too slow")
        said = "; ".join(filter(None, complaints))
        return f"{self._receiver.name}: {said}" if said else None

    def _late(self) -> str:
        places = " or ".join(self._receiver.places(os.environ))
        return f"not everything could be sent in time{f' to {places}' if places else ''}"

    def _work(self) -> None:
        try:
            sink = self._open()
            try:
                while (event := self._events.get()) is not None:
                    sink.take(event)
            finally:  # what it has taken goes out, also when it cannot take more
                complaint = sink.close()
            self._complaint = complaint
        except NotInstalled as error:
            self._complaint = str(error)
        except BaseException as error:  # noqa: BLE001 - said at the end of the run
            self._complaint = without_credentials(f"{type(error).__name__}: {error}")
        finally:
            self._ended.set()

    def _open(self) -> Sink:
        receiver = self._receiver
        if not _installed(receiver.module):
            install = f"pip install 'osiris-observability[{receiver.extra}]'"
            raise NotInstalled(f"it is switched on but not installed: {install}")
        module, _, attribute = receiver.ref.partition(":")
        sink: Sink = getattr(import_module(module), attribute)()
        return sink


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package it would be in
        return False


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())
