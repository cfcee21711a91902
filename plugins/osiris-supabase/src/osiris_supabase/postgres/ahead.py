"""Reading ahead: a thread of its own takes what the server sends while the rows before are being made."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

_ITEMS: Final = 2
"""How many items wait at most."""
_TICK: Final = 0.1

T = TypeVar("T")


class ReadAhead(Generic[T]):
    """The items of ``source``, taken by a thread; ``stop`` makes ``source`` end soon when nobody wants more.

    Iterating raises what ``source`` raises; ``result`` is what it returned. To be closed, which ends the thread.
    """

    def __init__(self, source: Generator[T, None, Any], stop: Callable[[], None]) -> None:
        self._source = source
        self._stop = stop
        self._waiting: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=_ITEMS)
        self._closed = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="osiris-postgres", daemon=True)
        self._thread.start()
        self.result: Any = None

    def __iter__(self) -> Iterator[T]:
        while True:
            kind, value = self._waiting.get()
            if kind == "item":
                yield value
                continue
            self._ended = True
            if kind == "error":
                raise value
            self.result = value
            return

    def _work(self) -> None:
        try:
            while self._offer("item", next(self._source)):
                pass
        except StopIteration as end:
            self._offer("end", end.value)
        except BaseException as error:  # noqa: BLE001 - it is raised where the items are taken
            self._offer("error", error)

    def _offer(self, kind: str, value: Any) -> bool:
        while not self._closed.is_set():
            try:
                self._waiting.put((kind, value), timeout=_TICK)
            except queue.Full:
                continue
            return True
        return False

    def close(self) -> None:
        """End the thread; safe to call more than once."""
        self._closed.set()
        if not self._ended:
            self._stop()
        self._thread.join()
        self._source.close()
