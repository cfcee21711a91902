"""What drivers, their libraries and their child processes print: to standard error, through the redactor.

Nobody can be kept from writing to descriptors 1 and 2, so both lead into a pipe, and a thread of ours takes out what
comes: masked, and with acting characters made visible. What the command itself says on standard error goes the same
way; its standard output is a stream of its own (:func:`osiris_core.cli.output.reporting` with ``alone``).
"""

from __future__ import annotations

import atexit
import codecs
import io
import os
import select
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, TextIO

import click

from osiris_core.cli import PROCESS
from osiris_core.cli.output import duplicate
from osiris_core.display import visible
from osiris_core.plugins.containment import flush

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osiris_core.redaction import Redactor

_PIECE: Final = 1 << 16


class Printed:
    """The pipe, and where what comes out of it is shown.

    ``terminal`` is the standard error of before. ``show`` takes redacted text; who draws on the terminal replaces it.
    """

    def __init__(self, redactor: Redactor) -> None:
        self.terminal = duplicate(sys.stderr)
        self.show: Callable[[str], object] = self.write
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._clean = redactor.stream(lambda text: self.show(visible(text)))
        # A carriage return ends a line, too: a bar that counts on one line becomes lines.
        self._decoder = io.IncrementalNewlineDecoder(
            codecs.getincrementaldecoder("utf-8")("backslashreplace"), translate=True
        )
        self._before = sys.stdout, sys.stderr
        flush(*self._before)
        self._kept = os.dup(1), os.dup(2)
        self._end, write = os.pipe()
        self._ended = False
        for number in (1, 2):
            os.dup2(write, number)
        os.close(write)
        # Not closed with us: whoever has taken hold of it goes on writing to where descriptor 2 leads then.
        stream = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
        _STREAMS.append(stream)
        sys.stdout = sys.stderr = stream
        threading.Thread(target=self._pump, name="osiris-printed", daemon=True).start()

    def write(self, text: str) -> None:
        """Write to the terminal; a terminal that has gone must not fail a run."""
        with suppress(OSError, ValueError):
            self.terminal.write(text)
            self.terminal.flush()

    def drain(self) -> None:
        """Show everything that has been printed until now, unfinished lines too."""
        if os.getpid() != self._owner:
            return  # a fork of ours at its end: the lock may never be released there
        flush(sys.stdout, sys.stderr)
        with self._lock:
            while self._take():
                pass
            self._clean.close()

    def undo(self) -> None:
        """Lead standard output and error to where they led before."""
        flush(sys.stdout, sys.stderr)
        for number, kept in zip((1, 2), self._kept, strict=True):
            os.dup2(kept, number)
            os.close(kept)
        sys.stdout, sys.stderr = self._before
        self.drain()
        if self.terminal is not sys.stderr:
            self.terminal.close()

    def end(self) -> None:
        """Show the last of it. What is printed after that, by exit handlers in C, is lost: nobody is left to read."""
        if os.getpid() != self._owner:
            return
        flush(sys.stdout, sys.stderr)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(nowhere, number)
        self.drain()

    def _pump(self) -> None:
        while True:
            self._ready(None)
            with self._lock:
                self._take()
                if self._ended:
                    # Here and nowhere else: the number of a closed descriptor may be another file's by the next poll.
                    os.close(self._end)
                    return

    def _ready(self, milliseconds: int | None) -> bool:
        """Whether something has come. Not by select(), which refuses numbers above 1023: many files may be open."""
        waiting = select.poll()
        waiting.register(self._end, select.POLLIN)
        return bool(waiting.poll(milliseconds))

    def _take(self) -> bool:
        """Take out one piece if there is one."""
        if self._ended or not self._ready(0):
            return False
        piece = os.read(self._end, _PIECE)
        self._clean.feed(self._decoder.decode(piece, final=not piece))
        self._ended = not piece
        return bool(piece)


_STREAMS: Final[list[TextIO]] = []
"""Kept for ever: ``print`` of CPython 3.11 holds no reference to the stream it writes to (python/cpython#130163)."""


@contextmanager
def printed(redactor: Redactor) -> Iterator[Printed]:
    """Redact what is printed; until the process ends where it is ours, because threads and exit handlers print, too."""
    one = Printed(redactor)
    ours = click.get_current_context().obj is PROCESS
    if ours:
        atexit.register(one.end)
    try:
        yield one
    finally:
        if ours:
            one.drain()
        else:
            one.undo()
