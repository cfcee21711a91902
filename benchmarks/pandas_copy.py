"""The same read by SQLAlchemy and pandas, for an environment that has them: ``pandas_copy.py parquet|csv``."""

from __future__ import annotations

import os
import sys

import pandas as pd
import sqlalchemy

(into,) = sys.argv[1:]
engine = sqlalchemy.create_engine(os.environ["OSIRIS_BENCH_SOURCE"])
frame = pd.read_sql_query("SELECT * FROM lineitem", engine)
if into == "parquet":
    frame.to_parquet("by_pandas.parquet")
else:
    frame.to_csv("by_pandas.csv", index=False)
print(len(frame))
