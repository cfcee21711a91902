"""The same copy by dlt, for an environment that has it: ``dlt_copy.py BACKEND parquet|csv|postgres``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import dlt
from dlt.sources.sql_database import sql_table

backend, into = sys.argv[1:]
url = os.environ["OSIRIS_BENCH_SOURCE"]
source = sql_table(
    credentials=url, table="lineitem", backend=backend, chunk_size=100_000, reflection_level="full_with_precision"
)
if into != "postgres":
    destination = dlt.destinations.filesystem(bucket_url=f"{Path.cwd().as_uri()}/out")
    options = {"loader_file_format": into}
else:
    destination, options = dlt.destinations.postgres(credentials=os.environ["OSIRIS_BENCH_TARGET"]), {}
pipeline = dlt.pipeline("lineitem", destination=destination, dataset_name=f"by_dlt_{backend}")
print(pipeline.run(source, write_disposition="replace", **options))
