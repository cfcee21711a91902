"""The peer of the file benchmarks: the same job with the DuckDB Python API and nothing else."""

from __future__ import annotations

import sys

import duckdb
from files import TYPES


def main() -> None:
    """``duckdb_alone.py to-parquet|to-csv TARGET [THREADS]``, in a folder with lineitem.csv and lineitem.parquet."""
    job, target, *threads = sys.argv[1:]
    if threads:
        duckdb.sql(f"SET threads = {int(threads[0])}")
    if job == "to-parquet":
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in TYPES.items())
        source = f"read_csv('lineitem.csv', header = true, auto_detect = false, columns = {{{columns}}})"
        options = "FORMAT parquet, COMPRESSION zstd"
    else:
        source, options = "read_parquet('lineitem.parquet')", "FORMAT csv, HEADER"
    duckdb.sql(f"COPY (SELECT * FROM {source}) TO '{target}' ({options})")


if __name__ == "__main__":
    main()
