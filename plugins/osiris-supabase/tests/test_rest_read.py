"""Reading a table through the Data API: every row once, every value exactly, whatever the server does to answers."""

from __future__ import annotations

import pytest

from osiris_core.api import DriverError, InvalidInput, OsirisError, Window
from tests.bench import tuples, types
from tests.servers.rest_bench import ANON, SERVICE, rest, standin, standin_database

__all__ = ["rest", "standin", "standin_database"]


def numbers(bench, rows, *, table="t"):
    bench.make(f"CREATE TABLE {table} (id bigint PRIMARY KEY, name text NOT NULL)", table=table)
    bench.sql(f"INSERT INTO {table} SELECT n, 'row ' || n FROM generate_series(1, {rows}) n")


@pytest.mark.parametrize("cap", [1000, 77])
def test_all_rows_come_in_the_order_of_the_key_though_the_server_cuts_every_answer(rest, cap):
    numbers(rest, 2500)
    rest.standin.max_rows = cap
    found = rest.rows("extractor", table="t")
    assert found == [(n, f"row {n}") for n in range(1, 2501)]
    pages = [request for request in rest.standin.requests if request[0] == "GET" and "limit=" in request[1]]
    assert len(pages) == -(-2500 // cap) + 1  # and one without rows: a short page says nothing
