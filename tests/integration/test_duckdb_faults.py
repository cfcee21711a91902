"""Runs that write a DuckDB file, killed at every named point: before or after, and running again converges.

The pipeline reads a table of the file it writes, through a transform, so every point is also passed by a step that
holds the file for reading.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import duckdb
import pytest

OSIRIS = [sys.executable, "-c", "from osiris_core.cli import main; main()"]
RUNTIME = ("begin", "mid_write", "staged", "before_publish", "after_publish", "before_status")
OWN = ("duckdb.begun", "duckdb.before_commit", "duckdb.after_commit")
PUBLISHED = {"after_publish", "before_status", "duckdb.after_commit"}
NEW = 40_000

MODES = {
    "append": ({}, [(0, "old"), (1, "old"), (2, "old")]),
    "replace": ({}, []),
    "upsert": ({"primary_key": ["id"]}, [(2, "old")]),
    "delete_insert": ({"replace_keys": ["id"]}, [(2, "old")]),
}
"""Each mode's keys, and the old rows that stay; the load brings ids 0 and 1, and many from 10 on."""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "osiris.yaml").write_text("{}\n")
    (tmp_path / "osiris_connections.yaml").write_text("connections: {duckdb: {default: {path: w.duckdb}}}\n")
    connection = duckdb.connect(str(tmp_path / "w.duckdb"))
    connection.execute(
        f"CREATE TABLE source AS SELECT CASE WHEN range < 2 THEN range ELSE range + 8 END AS id FROM range({NEW})"
    )
    connection.execute("CREATE TABLE t AS SELECT range AS id, 'old' AS v FROM range(3)")
    connection.close()
    return tmp_path


def write_pipeline(project, mode, table="t"):
    steps = [
        {"id": "read", "component": "duckdb.extractor", "mode": "extract", "config": {"table": "source"}},
        {
            "id": "change",
            "component": "duckdb.processor",
            "mode": "transform",
            "config": {"query": "SELECT id, 'new' AS v FROM df"},
        },
        {
            "id": "load",
            "component": "duckdb.writer",
            "mode": "write",
            "config": {"table": table, "mode": mode, **MODES[mode][0]},
        },
    ]
    document = {"oml_version": "0.1.0", "name": "p", "steps": steps}
    (project / "p.yaml").write_text(json.dumps(document))


def run(project, failpoint=None, **options):
    environ = dict(os.environ)
    if failpoint:
        environ |= {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": failpoint}
    return subprocess.run(
        [*OSIRIS, "run", "p.yaml", "--json"], cwd=project, env=environ, capture_output=True, text=True, **options
    )


def rows(project, table="t"):
    connection = duckdb.connect(str(project / "w.duckdb"), read_only=True)
    try:
        old = connection.execute(f"SELECT id, v FROM {table} WHERE v = 'old' ORDER BY id").fetchall()
        ((new, distinct),) = connection.execute(
            f"SELECT count(*), count(DISTINCT id) FROM {table} WHERE v = 'new'"
        ).fetchall()
        return old, new, distinct
    finally:
        connection.close()


BEFORE = ([(0, "old"), (1, "old"), (2, "old")], 0, 0)


def after(mode):
    return MODES[mode][1], NEW, NEW


def left_in(project):
    """What lies in the project beside what belongs there: the file, and the log DuckDB keeps until the next writer."""
    belongs = {"build", "logs", "osiris.yaml", "osiris_connections.yaml", "p.yaml", "w.duckdb", "w.duckdb.wal"}
    return sorted(path.name for path in project.iterdir() if path.name not in belongs)


@pytest.mark.extra
@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "point"),
    [
        *(("append", point) for point in (*RUNTIME, *OWN)),
        *((mode, point) for mode in ("replace", "upsert", "delete_insert") for point in ("staged", *OWN[1:])),
    ],
)
def test_killed_at_any_point_the_table_is_as_before_or_after_and_running_again_converges(project, mode, point):
    write_pipeline(project, mode)
    killed = run(project, f"{point}:kill")
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    assert rows(project) == (after(mode) if point in PUBLISHED else BEFORE)
    again = run(project)
    assert again.returncode == 0, again.stdout + again.stderr
    assert rows(project) == after(mode)
    said = json.loads(again.stdout)
    assert said["rows"] == NEW
    assert said["steps"][-1]["already"] is (point in PUBLISHED)
    assert left_in(project) == []
    third = run(project)
    assert third.returncode == 0
    expected = after(mode) if mode != "append" else (MODES[mode][1], 2 * NEW, NEW)
    assert rows(project) == expected  # a new load after a success


@pytest.mark.extra
@pytest.mark.slow
@pytest.mark.parametrize("action", ["raise", "full", "interrupt"])
@pytest.mark.parametrize("point", ["duckdb.begun", "duckdb.before_commit"])
def test_a_failure_changes_nothing_and_says_so(project, point, action):
    write_pipeline(project, "replace")
    failed = run(project, f"{point}:{action}")
    said = json.loads(failed.stdout)
    assert failed.returncode == (130 if action == "interrupt" else 1)
    assert said["ok"] is False
    # A signal is taken up by another thread: it may come after the commit.
    assert rows(project) in ([BEFORE, after("replace")] if action == "interrupt" else [BEFORE])
    assert left_in(project) == []
    assert run(project).returncode == 0
    assert rows(project) == after("replace")


@pytest.mark.slow
def test_a_file_that_another_process_holds_is_retried(project):
    """The first attempts meet the lock; the process ends; the load is published once."""
    (project / "osiris_connections.yaml").write_text(
        "connections: {duckdb: {default: {path: w.duckdb, lock_timeout: 0.2}}}\n"
    )
    (project / "osiris.yaml").write_text("run: {retries: 8}\n")
    write_pipeline(project, "append")
    code = (
        "import sys, duckdb\n"
        "c = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(project / "w.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        threading.Thread(target=release_after_a_retry, args=(project, holder)).start()
        done = run(project)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert said["steps"][-1]["attempts"] > 1
    assert rows(project) == after("append")


def release_after_a_retry(project, holder):
    """End ``holder`` once the run's record says that a step is tried again."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if any("step_retried" in path.read_text() for path in project.glob("logs/*/events.jsonl")):
            break
        time.sleep(0.05)
    holder.stdin.close()


@pytest.mark.slow
def test_killed_while_creating_the_file_leaves_no_half_of_one(project):
    write_pipeline(project, "replace", table="fresh")
    text = (project / "p.yaml").read_text().replace('"table": "fresh"', '"connection": "@duckdb.new", "table": "fresh"')
    (project / "p.yaml").write_text(text)
    (project / "osiris_connections.yaml").write_text(
        "connections: {duckdb: {default: {path: w.duckdb}, new: {path: sub/new.duckdb}}}\n"
    )
    killed = run(project, "duckdb.before_commit:kill")
    assert killed.returncode == -signal.SIGKILL
    assert run(project).returncode == 0
    assert sorted(path.name for path in (project / "sub").iterdir()) == ["new.duckdb"]
    connection = duckdb.connect(str(project / "sub" / "new.duckdb"), read_only=True)
    assert connection.execute("SELECT count(*) FROM fresh").fetchall() == [(NEW,)]
    connection.close()
