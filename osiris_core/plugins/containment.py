"""Running code of a plugin's so that whatever it does becomes a value that names what happened.

Contained: every exception, ``SystemExit``, and exceptions outside ``Exception`` (a panic of a Rust extension is one).
Not contained: ``KeyboardInterrupt``, because the person at the keyboard means the whole program, and what ends or
blocks the process itself (``os._exit``, a crash, an endless loop).

While plugin code is imported or asked, standard output leads to standard error, at the level of Python and of the
process, so that neither ``print`` nor a library's ``printf`` can spoil a JSON document.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
import traceback
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, Generic, TextIO, TypeVar

import attrs

from osiris_core.display import visible_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

MAX_MESSAGE: Final = 300

_STDOUT = threading.RLock()
"""Standard output belongs to the process, so the process has one lock for leading it elsewhere."""


@attrs.frozen(kw_only=True)
class Failure:
    """What plugin code raised: one safe line, the whole traceback, and the exception itself."""

    message: str
    detail: str
    error: BaseException


@attrs.frozen(kw_only=True)
class Outcome(Generic[T]):
    """The result of contained code: ``value`` when ``failure`` is None."""

    value: T | None
    failure: Failure | None
    seconds: float
    printed: bool

    def get(self) -> T:
        """The value; call it only when there is no failure."""
        assert self.failure is None
        return self.value  # type: ignore[return-value]


def contained(action: Callable[[], T]) -> Outcome[T]:
    """Run ``action`` of a plugin's and say what came of it."""
    value: T | None = None
    failure: Failure | None = None
    with _stdout_to_stderr():
        written = _GUARD.written
        started = time.perf_counter()
        try:
            value = action()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - recorded in the outcome
            failure = Failure(message=describe(error), detail=_detail(error), error=error)
        seconds = time.perf_counter() - started
    return Outcome(value=value, failure=failure, seconds=seconds, printed=_GUARD.written != written)


def describe(error: BaseException) -> str:
    """An exception in one safe, bounded line, even when the exception's own ``__str__`` fails."""
    kind = type(error).__name__
    try:
        if isinstance(error, SystemExit):
            return shortened(f"it called sys.exit({error.code!r})")
        text = str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - recorded by saying that there is no message
        text = "(its message cannot be shown)"
    return shortened(f"{kind}: {text}" if text else kind)


def shortened(text: str, limit: int = MAX_MESSAGE) -> str:
    """``text`` on one safe line of at most ``limit`` characters."""
    shown = visible_line(text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _detail(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - the message is recorded, only its traceback is lost
        return ""


class _Guard(io.TextIOBase):
    """Stands in for ``sys.stdout``; passes everything to standard error and counts how often there was something.

    A plugin may keep it (a logging handler does): it goes on writing to standard error.
    """

    def __init__(self) -> None:
        self.written = 0

    @property
    def buffer(self) -> object:
        """The bytes side, for code that writes to ``sys.stdout.buffer``."""
        self.written += 1
        return getattr(sys.stderr, "buffer", io.BytesIO())

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of standard error."""
        return getattr(sys.stderr, "encoding", None) or "utf-8"

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Pass ``text`` to standard error."""
        self.written += 1
        with suppress(OSError, ValueError, UnicodeError, AttributeError):
            sys.stderr.write(text)
        return len(text)

    def close(self) -> None:
        """Nothing: it is everybody's."""

    def flush(self) -> None:
        """Flush standard error."""
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()


_GUARD: Final = _Guard()
"""One for the life of the process: ``print`` of CPython 3.11 holds no reference of its own to the stream it found in
``sys.stdout`` (python/cpython#130163), so a stand-in that ends while another thread prints would crash the process."""


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    with _STDOUT:
        before = sys.stdout
        flush(before, sys.__stdout__)
        kept = point_descriptor_1_at_2()
        sys.stdout = _GUARD
        try:
            yield
        finally:
            if sys.stdout is _GUARD:
                flush(sys.__stdout__)
            sys.stdout = before
            if kept is not None:
                os.dup2(kept, 1)
                os.close(kept)


def point_descriptor_1_at_2() -> int | None:
    """Let descriptor 1 lead where 2 does; the descriptor kept for undoing it, None where there is nothing to move."""
    try:
        kept = os.dup(1)
    except OSError:
        return None
    try:
        os.dup2(2, 1)
    except OSError:
        os.close(kept)
        return None
    return kept


def flush(*streams: TextIO | None) -> None:
    """Flush what can be flushed."""
    for stream in streams:
        with suppress(OSError, ValueError, AttributeError):
            if stream is not None:
                stream.flush()
