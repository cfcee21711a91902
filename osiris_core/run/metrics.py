"""The vocabulary of measurements: every metric of the runtime's own, with its unit.

A line of ``metrics.jsonl`` is ``{"ts", "session", "metric", "value", "unit", "step"}``; ``step`` is null for the run as
a whole. A driver's own metric is named ``<plugin>.<name>`` and has the unit that the driver says. Rates follow: rows or
bytes by duration.
"""

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen(kw_only=True)
class Metric:
    """A measurement: of the ``run``, of each ``step``, or of both."""

    name: str
    unit: str
    of: tuple[str, ...]
    doc: str


METRICS: Final = (
    Metric(
        name="bootstrap",
        unit="ms",
        of=("run",),
        doc="From the beginning of the command's process (of the call, where the process is another's) until the first "
        "step is about to start: start, plugins, compilation, connections, and with `--isolate` the second process. "
        "Missing when no step is started.",
    ),
    Metric(
        name="rows",
        unit="rows",
        of=("run",),
        doc="Rows published by writers; without writers, rows extracted.",
    ),
    Metric(
        name="duration",
        unit="ms",
        of=("run", "step"),
        doc="Of a run, from the opening of its record to its end; of a step, from its start until its rows had been "
        "taken over.",
    ),
    Metric(name="rows_read", unit="rows", of=("step",), doc="Rows it took, from its source or its inputs."),
    Metric(name="rows_written", unit="rows", of=("step",), doc="Rows it gave, to the next steps or its destination."),
    Metric(name="bytes", unit="bytes", of=("step",), doc="Arrow bytes of the rows it gave; a writer: took."),
    Metric(
        name="rows_dropped",
        unit="rows",
        of=("step",),
        doc="Rows of an incremental extract that an earlier load had appended already.",
    ),
)

BY_NAME: Final = {metric.name: metric for metric in METRICS}
