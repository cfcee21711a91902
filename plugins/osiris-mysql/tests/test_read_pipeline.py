"""Whole pipelines that begin at a MySQL server, through the command: incremental loads, parts, failures, memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris

ROOT = Path(__file__).resolve().parents[3]


class Project:
    """A project folder with a server and a DuckDB file."""

    def __init__(self, server, name, folder):
        self.server = server
        self.name = name
        self.folder = folder
        shop = {"host": server.host, "port": server.port, "user": server.user, "database": name}
        shop["password"] = "${MYSQL_PASSWORD}"  # pragma: allowlist secret
        connections = {"mysql": {"shop": shop}, "duckdb": {"here": {"path": "out.duckdb"}}}
        (folder / "osiris.yaml").write_text("")
        (folder / "osiris_connections.yaml").write_text(json.dumps({"version": 1, "connections": connections}))

    def sql(self, *statements):
        return self.server.execute(*statements, database=self.name)

    def run(self, read, write, *arguments, code=0):
        steps = [
            {
                "id": "read",
                "component": "mysql.extractor",
                "mode": "extract",
                "config": {"connection": "@mysql.shop", **read},
            },
            {
                "id": "load",
                "component": "duckdb.writer",
                "mode": "write",
                "needs": ["read"],
                "config": {"connection": "@duckdb.here", "table": "t", **write},
            },
        ]
        (self.folder / "p.yaml").write_text(json.dumps({"oml_version": "0.1.0", "name": "p", "steps": steps}))
        done = CliRunner().invoke(osiris, ["run", "p.yaml", *arguments])
        assert done.exit_code == code, done.output
        return done.output

    def loaded(self, sql="SELECT * FROM t ORDER BY ALL"):
        with duckdb.connect(str(self.folder / "out.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def record(self):
        return b"".join(path.read_bytes() for path in (self.folder / "logs").rglob("*") if path.is_file())


@pytest.fixture
def project(mariadb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYSQL_PASSWORD", mariadb.password)
    with mariadb.database() as name:
        yield Project(mariadb, name, tmp_path)


def test_loads_go_on_from_where_the_last_one_ended(project):
    project.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(10), at TIMESTAMP(6) NULL)",
        "SET time_zone = '+00:00'",
    )
    project.sql("INSERT INTO t VALUES (1, 'a', '2024-05-06 07:08:09.000001'), (2, 'b', '2024-05-06 07:08:09.000002')")
    read = {"table": "t", "incremental": {"cursor": "at"}}
    write = {"mode": "upsert", "primary_key": ["id"]}
    project.run(read, write)
    assert project.loaded("SELECT id FROM t ORDER BY id") == [(1,), (2,)]
    project.sql(
        "INSERT INTO t VALUES (3, 'tie', '2024-05-06 07:08:09.000002'), (4, 'new', '2024-05-07 00:00:00')",
        "UPDATE t SET name = 'old news' WHERE id = 1",
        "UPDATE t SET name = 'B' WHERE id = 2",
    )
    project.run(read, write)
    assert project.loaded("SELECT id, name FROM t ORDER BY id") == [(1, "a"), (2, "B"), (3, "tie"), (4, "new")]
    project.run(read, write, "--full-refresh")
    assert project.loaded("SELECT name FROM t WHERE id = 1") == [("old news",)]


def test_a_query_appends_what_is_new(project):
    project.sql("CREATE TABLE t (id BIGINT UNSIGNED PRIMARY KEY)", "INSERT INTO t VALUES (1), (18446744073709551614)")
    read = {
        "query": "SELECT id, :tag AS tag FROM t ORDER BY id",
        "query_params": {"tag": "x"},
        "incremental": {"cursor": "id", "primary_key": ["id"]},
    }
    project.run(read, {"mode": "append"})
    project.sql("INSERT INTO t VALUES (18446744073709551615)")
    project.run(read, {"mode": "append"})
    assert [row[0] for row in project.loaded()] == [1, 2**64 - 2, 2**64 - 1]


def test_parts_of_a_table_are_loaded_together(project, numbers):
    project.sql("CREATE TABLE t (id INT PRIMARY KEY)", f"INSERT INTO t SELECT seq FROM {numbers(60_000)}")
    project.run({"table": "t", "partition_on": "id"}, {"mode": "replace"}, "--jobs", "4")
    assert project.loaded("SELECT count(*), count(DISTINCT id), sum(id) FROM t") == [(60_000, 60_000, 1_800_030_000)]


def test_a_failure_says_what_and_shows_no_password(project):
    project.sql("CREATE TABLE t (d DATE)")
    project.server.execute("SET SESSION sql_mode = ''", "INSERT INTO t VALUES ('0000-00-00')", database=project.name)
    shown = project.run({"table": "t"}, {"mode": "replace"}, code=1)
    assert "OSR-MYSQL-023" in shown
    assert "0000-00-00" in shown
    assert "zero_dates" in shown
    (project.folder / "osiris_connections.yaml").write_text(
        (project.folder / "osiris_connections.yaml").read_text().replace(project.name, "no_such_database")
    )
    shown = project.run({"table": "t"}, {"mode": "replace"}, code=5)
    assert "OSR-MYSQL-003" in shown
    assert project.server.password not in shown
    assert project.server.password.encode() not in project.record()


MEASURED = """
import json, sys
given = json.load(sys.stdin)
sys.path.insert(0, given["root"])
from pathlib import Path
from osiris_core.api import SecretStr
from tests.bench import Bench
bench = Bench(Path(given["folder"]), "mysql")
bench.connect(**{**given["connection"], "password": SecretStr(given["password"])})
config = bench.configured("extractor", {"query": given["query"]})
out = bench.driver("extractor").run(step_id="s", config=config, inputs={}, ctx=bench.context("extractor"))
rows = sum(batch.num_rows for batch in out["df"].batches())
# Not the resource usage of this process: its peak begins with that of the process which started it.
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(rows, int(status["VmHWM"].split()[0]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize(("rows", "width"), [(3_000_000, 100), (30_000, 20_000), (400, 1_000_000), (25, 15_000_000)])
def test_memory_does_not_grow_with_the_rows(mariadb, tmp_path, rows, width, numbers):
    """Some 300 to 600 MB, in rows of any width, pass through less than 300 MB."""
    query = f"SELECT seq, REPEAT('x', {width}) AS t FROM {numbers(rows)}"
    place = {"host": mariadb.host, "port": mariadb.port, "user": mariadb.user, "database": "mysql"}
    given = {
        "root": str(ROOT),
        "folder": str(tmp_path),
        "connection": place,
        "password": mariadb.password,
        "query": query,
    }
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found, megabytes = map(int, done.stdout.split())
    assert found == rows
    assert megabytes < 300
