"""The events of a session as they are written: read again and again from where the last reading ended.

Nothing here waits; who asks again does.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from osiris_core.report.reader import MAX_LINE, RUNNING, read_session
from osiris_core.run.reading import mapping_of, open_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_PIECE: Final = 1 << 20


class Growing:
    """A file of JSON lines that somebody else is writing. ``damaged`` counts the lines that are none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at = 0
        self._half = b""
        self._skipping = False
        self.damaged = 0

    def read(self) -> Iterator[Mapping[str, Any]]:
        """The lines that have become whole since the last time. Half a line waits for its other half."""
        try:
            with open_file(self._path) as file:
                file.seek(self._at)
                while data := file.read(_PIECE):
                    self._at += len(data)
                    yield from self._lines(data)
        except OSError:
            return  # not there yet, or not any more

    def _lines(self, data: bytes) -> Iterator[Mapping[str, Any]]:
        *whole, self._half = (self._half + data).split(b"\n")
        for line in whole:
            value = None if self._skipping else mapping_of(line)
            self._skipping = False
            if value is not None:
                yield value
            elif line.strip():
                self.damaged += 1
        if len(self._half) > MAX_LINE:  # no line of ours: nothing of it is kept
            self._half, self._skipping = b"!", True


def follow(folder: Path, lines: Growing, wait: Callable[[], object]) -> Iterator[Mapping[str, Any]]:
    """The events from ``lines`` until the session in ``folder`` is over, however that came; ``wait`` is called between
    two readings.
    """
    while True:
        over = read_session(folder).status != RUNNING  # before the reading, so that its last words are read
        yield from lines.read()
        if over:
            return
        wait()


def last_events(lines: Growing, number: int) -> list[Mapping[str, Any]]:
    """The last ``number`` of the events that are there now."""
    return list(deque(lines.read(), maxlen=number))
