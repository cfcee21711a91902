"""Database files: where they may lie, who holds them, and what a killed process leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import attrs
import duckdb
import pytest

from osiris_core.builtin.duckdb import database
from osiris_core.builtin.duckdb.catalog import Doctor
from osiris_core.builtin.duckdb.config import DuckDBConnection
from osiris_core.builtin.duckdb.database import create_database, database_path
from osiris_core.errors import ConnectionUnusable, DriverError
from osiris_core.model.fields import info_of

ROWS = "SELECT range AS i FROM range(3)"

HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold(bench):
    """Starts a process that holds the file, to read or to write."""
    started = []

    def start(how):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(bench.file), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield start
    for process in started:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


# Paths


@pytest.mark.parametrize("path", ["../w.duckdb", "a/../../w.duckdb", "link/w.duckdb", "out.duckdb"])
def test_a_path_means_what_a_person_wrote(tmp_path, path):
    """As the root of a filesystem connection does."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    (root / "out.duckdb").symlink_to(tmp_path / "w.duckdb")
    assert database_path(DuckDBConnection(path=path), root) == tmp_path / "w.duckdb"


def test_a_pipeline_cannot_choose_another_file():
    overrides = {member.name: info_of(member).override for member in attrs.fields(DuckDBConnection)}
    assert overrides == {"path": "forbidden", "lock_timeout": "allowed"}


@pytest.mark.parametrize("path", [":memory:", ":default:", "s3://bucket/w.duckdb", "file:///tmp/w.duckdb"])
def test_what_is_no_file_is_refused(tmp_path, path):
    with pytest.raises(ConnectionUnusable, match="is not the path of a file") as caught:
        database_path(DuckDBConnection(path=path), tmp_path)
    assert caught.value.code == "OSR-DUCKDB-023"


@pytest.mark.parametrize("path", ["md:db", "postgres:dbname=x", "ducklake:x"])
def test_what_duckdb_would_take_for_a_service_is_a_plain_name(tmp_path, path):
    assert database_path(DuckDBConnection(path=path), tmp_path) == tmp_path / path


def test_a_colon_in_a_name_is_a_colon_in_a_name(bench):
    """DuckDB would take ``md:x`` for a service; a path that starts with a slash it takes for a path."""
    bench.connection = DuckDBConnection(path="md:x.duckdb")
    bench.write(ROWS)
    assert (bench.root / "md:x.duckdb").is_file()


def test_an_absolute_path_is_taken_as_it_is(tmp_path, bench):
    elsewhere = tmp_path / "elsewhere" / "w.duckdb"
    bench.connection = DuckDBConnection(path=str(elsewhere))
    bench.write(ROWS)
    assert elsewhere.is_file()


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_regular_file_is_refused(tmp_path, kind):
    path = tmp_path / "w.duckdb"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    text = "/dev/null" if kind == "device" else "w.duckdb"
    with pytest.raises(ConnectionUnusable, match="is not a regular file"):
        database_path(DuckDBConnection(path=text), tmp_path)


def test_a_quote_in_a_path_is_a_quote_in_a_path(bench, fetch):
    bench.connection = DuckDBConnection(path="it's' (READ_ONLY); --.duckdb")
    bench.write(ROWS)
    assert fetch(bench.extract(table="t")) == [(0,), (1,), (2,)]


@pytest.mark.parametrize("content", [b"", b"hello" * 3000, b"\0" * 20000])
def test_what_is_no_database_is_said_to_be_none(bench, content):
    bench.file.write_bytes(content)
    for attempt in (lambda: bench.write(ROWS), lambda: bench.extract(table="t")):
        with pytest.raises(ConnectionUnusable, match=r"'w\.duckdb' cannot be read as a DuckDB database") as caught:
            attempt()
        assert caught.value.code == "OSR-DUCKDB-021"
        assert str(bench.root) not in caught.value.message
    assert bench.file.read_bytes() == content


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_said_so(bench):
    bench.write(ROWS)
    bench.file.chmod(0)
    with pytest.raises(ConnectionUnusable) as caught:
        bench.extract(table="t")
    assert caught.value.code == "OSR-DUCKDB-024"


