"""Does memory grow with the row count? Parquet, filter and projection, Parquet, over two sizes."""

from __future__ import annotations

import data
import project
from measure import rounds

SQL = """
SELECT order_id, customer_id, amount * 2 AS doubled, upper(state) AS state, note
FROM df WHERE amount > 100.00 AND state <> 'returned'
"""


def measure(sizes: tuple[int, ...], count: int) -> str:
    """The section of the report."""
    lines = [
        "## Streaming: peak memory",
        "",
        "Synthetic rows, Parquet → `duckdb.processor` (filter, project) → Parquet, through `osiris run`; peak resident",
        f"memory of the whole process, the larger of {count} runs.",
        "",
        "| rows in | rows out | wall s | rows/s | peak MB |",
        "|---|---|---|---|---|",
    ]
    for rows in sizes:
        source = data.synthetic(rows)
        folder = project.project(data.DATA / "memory", {"stream": _steps(source.name)})
        (folder / source.name).hardlink_to(source)
        series = rounds([project.run(folder, "stream")], count)["stream"]
        peak = max(run.peak_mb for run in series.runs)
        published = project.record(folder)["rows"]
        wall = series.best("wall")
        lines.append(f"| {rows:,} | {published:,} | {wall:.1f} | {rows / wall:,.0f} | {peak:.0f} |")
    return "\n".join(lines)


def _steps(source: str) -> list[dict[str, object]]:
    return [
        project.step("read", "filesystem.parquet_extractor", "extract", {"path": source}),
        project.step("narrow", "duckdb.processor", "transform", {"query": SQL}),
        project.step("store", "filesystem.parquet_writer", "write", {"path": "out/narrow.parquet"}),
    ]
