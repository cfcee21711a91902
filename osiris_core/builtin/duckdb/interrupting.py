"""Queries that end when their step is cancelled."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osiris_core.api import DriverContext

_AGAIN_SECONDS: Final = 0.1


@contextmanager
def interruptible(ctx: DriverContext, interrupt: Callable[[], object]) -> Iterator[None]:
    """While open, cancelling the step calls ``interrupt``, a connection's, until this is closed.

    Once is not enough: DuckDB forgets an interrupt that comes before a query has begun, and would run the query that
    follows to its end.
    """
    closed = threading.Event()
    threads: list[threading.Thread] = []

    def again() -> None:
        while not closed.wait(_AGAIN_SECONDS):
            interrupt()

    def act() -> None:
        interrupt()
        thread = threading.Thread(target=again, name="osiris-interrupt", daemon=True)
        threads.append(thread)
        thread.start()

    with ctx.on_cancel(act):
        try:
            yield
        finally:
            closed.set()
    # Nobody may interrupt what the connection does next.
    for thread in threads:
        thread.join()
