"""Makes what the benchmarks read, once, under benchmarks/.data."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import duckdb

DATA: Final = Path(__file__).resolve().parent / ".data"


def synthetic(rows: int) -> Path:
    """A Parquet file of ``rows`` made-up orders: integers, decimals, floats, times and text of mixed cardinality.

    Made in a process of its own, because the memory that this one has taken is the least that can be told of a child.
    """
    target = DATA / f"orders-{rows}.parquet"
    if not target.exists():
        DATA.mkdir(exist_ok=True)
        part = target.with_suffix(".part")
        subprocess.run([sys.executable, __file__, str(rows), str(part)], check=True)
        part.rename(target)
    return target


def lineitem(scale: float) -> tuple[Path, Path]:
    """TPC-H lineitem at ``scale`` (1 is 6 million rows), as Parquet and as CSV, both as tpchgen-cli writes them."""
    folder = DATA / f"tpchgen-{scale:g}"
    parquet, csv = folder / "lineitem.parquet", folder / "lineitem.csv"
    if not (parquet.exists() and csv.exists()):
        making = DATA / f"tpchgen-{scale:g}.part"
        shutil.rmtree(making, ignore_errors=True)
        tool = Path(sys.executable).with_name("tpchgen-cli")
        for kind in ("parquet", "csv"):
            made = [tool, kind, "-s", f"{scale:g}", "--tables=lineitem", f"--output-dir={making}"]
            subprocess.run([str(part) for part in made], check=True, stdout=subprocess.DEVNULL)
        making.rename(folder)
    return parquet, csv


def _make(rows: str, target: str) -> None:
    duckdb.sql(f"""
        COPY (
            SELECT i AS order_id, hash(i) % 1000003 AS customer_id,
                   ((hash(i, 1) % 1000000) / 100)::DECIMAL(12, 2) AS amount,
                   (hash(i, 2) % 10000) / 9999 AS score,
                   TIMESTAMP '2020-01-01' + INTERVAL (i % 100000000) SECOND AS placed_at,
                   ['new', 'paid', 'sent', 'returned'][1 + (hash(i, 3) % 4)::INT] AS state,
                   'customer ' || (hash(i, 4) % 5000000)::VARCHAR AS note
            FROM range({int(rows)}) t(i)
        ) TO '{target}' (FORMAT parquet, COMPRESSION zstd)
    """)


if __name__ == "__main__":
    _make(*sys.argv[1:])
