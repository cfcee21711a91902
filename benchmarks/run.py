"""``make bench``: runs every benchmark and writes benchmarks/RESULTS.md.

``--quick`` runs all of them over little data, to see that they work; it prints the report and writes nothing.
``--only memory files servers steps sessions observed`` picks some; the others keep their section of the last report.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

import files
import memory
import observed
import servers
import sessions
import steps

RESULTS: Final = Path(__file__).resolve().parent / "RESULTS.md"
PACKAGES: Final = (
    "osiris-core",
    "osiris-filesystem",
    "osiris-mysql",
    "osiris-observability",
    "osiris-supabase",
    "duckdb",
    "arro3-core",
    "nanoarrow",
    "numpy",
    "psycopg",
    "pymysql",
    "pyyaml",
)


def cases(*, quick: bool) -> dict[str, Callable[[], str]]:
    """The benchmarks by name."""
    if quick:
        return {
            "memory": lambda: memory.measure((100_000, 300_000), 1),
            "files": lambda: files.measure(0.01, 1),
            "servers": lambda: servers.measure(0.002, 1),
            "steps": lambda: steps.measure((3, 30), (100,), 1),
            "sessions": lambda: sessions.measure(200, 1),
            "observed": lambda: observed.measure(3, 1),
        }
    return {
        "memory": lambda: memory.measure((10_000_000, 30_000_000), 2),
        "files": lambda: files.measure(1, 5),
        "servers": lambda: servers.measure(1, 3),
        "steps": lambda: steps.measure((30, 300, 900), (250, 500, 1000), 3),
        "sessions": lambda: sessions.measure(10_000, 5),
        "observed": lambda: observed.measure(30, 5),
    }


def machine() -> str:
    """What it ran on and with."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor() or platform.machine(),
    )
    memory_kb = next((line.split()[1] for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), "0")
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return "\n".join(
        [
            f"- {os.cpu_count()} × {model}, {int(memory_kb) / 1e6:.0f} GB, {platform.system()} {platform.release()}",
            f"- Python {platform.python_version()}; {versions}",
            f"- load average when it began: {load}",
        ]
    )


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", choices=tuple(cases(quick=True)))
    options = parser.parse_args()
    chosen = {
        name: case for name, case in cases(quick=options.quick).items() if name in (options.only or cases(quick=True))
    }
    about = machine()
    sections = _kept() if options.only else {}
    for name, case in chosen.items():
        print(f"measuring {name}", file=sys.stderr, flush=True)
        sections[name] = f"<!-- {name} -->\n{case()}\n\nMeasured with:\n\n{about}"
    ordered = [sections[name] for name in cases(quick=True) if name in sections]
    head = "# Benchmark results\n\nWritten by `make bench`; how each is measured stands in `benchmarks/`."
    report = "\n\n".join([head, *ordered]) + "\n"
    if options.quick:
        print(report)
    else:
        RESULTS.write_text(report, encoding="utf-8")
        print(f"wrote {RESULTS.name}")


def _kept() -> dict[str, str]:
    if not RESULTS.exists():
        return {}
    parts = RESULTS.read_text(encoding="utf-8").split("<!-- ")[1:]
    return {part.partition(" -->")[0]: f"<!-- {part}".strip() for part in parts}


if __name__ == "__main__":
    main()
