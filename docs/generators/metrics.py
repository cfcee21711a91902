"""The metric reference, from the vocabulary."""

from __future__ import annotations

from generators.markdown import code, prose, table
from osiris_core.run import metrics

SAMPLE = (
    '{"ts": "…Z", "session": "run_…", "metric": "rows_written", "value": 336776, "unit": "rows", "step": "flights"}'
)


def page() -> str:
    """The page."""
    rows = [(code(metric.name), metric.unit, " and ".join(metric.of), prose(metric.doc)) for metric in metrics.METRICS]
    parts = [
        "# Metrics",
        prose(metrics.__doc__),
        f"```json\n{SAMPLE}\n```",
        "Every line fits [metrics.schema.json](metrics.schema.json).",
        table(("metric", "unit", "of", ""), rows),
    ]
    return "\n\n".join(part.strip() for part in parts)
