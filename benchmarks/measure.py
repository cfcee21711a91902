"""Runs a command as a child process and says what it took: wall time, CPU time and peak memory of that process alone.

Rounds interleave the contenders (A B A B …), so that a busy minute of the machine hits all of them; the minimum and the
median over rounds are reported. Nothing here asserts a time.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class Taken:
    """What one run of a command took."""

    wall: float
    cpu: float
    peak_mb: float


@attrs.frozen(kw_only=True)
class Command:
    """A contender: its command line, its folder, and what makes the ground even before each run."""

    name: str
    argv: Sequence[str | Path]
    cwd: Path
    before: Callable[[], None] | None = None
    env: Mapping[str, str] | None = None


@attrs.frozen(kw_only=True)
class Series:
    """The runs of one contender."""

    name: str
    runs: tuple[Taken, ...]

    def best(self, what: str) -> float:
        """The minimum over rounds of ``wall``, ``cpu`` or ``peak_mb``."""
        return min(getattr(run, what) for run in self.runs)

    def median(self, what: str) -> float:
        """The median over rounds."""
        return statistics.median(getattr(run, what) for run in self.runs)


def once(command: Command) -> Taken:
    """Run it; its own resource usage comes from wait4, so no other child is counted. Ends the program if it fails."""
    if command.before:
        command.before()
    log = command.cwd / f"{command.name.replace(' ', '-').replace('/', '-')}.log"
    with log.open("wb") as output:
        started = time.perf_counter()
        argv = [str(part) for part in command.argv]
        child = subprocess.Popen(argv, cwd=command.cwd, env=command.env, stdout=output, stderr=output)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{command.name} ended with {child.returncode}:\n{log.read_text(errors='replace')[-4000:]}")
    # ru_maxrss is in KiB on Linux, in bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return Taken(wall=wall, cpu=usage.ru_utime + usage.ru_stime, peak_mb=usage.ru_maxrss * unit / 1e6)


def rounds(commands: Sequence[Command], count: int) -> Mapping[str, Series]:
    """``count`` interleaved rounds of ``commands``, the order turned around in every other round."""
    taken: dict[str, list[Taken]] = {command.name: [] for command in commands}
    for number in range(count):
        for command in commands if number % 2 == 0 else reversed(commands):
            taken[command.name].append(once(command))
    return {name: Series(name=name, runs=tuple(runs)) for name, runs in taken.items()}
