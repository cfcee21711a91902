"""Makes the changes of the upsert benchmark: ``changes.py SOURCE TARGET EXPRESSION`` takes the first sixth of a Parquet
file of lineitem, with the expression for its key, and prints how many rows that is. In a process of its own, because
the memory that a process takes is the least that can be told of its children.
"""

from __future__ import annotations

import sys

import duckdb

source, target, changed = sys.argv[1:]
((rows,),) = duckdb.sql(f"SELECT count(*) // 6 FROM '{source}'").fetchall()
duckdb.sql(f"COPY (SELECT * REPLACE ({changed} AS l_orderkey) FROM '{source}' LIMIT {rows}) TO '{target}'")
print(rows)
