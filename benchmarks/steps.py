"""What does a step cost that does nothing, and does the cost grow with the number of steps?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import data
import project
from measure import Command, rounds

IDLE = Path(__file__).resolve().parent / "idle"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(IDLE)}


def measure(running: tuple[int, ...], compiled: tuple[int, ...], count: int) -> str:
    """The section of the report."""
    return "\n\n".join([_running(running, count), _compiling(compiled, count)])


def triples(steps: int) -> list[dict[str, Any]]:
    """Extract, transform, write; again and again, independent of each other."""
    found = []
    for number in range(steps // 3):
        found += [
            project.step(f"read-{number}", "idle.extractor", "extract", {}),
            project.step(f"pass-{number}", "idle.processor", "transform", {}),
            project.step(f"store-{number}", "idle.writer", "write", {}),
        ]
    return found


def _running(sizes: tuple[int, ...], count: int) -> str:
    lines = [
        "## Steps: overhead of the runtime",
        "",
        "Extract, transform and write of one row with drivers that do nothing (`benchmarks/idle`), so that all time is",
        "the runtime's: scheduling, threads, streams, metering, events on disk. `osiris run --jobs 1`; the duration is",
        f"the run's own, without the start of the process. Best of {count}.",
        "",
        "| steps | run ms | ms a step |",
        "|---|---|---|",
    ]
    best: dict[int, float] = {}
    for steps in sizes:
        folder = project.project(data.DATA / f"idle-{steps}", {"idle": triples(steps)})
        durations = []
        for _ in range(count):
            rounds([project.run(folder, "idle", None, "--jobs", "1", env=ENVIRONMENT)], 1)
            durations.append(float(project.record(folder)["duration_ms"]))
        best[steps] = min(durations)
        lines.append(f"| {steps} | {best[steps]:.0f} | {best[steps] / steps:.2f} |")
    low, high = min(sizes), max(sizes)
    slope = (best[high] - best[low]) / (high - low)
    return "\n".join([*lines, "", f"- **{slope:.2f} ms** for each further step (slope between {low} and {high})"])


def _compiling(sizes: tuple[int, ...], count: int) -> str:
    lines = [
        "## Compile",
        "",
        "`osiris compile` of a chain of SQL transforms, as a whole process.",
        "",
        "| steps | document KB | wall s, best (median) | peak MB |",
        "|---|---|---|---|",
    ]
    for steps in sizes:
        folder = project.project(data.DATA / f"compile-{steps}", {"chain": _chain(steps)})
        command = Command(name="compile", argv=(project.OSIRIS, "compile", "chain.yaml"), cwd=folder)
        series = rounds([command], count)["compile"]
        size = (folder / "chain.yaml").stat().st_size / 1000
        wall = f"{series.best('wall'):.2f} ({series.median('wall'):.2f})"
        lines.append(f"| {steps} | {size:.0f} | {wall} | {series.best('peak_mb'):.0f} |")
    return "\n".join(lines)


def _chain(steps: int) -> list[dict[str, Any]]:
    sql = "SELECT a, a + :n AS next FROM df WHERE a IS NOT NULL"
    middle = [
        project.step(f"s{n}", "duckdb.processor", "transform", {"query": sql, "query_params": {"n": n}})
        for n in range(steps - 2)
    ]
    return [
        project.step("read", "filesystem.csv_extractor", "extract", {"path": "one.csv"}),
        *middle,
        project.step("store", "filesystem.csv_writer", "write", {"path": "out/one.csv"}),
    ]