def test_a_file_that_may_not_be_created_is_said_so(bench):
    (bench.root / "sub").write_text("a file where a folder is needed")
    bench.connection = DuckDBConnection(path="sub/w.duckdb")
    with pytest.raises(ConnectionUnusable) as caught:
        bench.write(ROWS)
    assert caught.value.code == "OSR-DUCKDB-024"


def test_a_missing_file_is_not_created_when_it_may_not(bench):
    with pytest.raises(ConnectionUnusable, match=r"there is no database file 'w\.duckdb'"):
        bench.write(ROWS, create_if_missing=False)
    assert not bench.file.exists()


# Locks


def test_a_writer_waits_for_another_process_and_then_says_who(bench, hold):
    bench.write(ROWS)
    holder = hold("read")
    started = time.monotonic()
    with pytest.raises(DriverError) as caught:
        bench.write(ROWS)
    assert time.monotonic() - started >= bench.connection.lock_timeout
    assert caught.value.code == "OSR-DUCKDB-022"
    assert caught.value.retriable
    assert f"'w.duckdb' is held by process {holder.pid} (python" in caught.value.message


def test_a_writer_goes_on_when_the_other_process_ends(bench, hold):
    bench.write(ROWS)
    bench.connection = attrs.evolve(bench.connection, lock_timeout=30.0)
    holder = hold("write")
    threading.Timer(0.4, holder.stdin.close).start()
    bench.write(ROWS)
    assert bench.sql("SELECT count(*) FROM t") == [(6,)]


def test_readers_of_several_processes_share_the_file(bench, hold, fetch):
    bench.write(ROWS)
    hold("read")
    assert len(fetch(bench.extract(table="t"))) == 3


def test_a_reader_waits_for_a_process_that_writes_and_then_says_who(bench, hold):
    bench.write(ROWS)
    holder = hold("write")
    with pytest.raises(DriverError, match=f"held by process {holder.pid}") as caught:
        bench.extract(table="t")
    assert caught.value.retriable


def test_a_step_writes_the_file_that_another_step_of_the_run_has_read(bench, rows):
    """Rows flow from a file through a query into the same file; the reader is done before the writer publishes."""
    bench.write("SELECT range AS i FROM range(50000)")
    source = bench.extract(table="t")
    from osiris_core.run.dataset import RowStream

    class Feed:
        schema = source.schema
        failure = None
        batches = source.batches()

        def next_batch(self):
            return next(self.batches, None)

        def close(self):
            self.batches.close()

    bench.write([RowStream(Feed(), name="t")], mode="append")
    assert bench.sql("SELECT count(*) FROM t") == [(100_000,)]


def test_a_writer_waits_for_a_step_of_its_run_that_still_reads(bench):
    bench.write("SELECT range AS i FROM range(50000)")
    batches = bench.extract(table="t").batches()
    next(batches)
    finished = threading.Event()

    def write():
        bench.write(ROWS)
        finished.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert not finished.wait(1.0)  # longer than lock_timeout, which is for other processes
    batches.close()
    writer.join(20)
    assert finished.is_set()


def test_a_writer_that_waits_can_be_cancelled(bench):
    bench.write("SELECT range AS i FROM range(50000)")
    batches = bench.extract(table="t").batches()
    next(batches)
    ctx = bench.ctx()
    threading.Timer(0.3, ctx.cancel).start()
    from osiris_core.errors import Cancelled

    with pytest.raises(Cancelled):
        bench.write(ROWS, ctx=ctx)
    batches.close()


def test_a_reader_that_never_lets_go_is_a_defect_in_the_end(bench, monkeypatch):
    monkeypatch.setattr(database, "OWN_RUN_WAIT", 0.2)
    bench.write("SELECT range AS i FROM range(50000)")
    batches = bench.extract(table="t").batches()
    next(batches)
    with pytest.raises(DriverError, match="held by another step of this run") as caught:
        bench.write(ROWS)
    assert not caught.value.retriable
    batches.close()


