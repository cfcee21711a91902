"""Whole runs over the Data API: killed at every point they end in the same table, and increments go on."""

from __future__ import annotations

import json
import os
import signal

import pytest

from osiris_core.run.failpoints import RUNTIME_POINTS
from tests.commands import osiris
from tests.servers.rest_bench import LOADS, SECRET, rest, standin, standin_database

__all__ = ["rest", "standin", "standin_database"]

pytestmark = pytest.mark.slow

ROWS = 2500
POINTS = (*RUNTIME_POINTS, "supabase.begun", "supabase.batch_sent", "supabase.before_commit_row")
ALWAYS = ("staged", "supabase.batch_sent", "supabase.before_commit_row")
UNSEEN = ("begin", "mid_write", "staged", "before_publish", "supabase.begun")
"""Points before the first row is sent."""
LOAD = """\
oml_version: 0.1.0
name: load
steps:
  - id: read
    component: filesystem.csv_extractor
    mode: read
    config: {path: in.csv, types: {id: BIGINT, name: VARCHAR}}
  - id: load
    component: supabase.writer
    mode: write
    config: {connection: "@supabase.mart", table: t, mode: upsert, primary_key: [id]}
"""
COPY = """\
oml_version: 0.1.0
name: copy
steps:
  - id: read
    component: supabase.extractor
    mode: read
    config: {connection: "@supabase.mart", table: t, incremental: {cursor: at, primary_key: [id]}}
  - id: load
    component: supabase.writer
    mode: write
    config: {connection: "@supabase.mart", table: u, mode: upsert, primary_key: [id]}
"""


class Project:
    def __init__(self, bench, pipeline):
        self.bench, self.folder = bench, bench.path / "project"
        self.folder.mkdir()
        (self.folder / "osiris.yaml").write_text("{}\n")
        (self.folder / "osiris_connections.yaml").write_text(
            f'version: 1\nconnections:\n  supabase:\n    mart: {{url: "{bench.standin.url}", key: "${{PROJECT_KEY}}"}}\n'
        )
        (self.folder / "p.yaml").write_text(pipeline)

    def run(self, failpoint=None):
        environ = {name: value for name, value in os.environ.items() if not name.startswith("OSIRIS_")}
        environ["PROJECT_KEY"] = SECRET
        if failpoint:
            environ |= {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": failpoint}
        done = osiris("run", "p.yaml", "--json", cwd=self.folder, env=environ)
        assert "Traceback" not in done.stderr
        assert SECRET not in done.stdout + done.stderr
        return done

    def rows_read(self):
        done = self.run()
        assert done.returncode == 0, done.stdout + done.stderr
        steps = json.loads(done.stdout)["steps"]
        found = {step["id"]: step for step in steps} if isinstance(steps, list) else steps
        return found["read"]["rows_written"]

    def holds_the_key(self):
        """Files of the project in which the key can be read."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return [path.name for path in files if SECRET.encode() in path.read_bytes()]


@pytest.fixture
def load(rest):
    rest.sql(LOADS)
    rest.make("CREATE TABLE t (id bigint PRIMARY KEY, name text)")
    rest.sql("INSERT INTO t VALUES (1, 'old'), (99999, 'far')")
    project = Project(rest, LOAD)
    lines = "".join(f"{n},row {n}\n" for n in range(ROWS))
    (project.folder / "in.csv").write_text(f"id,name\n{lines}")
    return project


@pytest.mark.parametrize(
    "point", [point if point in ALWAYS else pytest.param(point, marks=pytest.mark.extra) for point in POINTS]
)
def test_killed(load, point):
    bench = load.bench
    killed = load.run(f"{point}:kill")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (count, mine) = bench.sql("SELECT count(*), count(*) FILTER (WHERE name = 'row ' || id) FROM t")[0]
    if point in UNSEEN:
        assert (count, mine) == (2, 0)
    elif point == "supabase.batch_sent":
        assert (count, mine) == (1001, 1000)  # not atomic: a part is there until the next run
    else:
        assert (count, mine) == (ROWS + 1, ROWS)
    again = load.run()
    assert again.returncode == 0, again.stdout + again.stderr
    assert bench.sql("SELECT count(*), count(*) FILTER (WHERE name = 'row ' || id) FROM t") == [(ROWS + 1, ROWS)]
    assert bench.sql("SELECT count(*), min(rows) FROM _osiris_loads") == [(1, ROWS)]
    assert list(load.folder.rglob("*.duckdb*")) == []
    assert load.holds_the_key() == []


def test_a_refusal_says_what_to_do_and_the_exit_code_is_right(load):
    load.bench.sql("DROP TABLE t")
    done = load.run()
    assert done.returncode == 1
    assert "OSR-SUPA-120" in done.stdout + done.stderr
    assert "CREATE TABLE" in done.stdout + done.stderr
    (load.folder / "p.yaml").write_text(LOAD.replace("mode: upsert, primary_key: [id]", "mode: replace"))
    done = load.run()
    assert done.returncode == 2
    assert "OSR-SUPA-115" in done.stdout + done.stderr
    assert load.holds_the_key() == []


def test_a_server_that_is_away_for_a_while_costs_a_retry(load):
    load.bench.standin.fail("reset_before", skip=4, times=6)
    assert load.rows_read() == ROWS
    assert load.bench.sql("SELECT count(*) FROM _osiris_loads") == [(1,)]


def test_increments(rest):
    rest.sql(LOADS)
    rest.make("CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz, v text)")
    rest.make("CREATE TABLE u (id bigint PRIMARY KEY, at timestamptz, v text)", table="u")
    rest.sql(
        "INSERT INTO t SELECT n, timestamptz '2026-01-01' + n * interval '1 s', 'v' FROM generate_series(1, 1500) n"
    )
    project = Project(rest, COPY)

    def same():
        return rest.sql("SELECT count(*) FROM (TABLE t EXCEPT TABLE u) x") == [(0,)]

    assert project.rows_read() == 1500
    assert same()
    rest.sql(
        "UPDATE t SET v = 'changed', at = '2026-02-01' WHERE id % 100 = 0; INSERT INTO t VALUES (2000, '2026-02-02', 'new')"
    )
    assert project.rows_read() == 16
    assert same()
    rest.sql("UPDATE t SET v = 'late', at = '2026-03-01' WHERE id = 7")
    killed = project.run("supabase.before_commit_row:kill")
    assert killed.returncode == -signal.SIGKILL
    assert project.rows_read() == 2
    assert same()
    assert rest.sql("SELECT count(*) FROM _osiris_loads WHERE state IS NOT NULL") == [(3,)]
