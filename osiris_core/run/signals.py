"""Signals as requests to a run: the first one asks it to stop, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@attrs.define
class Ending:
    """What the process ends with at a second signal."""

    exit_code: ExitCode | None = None
    """How the run has ended, once it has: there is nothing left to stop then, and no signal may say otherwise."""


@contextmanager
def handling(request: Callable[[str], None], *, for_good: bool = False) -> Iterator[Ending]:
    """While open, SIGINT and SIGTERM call ``request`` with the signal's name, once; a second signal ends the process.

    ``for_good`` leaves the handlers in place, for a process that only has to leave afterwards: with the status of what
    it has done. Outside the main thread nothing can be handled, and nothing is.
    """
    ending = Ending()
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return
    asked = False

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(int(ExitCode.INTERRUPTED if ending.exit_code is None else ending.exit_code))
        asked = True
        if ending.exit_code is None:
            request(signal.Signals(number).name)

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield ending
    finally:
        for number, handler in before.items() if not for_good else ():
            signal.signal(number, handler)
