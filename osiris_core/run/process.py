"""Which process a record belongs to, and whether that process still lives."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class ProcessMark:
    """A process, told apart from a later one with the same number by the time it started.

    ``started`` is opaque: ticks since boot with the boot's id on Linux, ``ps``'s text elsewhere.
    """

    pid: int
    started: str
    host: str


def this_process() -> ProcessMark:
    """The mark of the calling process."""
    pid = os.getpid()
    return ProcessMark(pid=pid, started=_started(pid) or "", host=socket.gethostname())


def began() -> float | None:
    """When the calling process started, by the monotonic clock (to a hundredth of a second); None where the system
    does not say.
    """
    try:
        status = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
        ticks = int(status.rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError, IndexError):
        return None
    return time.monotonic() - age if age >= 0 else None


def is_alive(mark: ProcessMark) -> bool:
    """Whether the marked process lives; a process of another host is taken to live, because nothing can be known."""
    if mark.host != socket.gethostname():
        return True
    return mark.started != "" and _started(mark.pid) == mark.started


def _started(pid: int) -> str | None:
    """When the process ``pid`` started, or None when there is none (a zombie counts as none)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    except (OSError, ProcessLookupError):
        return None
    # The command's name stands in parentheses and may hold anything: fields are counted after the last one.
    fields = status.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"


def _started_by_ps(pid: int) -> str | None:
    shown = subprocess.run(  # noqa: S603 - fixed program, a number as argument
        ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout.strip() or None
