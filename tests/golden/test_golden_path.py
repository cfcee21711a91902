"""Flights in MySQL, joined by SQL, upserted into Supabase: run twice, then on from where the last run ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

DATA = Path(__file__).resolve().parents[2] / "examples" / "flights" / "data"
PIPELINE = """\
oml_version: 0.1.0
name: flights
steps:
  - id: flights
    component: mysql.extractor
    mode: extract
    config:
      connection: "@mysql.shop"
      table: flights
      incremental: {cursor: changed_at, primary_key: [id]}
  - id: airlines
    component: mysql.extractor
    mode: extract
    config:
      connection: "@mysql.shop"
      query: SELECT carrier, name FROM airlines WHERE name <> :none
      query_params: {none: ""}
  - id: named
    component: duckdb.processor
    mode: transform
    needs: [flights, airlines]
    config:
      query: >
        SELECT f.id, f.changed_at, f.dep_delay, f.distance, a.name AS airline
        FROM flights AS f JOIN airlines AS a USING (carrier)
  - id: load
    component: supabase.writer
    mode: write
    needs: [named]
    config:
      connection: "@supabase.mart"
      table: flights
      mode: upsert
      primary_key: [id]
"""
CONNECTIONS = """\
version: 1
connections:
  mysql:
    shop: {{host: {my.host}, port: {my.port}, user: {my.user}, password: "${{MY_PASSWORD}}", database: {database}}}
  supabase:
    mart: {{dsn: "${{PG_DSN}}", tls: disable}}
"""
ROWS = 3000
KEPT = "id, changed_at, dep_delay, distance, airline"


@pytest.fixture
def source(mariadb):
    """A database with flights and airlines; one row in ten has no delay."""
    with mariadb.database() as name:
        flights = duckdb.sql(
            f"SELECT row_number() OVER (ORDER BY time_hour, carrier, flight, origin) AS id, carrier, dep_delay, distance"
            f" FROM '{DATA / 'flights.parquet'}' LIMIT {ROWS}"
        ).fetchall()
        airlines = duckdb.sql(f"SELECT carrier, name FROM '{DATA / 'airlines.parquet'}'").fetchall()
        mariadb.execute(
            "CREATE TABLE airlines (carrier VARCHAR(2) PRIMARY KEY, name VARCHAR(60) NOT NULL)",
            "CREATE TABLE flights (id BIGINT PRIMARY KEY, carrier VARCHAR(2) NOT NULL, dep_delay DOUBLE, "
            "distance DOUBLE, changed_at DATETIME(6) NOT NULL DEFAULT '2024-01-01 00:00:00')",
            database=name,
        )
        connection = mariadb.connect(name)
        with connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO airlines VALUES (%s, %s)", airlines)
            cursor.executemany(
                "INSERT INTO flights (id, carrier, dep_delay, distance) VALUES (%s, %s, %s, %s)", flights
            )
        yield name


class Project:
    """The project folder, its two servers, and ``osiris run`` in it."""

    def __init__(self, folder, mariadb, source, postgres, target):
        self.folder = folder
        self.mariadb, self.source = mariadb, source
        self.postgres, self.target = postgres, target
        (folder / "osiris.yaml").write_text("{}\n")
        (folder / "flights.yaml").write_text(PIPELINE)
        (folder / "osiris_connections.yaml").write_text(CONNECTIONS.format(my=mariadb, database=source))
        self.env = {**os.environ, "MY_PASSWORD": mariadb.password, "PG_DSN": postgres.dsn(database=target)}

    def run(self, *options):
        """Run the pipeline; the rows that its steps passed on."""
        done = subprocess.run(
            [Path(sys.executable).with_name("osiris"), "run", "flights.yaml", "--json", *options],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        steps = json.loads(done.stdout)["steps"]
        found = {step["id"]: step for step in steps} if isinstance(steps, list) else steps
        return {name: found[name]["rows_written"] for name in ("flights", "load")}

    def package(self):
        """The last run packed for a model."""
        command = [Path(sys.executable).with_name("osiris"), "logs", "aiop"]
        done = subprocess.run(command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def expected(self):
        """What the target must hold, computed by MariaDB."""
        sql = (
            "SELECT f.id, f.changed_at, f.dep_delay, f.distance, a.name AS airline"
            " FROM flights AS f JOIN airlines AS a USING (carrier) ORDER BY f.id"
        )
        return [tuple(row) for row in self.mariadb.execute(sql, database=self.source)]

    def loaded(self):
        return self.postgres.execute(f"SELECT {KEPT} FROM flights ORDER BY id", self.target)

    def loads(self):
        ((count,),) = self.postgres.execute("SELECT count(*) FROM _osiris_loads", self.target)
        return count

    def change(self, *statements):
        self.mariadb.execute(*statements, database=self.source)


@pytest.fixture
def project(tmp_path, mariadb, source, postgres_server):
    with postgres_server.new_database("golden") as target:
        yield Project(tmp_path, mariadb, source, postgres_server, target)


def test_run_twice_and_on(project):
    assert project.run() == {"flights": ROWS, "load": ROWS}
    assert project.loaded() == project.expected()

    # Nothing has changed: rows at the last value of the cursor are read again, and change nothing.
    project.run()
    assert project.loaded() == project.expected()
    assert project.loads() == 2

    # Where a column of the target comes from is known through the SQL of both systems.
    lineage = {(one["step"], one.get("column")): one for one in project.package()["semantic"]["lineage"]}
    (source,) = (one for one in lineage["step/load", "airline"]["sources"] if "DIRECT:IDENTITY" in one["kinds"])
    assert (source["step"], source["column"]) == ("airlines", "name")
    assert lineage["step/load", "airline"]["unknown"] == []

    project.change(
        "UPDATE flights SET dep_delay = dep_delay + 1, changed_at = '2024-01-02 10:00:00.000001' WHERE id % 100 = 0",
        "INSERT INTO flights VALUES (1000001, 'UA', NULL, 42.5, '2024-01-02 10:00:00.000002')",
    )
    read = project.run()
    assert project.loaded() == project.expected()
    # All rows stood at one value of the cursor, so all are read once more, with what is new.
    assert read["flights"] == ROWS + 1

    project.change("UPDATE flights SET distance = 1 WHERE id = 1000001")  # at the very last value of the cursor
    assert project.run()["flights"] == 1
    assert project.loaded() == project.expected()

    project.change("UPDATE flights SET distance = 2 WHERE id = 1")  # changed without moving the cursor: not seen,
    project.run()
    assert project.loaded() != project.expected()
    project.run("--full-refresh")  # until everything is read again
    assert project.loaded() == project.expected()
