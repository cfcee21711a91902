"""What does it cost a run to be observed: by a receiver that answers, and by one that nobody is behind?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import data
import project
from measure import Command, rounds
from steps import IDLE, triples

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.servers.collectors import Collector
from tests.servers.ports import free_port


def measure(steps: int, count: int) -> str:
    """The section of the report."""
    folder = project.project(data.DATA / f"observed-{steps}", {"idle": triples(steps)})
    with Collector() as collector:
        nobody = f"http://127.0.0.1:{free_port()}"
        commands = [
            _command(folder, "not configured", {}),
            _command(folder, "OpenTelemetry", {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}),
            _command(folder, "OpenLineage", {"OPENLINEAGE_URL": collector.url}),
            _command(folder, "OpenTelemetry, nobody there", {"OTEL_EXPORTER_OTLP_ENDPOINT": nobody}),
        ]
        found = rounds(commands, count)
    lines = [
        "## Observed: what `osiris-observability` costs",
        "",
        f"The {steps} steps that do nothing of the section above, as a whole process, with the plugin installed. The",
        "receiver runs beside it on the loopback. Where nobody is, the run waits its limit of 5 s at the end.",
        f"Best (median) of {count}.",
        "",
        "| receiver | wall s | CPU s |",
        "|---|---|---|",
    ]
    lines += [
        f"| {name} | {one.best('wall'):.2f} ({one.median('wall'):.2f}) | {one.best('cpu'):.2f} "
        f"({one.median('cpu'):.2f}) |"
        for name, one in found.items()
    ]
    return "\n".join(lines)


def _command(folder: Path, name: str, variables: dict[str, str]) -> Command:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "OPENLINEAGE_"))}
    env = {**kept, "PYTHONPATH": str(IDLE), **variables}
    return project.run(folder, "idle", name, "--jobs", "1", env=env)
