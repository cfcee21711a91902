"""What the machine offers a run, and what the settings leave of it."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from osiris_core import __version__
from osiris_core.project.literals import size_in_bytes
from osiris_core.run.state import Limits

if TYPE_CHECKING:
    from osiris_core.project.settings_model import RunSettings

_SHARE: Final = 0.6
"""Of the memory that is free: DuckDB's limit does not cover everything, and Arrow batches come on top."""

_UNKNOWN: Final = 1 << 30

CONTROL_GROUP: Final = Path("/sys/fs/cgroup")


def limits_of(settings: RunSettings) -> Limits:
    """The limits of a run under ``settings``; what they leave open, the machine decides."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = size_in_bytes(settings.memory_limit) if settings.memory_limit else int(available_memory() * _SHARE)
    return Limits(
        jobs=settings.jobs or cpus,
        attempts=settings.retries + 1,
        memory=memory,
        threads=settings.threads or cpus,
        partitions=settings.partitions or 1,
        timeout=settings.timeout,
    )


def surroundings(limits: Limits, record: Path) -> dict[str, Any]:
    """What a record says about the machine and the versions of a run, and where it is itself."""
    return {
        "record": str(record.absolute()),
        "pid": os.getpid(),
        "osiris": __version__,
        "python": platform.python_version(),
        "duckdb": metadata.version("duckdb"),
        "platform": f"{platform.system()} {platform.machine()}",
        "jobs": limits.jobs,
        "threads": limits.threads,
        "memory": limits.memory,
        "partitions": limits.partitions,
        "timeout": limits.timeout,
    }


def available_memory() -> int:
    """Bytes that this process may still take: of the machine, or of its control group when that is less."""
    free = [value for value in (_machine(), _control_group()) if value is not None]
    return min(free, default=_UNKNOWN)


def _machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def _control_group() -> int | None:
    """What control group version 2 leaves; None without a limit (or with version 1)."""
    try:
        limit = (CONTROL_GROUP / "memory.max").read_text(encoding="ascii").strip()
        used = (CONTROL_GROUP / "memory.current").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return max(0, int(limit) - int(used)) if limit != "max" else None
