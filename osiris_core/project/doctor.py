"""Checks connections, all at once, each in a process of its own, none longer than its time.

A check runs a plugin's code against a system that may not answer: it can hang where no thread can be stopped, print,
crash, or end the process. So it does that in a child, which is killed with everything it started when its time is up.
The child resolves the connection itself; no secret passes between the two, and what comes back is redacted.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.project import doctor_child

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from osiris_core.project.connection_entry import ConnectionEntry
    from osiris_core.project.settings import Loaded

_START_SECONDS: Final = 60.0
"""How long a child may take to start, on a busy machine; what it checks has not begun then."""

_GRACE_SECONDS: Final = 1.0
_TURN_SECONDS: Final = 0.2
_MAX_AT_ONCE: Final = 32


@attrs.frozen(kw_only=True)
class Checkup:
    """What a check found. ``latency_ms`` is how long the check itself took, None when it did not come to it."""

    ref: str
    ok: bool
    category: str
    message: str
    hint: str | None = None
    latency_ms: float | None = None
    details: dict[str, Any] = attrs.field(factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The finding as plain data."""
        return attrs.asdict(self)


def check_all(
    entries: Sequence[ConnectionEntry],
    loaded: Loaded,
    *,
    timeout: float,
    done: Callable[[Checkup], None] = lambda _: None,
) -> tuple[Checkup, ...]:
    """Check ``entries`` concurrently, each for at most ``timeout`` seconds; the findings in the order of ``entries``.

    ``done`` is called with each finding as it comes, from other threads. An interrupt ends every child.
    """
    if not entries:
        return ()
    children = _Children()

    def check(entry: ConnectionEntry) -> Checkup:
        found = _check(entry.ref, loaded, timeout, children)
        done(found)
        return found

    with ThreadPoolExecutor(max_workers=min(len(entries), _MAX_AT_ONCE)) as pool:
        try:
            futures = [pool.submit(check, entry) for entry in entries]
            # In turns: a signal that comes just before a wait begins is noticed only when the wait ends.
            while wait(futures, timeout=_TURN_SECONDS).not_done:
                pass
            return tuple(future.result() for future in futures)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            children.end()
            raise


class _Children:
    """The processes that run; after :meth:`end` none does, and none that starts lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._ended = False

    def add(self, child: subprocess.Popen[bytes]) -> None:
        """Take notice of a process that has started."""
        with self._lock:
            self._running.add(child)
            if self._ended:
                _signal(child)

    def discard(self, child: subprocess.Popen[bytes]) -> None:
        """Forget a process that has ended."""
        with self._lock:
            self._running.discard(child)

    def end(self) -> None:
        """Kill every process."""
        with self._lock:
            self._ended = True
            for child in self._running:
                _signal(child)


def _check(ref: str, loaded: Loaded, timeout: float, children: _Children) -> Checkup:
    plugins = loaded.settings.plugins
    request = {
        "root": str(loaded.project.root),
        "ref": ref,
        "timeout": timeout,
        "allow": plugins.allow,
        "block": plugins.block,
    }
    child = subprocess.Popen(  # noqa: S603 - this interpreter, a module of ours
        [sys.executable, "-P", "-m", doctor_child.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None if os.environ.get("OSIRIS_DEBUG") == "1" else subprocess.DEVNULL,
        start_new_session=True,
    )
    children.add(child)
    answers: queue.Queue[bytes] = queue.Queue()
    reader = threading.Thread(target=_read, args=(child, answers), daemon=True)
    reader.start()
    try:
        assert child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died already; the answer says so
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
        return _listen(ref, child, answers, timeout)
    finally:
        _kill(child)
        children.discard(child)


def _listen(ref: str, child: subprocess.Popen[bytes], answers: queue.Queue[bytes], timeout: float) -> Checkup:
    """Wait for the child to be ready, then for its finding."""
    seconds, late = _START_SECONDS, f"the check did not start within {_START_SECONDS:g} seconds"
    while True:
        started = time.monotonic()
        try:
            line = answers.get(timeout=seconds)
        except queue.Empty:
            elapsed = (time.monotonic() - started) * 1000
            return Checkup(ref=ref, ok=False, category="timeout", message=late, latency_ms=round(elapsed, 1))
        answer = _parse(line)
        if answer == doctor_child.READY:
            seconds, late = timeout + _GRACE_SECONDS, f"no answer within {timeout:g} seconds"
        elif answer is not None:
            return Checkup(ref=ref, **answer)
        else:
            child.wait()
            message = f"the check ended its process (status {child.returncode})"
            return Checkup(
                ref=ref, ok=False, category="internal", message=message, hint="report it to the plugin's author"
            )


def _read(child: subprocess.Popen[bytes], answers: queue.Queue[bytes]) -> None:
    assert child.stdout is not None
    with contextlib.suppress(OSError, ValueError):  # closed by the kill
        for line in child.stdout:
            answers.put(line)
    answers.put(b"")


def _parse(line: bytes) -> dict[str, Any] | None:
    """What the child said; None for the end of its output."""
    try:
        answer = json.loads(line)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it has started, and wait for it."""
    _signal(child)
    child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _signal(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
