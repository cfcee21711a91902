"""All 22 TPC-H queries as one pipeline, one processor step each, against DuckDB alone and against SQLite.

DuckDB runs the same SQL directly on the generated files. SQLite is the second witness: another engine, with binary
floating point where DuckDB has decimals, so its numbers are compared to twelve digits.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

pytestmark = pytest.mark.slow

QUERIES = {path.stem: path.read_text() for path in sorted((Path(__file__).parent / "tpch").glob("q*.sql"))}
TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")
SCALE = "0.01"


def reads(query):
    """The tables a query names."""
    return [table for table in TABLES if re.search(rf"\b{table}\b", query)]


def document():
    """The pipeline: each table is extracted once and spooled for the queries that read it."""
    steps = [
        {
            "id": table,
            "component": "duckdb.extractor",
            "mode": "extract",
            "config": {"connection": "@duckdb.source", "table": table},
        }
        for table in TABLES
    ]
    for name, query in QUERIES.items():
        steps.append(
            {
                "id": name,
                "component": "duckdb.processor",
                "mode": "transform",
                "needs": reads(query),
                "config": {"query": query},
            }
        )
        config = {"connection": "@duckdb.answers", "table": name, "mode": "replace"}
        steps.append(
            {"id": f"store-{name}", "component": "duckdb.writer", "mode": "write", "needs": [name], "config": config}
        )
    return {"oml_version": "0.1.0", "name": "tpch", "steps": steps}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tpch")
    tool = Path(sys.executable).with_name("tpchgen-cli")
    command = [str(tool), "parquet", "-s", SCALE, f"--output-dir={folder}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def project(data, tmp_path_factory):
    """The project after one run of the pipeline."""
    root = tmp_path_factory.mktemp("project")
    (root / "osiris.yaml").write_text("run: {jobs: 2}\n")
    (root / "osiris_connections.yaml").write_text(
        "connections:\n  duckdb:\n    source: {path: source.duckdb}\n    answers: {path: answers.duckdb}\n"
    )
    (root / "tpch.yaml").write_text(json.dumps(document()))
    source = duckdb.connect(str(root / "source.duckdb"))
    for table in TABLES:
        source.execute(f"CREATE TABLE {table} AS FROM '{data}/{table}.parquet'")
    source.close()
    command = [sys.executable, "-c", "from osiris_core.cli import main; main()", "run", "tpch.yaml", "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return root, json.loads(done.stdout)


@pytest.fixture(scope="module")
def answers(project):
    root, _ = project
    connection = duckdb.connect(str(root / "answers.duckdb"), read_only=True)
    yield {name: connection.execute(f"SELECT * FROM {name} ORDER BY rowid").fetchall() for name in QUERIES}
    connection.close()


@pytest.fixture(scope="module")
def alone(data):
    """What DuckDB gives for the same SQL, directly on the files."""
    connection = duckdb.connect()
    for table in TABLES:
        connection.execute(f"CREATE VIEW {table} AS FROM '{data}/{table}.parquet'")
    return {name: connection.execute(query).fetchall() for name, query in QUERIES.items()}


@pytest.fixture(scope="module")
def witness(data):
    """What SQLite gives."""
    with closing(sqlite3.connect(":memory:")) as connection:
        fill(connection, data)
        return {name: connection.execute(in_sqlite(query)).fetchall() for name, query in QUERIES.items()}


def fill(connection, data):
    """The tables in SQLite, indexed, because it knows no other join than one by an index."""
    source = duckdb.connect()
    for table in TABLES:
        result = source.execute(f"FROM '{data}/{table}.parquet'")
        names = [column[0] for column in result.description]
        connection.execute(f"CREATE TABLE {table} ({', '.join(names)})")
        rows = ([plain(value) for value in row] for row in result.fetchall())
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", rows)
    for table, columns in (
        ("lineitem", "l_orderkey"),
        ("lineitem", "l_partkey, l_suppkey"),
        ("orders", "o_orderkey"),
        ("orders", "o_custkey"),
        ("partsupp", "ps_partkey, ps_suppkey"),
        ("customer", "c_custkey"),
        ("part", "p_partkey"),
        ("supplier", "s_suppkey"),
    ):
        connection.execute(f"CREATE INDEX {table}_{columns.replace(', ', '_')} ON {table} ({columns})")
    connection.execute("ANALYZE")


def in_sqlite(query):
    query = re.sub(r"DATE ('[\d-]+')", r"\1", query)
    return re.sub(r"extract\(year FROM (\w+)\)", r"CAST(strftime('%Y', \1) AS INTEGER)", query)


def plain(value):
    if isinstance(value, decimal.Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, dt.date) else value


def close(ours, theirs):
    """Whether two rows are equal, numbers to twelve digits."""
    return len(ours) == len(theirs) and all(
        math.isclose(float(one), float(other), rel_tol=1e-12)
        if isinstance(one, int | float | decimal.Decimal)
        else plain(one) == other
        for one, other in zip(ours, theirs, strict=True)
    )


def test_there_are_22_queries():
    assert len(QUERIES) == 22


def test_the_run_says_what_it_did(project, answers):
    _, said = project
    assert said["ok"]
    assert said["rows"] == sum(len(rows) for rows in answers.values())


@pytest.mark.parametrize("name", QUERIES)
def test_the_answer_is_that_of_duckdb_alone(name, answers, alone):
    assert answers[name] == alone[name]


@pytest.mark.parametrize("name", QUERIES)
def test_the_answer_is_that_of_sqlite(name, answers, witness):
    ours, theirs = answers[name], witness[name]
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert close(one, other), (one, other)


def test_the_queries_are_not_vacuous(answers):
    """At this scale three queries find nothing or one row of NULL; the others must find something."""
    empty = {name for name, rows in answers.items() if not rows or all(value is None for value in rows[0])}
    assert empty <= {"q02", "q17", "q18", "q19", "q20"}