def test_several_steps_write_several_tables_of_one_file_at_once(bench):
    failures = []

    def write(number):
        try:
            for _ in range(3):
                bench.write(ROWS, table=f"t{number}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    counts = [bench.sql(f"SELECT count(*) FROM t{number}")[0][0] for number in range(4)]
    assert counts == [9, 9, 9, 9]
    assert sorted(path.name for path in bench.root.iterdir()) == ["scratch", "w.duckdb"]


# Killed

KILLED = """
import os, signal, sys
from pathlib import Path
import duckdb
import osiris_core.builtin.duckdb.database as database
where = sys.argv[2]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
if where == "link":
    database.os.link = die
else:
    database._sync = die
database.create_database(Path(sys.argv[1]), "w.duckdb")
"""


@pytest.mark.parametrize("where", ["sync", "link"])
def test_a_process_killed_while_it_creates_the_file_leaves_none(bench, where):
    done = subprocess.run([sys.executable, "-c", KILLED, str(bench.file), where])
    assert done.returncode == -signal.SIGKILL
    assert not bench.file.exists()
    assert len(list(bench.root.glob(".w.duckdb.*"))) == 1
    bench.write(ROWS)
    assert sorted(path.name for path in bench.root.iterdir()) == ["scratch", "w.duckdb"]


def test_what_another_step_is_just_creating_is_left_alone(bench):
    mine = bench.root / f".w.duckdb.{os.getpid()}-abc.osiris-new"
    mine.touch()
    create_database(bench.file, "w.duckdb")
    assert mine.exists()
    os.utime(mine, (1, 1))
    database.remove_leftovers(bench.file)
    assert not mine.exists()


def test_creating_keeps_a_database_that_appeared_meanwhile(bench):
    bench.sql("CREATE TABLE precious AS SELECT 1 AS a")
    create_database(bench.file, "w.duckdb")
    assert bench.sql("FROM precious") == [(1,)]


COMMITTED = """
import os, signal, sys, duckdb
c = duckdb.connect()
c.execute(f"ATTACH '{sys.argv[1]}' AS d")
c.execute("INSERT INTO d.t VALUES (10)")
c.execute("BEGIN")
c.execute("INSERT INTO d.t SELECT range FROM range(100000)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_log_of_a_killed_process_is_read_and_replayed(bench, fetch):
    bench.write(ROWS)
    subprocess.run([sys.executable, "-c", COMMITTED, str(bench.file)])
    assert bench.file.with_name("w.duckdb.wal").exists()
    assert fetch(bench.extract(table="t")) == [(0,), (1,), (2,), (10,)]
    bench.write(ROWS)
    assert bench.sql("SELECT count(*) FROM t") == [(7,)]
    assert not bench.file.with_name("w.duckdb.wal").exists()


# Doctor


def check(bench):
    return Doctor().check(bench.connection, project_root=bench.root, timeout=0.3)


def test_the_doctor_counts_tables(bench):
    bench.write(ROWS)
    health = check(bench)
    assert (health.ok, health.category, health.message) == (True, "ok", "2 tables, readable and writable")


def test_the_doctor_is_content_with_a_file_to_be_created(bench):
    health = check(bench)
    assert health.ok
    assert "does not exist yet" in health.message
    assert not bench.file.exists()


def test_the_doctor_says_what_is_wrong(bench, hold):
    bench.file.write_bytes(b"x" * 5000)
    assert (check(bench).ok, check(bench).category) == (False, "config")
    bench.file.unlink()
    bench.write(ROWS)
    holder = hold("write")
    health = check(bench)
    assert (health.ok, health.category) == (False, "timeout")
    assert f"process {holder.pid}" in health.message
    bench.connection = DuckDBConnection(path=":memory:")
    assert check(bench).category == "config"


def test_nothing_is_left_open_by_a_refused_extract(bench):
    bench.write(ROWS)
    with pytest.raises(DriverError):
        bench.extract(query="SELECT nope FROM t")
    duckdb.connect(str(bench.file)).close()
