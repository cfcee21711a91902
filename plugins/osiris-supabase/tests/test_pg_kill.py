"""SIGKILL at every named point of every mode: the table is before or after, and running again converges."""

from __future__ import annotations

import json
import os
import signal

import pytest

from osiris_core.run.failpoints import RUNTIME_POINTS
from tests.commands import osiris as command

pytestmark = pytest.mark.slow

OLD = [(1, "old"), (2, "old")]
NEW = [(2, "new"), (3, "new"), (4, "new")]
MERGED = [(1, "old"), *NEW]
OURS = ("supabase.begun", "supabase.copied", "supabase.before_commit", "supabase.after_commit")
DONE = frozenset({"supabase.after_commit", "after_publish", "before_status"})
POINTS = (*RUNTIME_POINTS, *OURS)
MODES = {
    "append": ("mode: append", sorted(OLD + NEW)),
    "replace": ("mode: replace", NEW),
    "upsert": ("mode: upsert, primary_key: [id]", MERGED),
    "delete_insert": ("mode: delete_insert, replace_keys: [id]", MERGED),
    "append, new column": ("mode: append, on_schema_change: add_columns", sorted(OLD + NEW)),
    "append, new table": ("mode: append", NEW),
    "replace, new table": ("mode: replace", NEW),
    "upsert, new table": ("mode: upsert, primary_key: [id]", NEW),
    "delete_insert, new table": ("mode: delete_insert, replace_keys: [id]", NEW),
}
CELLS = [(mode, point) for mode in MODES for point in POINTS]
PIPELINE = """
oml_version: "0.1.0"
name: load
steps:
  - {id: read, component: filesystem.csv_extractor, mode: read, config: {path: in.csv, types: {id: INTEGER, name: VARCHAR}}}
  - {id: load, component: supabase.writer, mode: write, config: {connection: "@supabase.main", table: target, %s}}
"""


def osiris(folder, dsn, *argv, failpoint=None):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OSIRIS_")} | {"DSN": dsn}
    if failpoint:
        environ |= {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": failpoint}
    return command(*argv, cwd=folder, env=environ)


@pytest.fixture
def project(tmp_path, bench):
    """A project and, but where it is to be made, the table it writes, which holds the old rows."""

    def make(mode):
        if not mode.endswith("new table"):
            bench.sql(
                "CREATE TABLE target (id int4 PRIMARY KEY, name text);INSERT INTO target VALUES (1, 'old'), (2, 'old')"
            )
        if mode in ("append", "append, new column"):
            bench.sql("ALTER TABLE target DROP CONSTRAINT target_pkey")
        if mode == "append, new column":
            bench.sql("ALTER TABLE target DROP COLUMN name")
        (tmp_path / "osiris.yaml").write_text("{}\n")
        (tmp_path / "osiris_connections.yaml").write_text('connections:\n  supabase:\n    main: {dsn: "${DSN}"}\n')
        (tmp_path / "in.csv").write_text("id,name\n" + "".join(f"{number},{name}\n" for number, name in NEW))
        (tmp_path / "load.yaml").write_text(PIPELINE % MODES[mode][0])
        return tmp_path

    return make


def rows(bench):
    """The rows of the table, None when there is none."""
    if bench.sql("SELECT to_regclass('target')") == [(None,)]:
        return None
    named = bench.sql("SELECT 1 FROM information_schema.columns WHERE table_name = 'target' AND column_name = 'name'")
    name = "coalesce(name, 'old')" if named else "'old'"
    return bench.sql(f"SELECT id, {name} FROM target ORDER BY 1, 2")


def left_over(bench):
    """Stages and open transactions of sessions that have ended; waits until the server has noticed their end."""
    query = (
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'osiris'), "
        "(SELECT count(*) FROM pg_class WHERE relname = 'osiris_stage')"
    )
    for _ in range(2000):
        if (found := bench.sql(query)) == [(0, 0)]:
            break
    return found


@pytest.mark.extra
@pytest.mark.parametrize(("mode", "point"), CELLS, ids=[f"{mode}-{point}" for mode, point in CELLS])
def test_killed(bench, project, mode, point, cell):
    folder, after, dsn = project(mode), MODES[mode][1], bench.server.dsn(database=bench.database)
    killed = osiris(folder, dsn, "run", "load.yaml", failpoint=f"{point}:kill")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    found = rows(bench)
    assert found == (after if point in DONE else None if mode.endswith("new table") else OLD)
    assert left_over(bench) == [(0, 0)]
    again = osiris(folder, dsn, "run", "load.yaml", "--json")
    assert again.returncode == 0, again.stderr + again.stdout
    assert rows(bench) == after
    assert left_over(bench) == [(0, 0)]
    assert bench.sql("SELECT count(*) FROM _osiris_loads") == [(1,)]
    if point == "supabase.before_commit" and mode == "append":
        password = bench.server.password
        for file in folder.rglob("*"):
            if file.is_file():
                assert password.encode() not in file.read_bytes(), file
        assert password not in again.stdout + again.stderr
        assert json.loads(again.stdout)
    cell("postgres", mode, f"kill -9 at {point}", "after" if found == after else "before")
