"""What a network or a server may do to a load or a read: the table is before or after, and the next try converges."""

from __future__ import annotations

import os
import subprocess
import threading

import duckdb
import pyarrow as pa
import pytest
from arro3.core import RecordBatch, Schema, Table

from osiris_core.api import Cancelled, DriverError, LoadState, OsirisError, rows
from osiris_supabase.postgres.begin import begin
from osiris_supabase.postgres.failures import ServerFailure
from osiris_supabase.postgres.loads import CommitRow, add_load
from osiris_supabase.postgres.stage import writing_session
from tests.servers.cutproxy import CutProxy
from tests.servers.postgres import binaries, running

COUNT = 20_000
MODES = {
    "append": {},
    "replace": {},
    "upsert": {"primary_key": ["id"]},
    "delete_insert": {"replace_keys": ["id"]},
}
AFTER = {"append": 2 * COUNT, "replace": COUNT, "upsert": COUNT + COUNT // 2, "delete_insert": COUNT + COUNT // 2}
ROWS = f"SELECT i::INTEGER AS id, 'new' || i || repeat('x', 50) AS name FROM range({COUNT // 2}, {COUNT // 2 + COUNT}) AS r(i)"


@pytest.fixture
def loaded(bench):
    """A table of old rows, half of which the load brings anew."""

    return lambda mode: seed(bench, mode)


def seed(bench, mode, where=""):
    key = "" if mode == "append" else " PRIMARY KEY"
    bench.sql(
        f"CREATE TABLE t (id int4{key}, name text){where};"
        f"INSERT INTO t SELECT i, 'old' FROM generate_series(0, {COUNT - 1}) AS i"
    )
    return content(bench)


@pytest.fixture
def mortal_bench(tmp_path, postgres_bench):
    """A server of the test's own, which it may restart or fill the disk of."""
    # Settings make the server a private one, whatever OSIRIS_TEST_POSTGRES_URL names.
    with running(settings="checkpoint_timeout = 1h\n") as server:
        server.execute("CREATE DATABASE own")
        try:
            yield postgres_bench(tmp_path, server, "own")
        finally:
            control(server, "stop")


def control(server, what):
    """Stop or restart a private server, as a power cut would."""
    owner = (server.folder / "data").stat()
    account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    command = [binaries() / "pg_ctl", what, "-D", server.folder / "data", "-m", "immediate", "-w"]
    log = ["-l", server.folder / "again.log"] if what == "restart" else []
    done = subprocess.run(
        [*command, *log], cwd=server.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **account
    )
    assert done.returncode == 0, (server.folder / "again.log").read_text()


@pytest.fixture
def proxied(bench):
    with CutProxy(bench.server.host, bench.server.port) as proxy:
        bench.use(host="127.0.0.1", port=proxy.port)
        yield proxy


def content(bench):
    return bench.sql("SELECT count(*), count(*) FILTER (WHERE name <> 'old'), sum(hashtext(name)) FROM t")


def write(bench, mode, load_id, sql=ROWS):
    return bench.write("writer", sql, table="t", mode=mode, load_id=load_id, **MODES[mode])


def nothing_left(bench):
    """Whether no session of ours holds a transaction or a stage; the server may need a moment to notice an end."""
    query = (
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'osiris' AND state <> 'idle'), "
        "(SELECT count(*) FROM pg_class WHERE relname = 'osiris_stage')"
    )
    return any(bench.sql(query) == [(0, 0)] for _ in range(2000))


def in_steps(count, between):
    """Rows in batches; ``between`` is called with the number of each before it comes. The source may be two batches
    ahead of the writer: from number 4 on, the writer's transaction has certainly begun.
    """
    schema = Schema.from_arrow(batch_of(0).schema)

    def batches():
        for at in range(count):
            between(at)
            yield batch_of(at)
        between(count)

    return rows(schema, batches())


def batch_of(at):
    numbers = range(at * 1000, at * 1000 + 1000)
    return RecordBatch.from_arrow(
        pa.record_batch({"id": pa.array(numbers, pa.int32()), "name": [f"new{number}" for number in numbers]})
    )


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_a_connection_that_is_cut_leaves_the_old_rows_and_a_retry_brings_the_new(bench, loaded, proxied, mode, cell):
    before = loaded(mode)
    write(bench, mode, "0" * 32)
    total = proxied.sent
    after = content(bench)
    bench.sql("DROP TABLE t, _osiris_loads")
    loaded(mode)
    for tenth in range(10):
        proxied.reset()
        proxied.cut(up=max(1, total * tenth // 10))
        with pytest.raises(OsirisError) as caught:
            write(bench, mode, "a" * 32)
        assert caught.value.retriable, caught.value
        assert caught.value.code in ("OSR-PG-001", "OSR-PG-003")
        assert nothing_left(bench)
        assert content(bench) == before
        cell("postgres", mode, f"TCP cut at {tenth * 10}% of the bytes", "before")
    proxied.reset()
    assert not write(bench, mode, "a" * 32).already
    assert content(bench) == after
    assert content(bench)[0][0] == AFTER[mode]


@pytest.mark.parametrize("mode", MODES)
def test_a_lost_acknowledgement_of_the_commit_is_found_out(bench, loaded, proxied, mode, cell):
    before = loaded(mode)

    def steps():
        return in_steps(3, lambda at: proxied.swallow(b"COMMIT") if at == 3 else None)

    with pytest.raises(DriverError) as caught:
        bench.write_stream("writer", steps(), table="t", mode=mode, load_id="b" * 32, **MODES[mode])
    assert (caught.value.code, caught.value.retriable) == ("OSR-PG-003", True)
    assert proxied.happened.is_set()
    assert nothing_left(bench)
    after = content(bench)
    assert after != before
    proxied.reset()
    again = bench.write_stream("writer", steps(), table="t", mode=mode, load_id="b" * 32, **MODES[mode])
    assert (again.already, again.rows) == (True, 3000)
    assert content(bench) == after
    cell("postgres", mode, "no answer to COMMIT", "after")


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_network_that_falls_silent_ends_with_a_clear_error(bench, loaded, proxied, mode, cell):
    before = loaded(mode)
    bench.use(host="127.0.0.1", port=proxied.port, stall_timeout=1.0)
    proxied.black_hole(up=400_000)
    with pytest.raises(DriverError, match="silent for 1 seconds") as caught:
        write(bench, mode, "c" * 32)
    assert caught.value.retriable
    proxied.reset()
    assert nothing_left(bench)
    assert content(bench) == before
    assert not write(bench, mode, "c" * 32).already
    assert content(bench)[0][0] == AFTER[mode]
    cell("postgres", mode, "black hole", "before")


def test_a_read_from_a_network_that_falls_silent(bench, proxied):
    bench.use(host="127.0.0.1", port=proxied.port, stall_timeout=1.0)
    proxied.black_hole(up=1000)
    with pytest.raises(DriverError, match="silent for 1 seconds"):
        bench.read("extractor", query="SELECT i AS i FROM generate_series(1, 1000000) AS i")


def end_ours(bench, state="true"):
    bench.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'osiris' AND {state}")


@pytest.mark.parametrize("mode", MODES)
def test_a_session_that_the_server_ends(bench, loaded, mode, cell):
    before = loaded(mode)
    source = in_steps(40, lambda at: end_ours(bench) if at == 20 else None)
    with pytest.raises(DriverError) as caught:
        bench.write_stream("writer", source, table="t", mode=mode, load_id="d" * 32, **MODES[mode])
    assert (caught.value.code, caught.value.retriable) == ("OSR-PG-003", True)
    assert nothing_left(bench)
    assert content(bench) == before
    bench.write_stream("writer", in_steps(40, lambda _: None), table="t", mode=mode, load_id="d" * 32, **MODES[mode])
    assert content(bench)[0][1] == 40_000
    cell("postgres", mode, "the server ends the session", "before")


@pytest.mark.slow
def test_a_server_that_is_restarted(mortal_bench, cell):
    bench = mortal_bench
    for mode, keys in MODES.items():
        bench.sql("DROP TABLE IF EXISTS t")
        before = seed(bench, mode)
        restarted = threading.Event()

        def between(at, restarted=restarted):
            if at == 20:
                control(bench.server, "restart")
                restarted.set()

        with pytest.raises(DriverError) as caught:
            bench.write_stream("writer", in_steps(40, between), table="t", mode=mode, load_id="d" * 32, **keys)
        assert (caught.value.code, caught.value.retriable) == ("OSR-PG-003", True)
        assert restarted.wait(60)  # who writes does not wait for it
        assert nothing_left(bench)
        assert content(bench) == before
        again = in_steps(40, lambda _: None)
        assert not bench.write_stream("writer", again, table="t", mode=mode, load_id="d" * 32, **keys).already
        assert content(bench)[0][1] == 40_000
        cell("postgres", mode, "the server is restarted", "before")
        bench.sql("DROP TABLE _osiris_loads")


@pytest.mark.parametrize("mode", ["replace", "upsert", "delete_insert"])
def test_a_statement_that_takes_too_long(bench, loaded, mode, cell):
    before = loaded(mode)
    bench.sql(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN PERFORM pg_sleep(600); RETURN NULL; END';"
        "CREATE TRIGGER slow BEFORE INSERT OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION dawdle()"
    )
    bench.use(statement_timeout=1.0)
    with pytest.raises(DriverError, match="statement timeout") as caught:
        write(bench, mode, "3" * 32)
    assert (caught.value.code, caught.value.retriable) == ("OSR-PG-009", False)
    assert nothing_left(bench)
    assert content(bench) == before
    bench.sql("DROP TRIGGER slow ON t")
    bench.use()
    assert not write(bench, mode, "3" * 32).already
    assert content(bench)[0][0] == AFTER[mode]
    cell("postgres", mode, "statement timeout", "before")


@pytest.mark.slow
@pytest.mark.parametrize("full", ["table", "stage"])
def test_a_disk_that_is_full(small_disk, mortal_bench, full, cell):
    bench, folder = mortal_bench, mortal_bench.server.folder / "small"
    folder.mkdir()
    filler = small_disk(folder)
    owner = (bench.server.folder / "data").stat()
    os.chown(folder, owner.st_uid, owner.st_gid)
    bench.server.execute(f"CREATE TABLESPACE small LOCATION '{folder}'")
    if full == "stage":
        bench.server.execute("ALTER DATABASE own SET temp_tablespaces = 'small'")
    for mode in MODES if full == "table" else ("upsert", "delete_insert"):
        bench.sql("DROP TABLE IF EXISTS t; CHECKPOINT")
        room = filler.stat().st_size
        os.truncate(filler, room - (5 << 18 if full == "table" else 0))  # room for the old rows
        before = seed(bench, mode, " TABLESPACE small" if full == "table" else "")
        with pytest.raises(DriverError, match="No space left on device") as caught:
            write(bench, mode, "4" * 32)
        assert (caught.value.code, caught.value.retriable) == ("OSR-PG-011", False)
        assert nothing_left(bench)
        assert content(bench) == before
        filler.write_bytes(b"")
        assert not write(bench, mode, "4" * 32).already
        assert content(bench)[0][0] == AFTER[mode]
        cell("postgres", mode, f"the disk of the {full} is full", "before")
        bench.sql("DROP TABLE t, _osiris_loads; CHECKPOINT")
        filler.write_bytes(bytes(room))


def test_a_read_that_the_server_ends(bench):
    config = bench.configured("extractor", {"query": "SELECT i AS i FROM generate_series(1, 3000000) AS i"})
    outputs = bench.driver("extractor").run(step_id="s", config=config, inputs={}, ctx=bench.context("extractor"))
    batches = outputs["df"].batches()
    next(batches)
    end_ours(bench)
    with pytest.raises(DriverError) as caught:
        list(batches)
    assert (caught.value.code, caught.value.retriable) == ("OSR-PG-003", True)


def test_a_deadlock_ends_ours_and_may_be_tried_again(bench, loaded, cell):
    before = loaded("delete_insert")
    with bench.server.connect(bench.database) as other:
        other.execute("SET deadlock_timeout = '10min'")
        other.execute("BEGIN; UPDATE t SET name = 'old' WHERE id = 15000")
        waiting = threading.Thread(target=lambda: wait_and_touch(bench, other))
        waiting.start()
        with pytest.raises(DriverError, match="deadlock") as caught:
            write(bench, "delete_insert", "e" * 32, f"SELECT * FROM ({ROWS}) WHERE id > 14000 ORDER BY id")
        waiting.join()
        other.execute("ROLLBACK")
    assert (caught.value.code, caught.value.retriable) == ("OSR-PG-010", True)
    assert content(bench) == before
    write(bench, "delete_insert", "e" * 32)
    assert content(bench)[0][0] == AFTER["delete_insert"]
    cell("postgres", "delete_insert", "deadlock", "before")


def wait_and_touch(bench, other):
    """Once our session waits for the other, let the other want a row of ours."""
    for _ in range(5000):
        if bench.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = 'osiris' AND wait_event_type = 'Lock'"):
            break
    other.execute("UPDATE t SET name = 'old' WHERE id BETWEEN 14000 AND 14999")


def test_a_load_that_an_earlier_try_has_just_finished_is_not_made_twice(bench, loaded):
    """The earlier try's transaction is still open when ours begins, and commits before ours does."""
    loaded("append")
    write(bench, "append", "0" * 32, "SELECT 1 AS id, 'x' AS name")
    with bench.server.connect(bench.database) as earlier:

        def between(at):
            if at == 1:
                earlier.execute("BEGIN")
                earlier.execute("INSERT INTO t VALUES (-1, 'earlier')")
                earlier.execute(
                    "INSERT INTO _osiris_loads (load_id, manifest_hash, step, target, mode, rows) "
                    f"VALUES ('{'f' * 32}', '', '', 'public.t', 'append', 3000)"
                )
                earlier.execute("COMMIT")

        written = bench.write_stream("writer", in_steps(3, between), table="t", mode="append", load_id="f" * 32)
    assert written.rows == 3000
    assert bench.sql("SELECT count(*) FROM t WHERE name LIKE 'new%'") == [(0,)]


def test_readers_see_the_table_before_or_after_a_replace(bench, loaded):
    loaded("replace")
    seen = set()

    def look(_):
        seen.add(bench.sql("SELECT count(*), min(name) = 'old' FROM t")[0])

    bench.write_stream("writer", in_steps(5, look), table="t", mode="replace")
    look(None)
    assert seen == {(COUNT, True), (5000, False)}


def test_another_load_waits_for_a_replace_no_longer_than_it_is_told(bench, loaded):
    loaded("replace")

    def other(at):
        if at == 4:
            bench.use(lock_timeout=1.0)
            with pytest.raises(DriverError, match="lock timeout") as caught:
                write(bench, "replace", "1" * 32)
            assert (caught.value.code, caught.value.retriable) == ("OSR-PG-010", True)

    bench.write_stream("writer", in_steps(5, other), table="t", mode="replace", load_id="2" * 32)
    assert content(bench)[0][:2] == (5000, 5000)


@pytest.mark.parametrize("mode", MODES)
def test_cancelling_a_load_leaves_the_old_rows(bench, loaded, mode, cell):
    before = loaded(mode)
    source = in_steps(50, lambda at: bench.token.cancel(Cancelled("OSR-RUN-001", "stopped")) if at == 10 else None)
    with pytest.raises(Cancelled):
        bench.write_stream("writer", source, table="t", mode=mode, **MODES[mode])
    assert nothing_left(bench)
    assert content(bench) == before
    cell("postgres", mode, "cancelled", "before")


def test_a_failure_in_the_steps_before_leaves_the_old_rows(bench, loaded):
    before = loaded("replace")

    def fail(at):
        if at == 3:
            raise DriverError("OSR-X-001", "the source is broken")

    with pytest.raises(DriverError, match="the source is broken"):
        bench.write_stream("writer", in_steps(5, fail), table="t", mode="replace")
    assert nothing_left(bench)
    assert content(bench) == before


def test_state_is_noted_with_the_load(bench):
    driver = bench.driver("writer")
    config = bench.configured("writer", {"table": "t", "mode": "append"})
    ctx = bench.context("writer")
    assert driver.read_state(step_id="s", config=config, key="k", ctx=ctx) is None
    with pytest.raises(DriverError, match=r"no table 'public\.t' yet") as caught:
        driver.write_state(step_id="s", config=config, state=LoadState(key="k", text='{"a":1}'), ctx=ctx)
    assert caught.value.code == "OSR-PG-030"
    assert bench.sql("SELECT to_regclass('_osiris_loads')") == [(None,)]
    bench.sql("CREATE TABLE t (id int4)")
    driver.write_state(step_id="s", config=config, state=LoadState(key="k", text='{"a":1}'), ctx=ctx)
    bench.sql("UPDATE _osiris_loads SET loaded_at = now() + interval '1 day'")  # the clock was ahead
    ctx = bench.context("writer")
    driver.write_state(step_id="s", config=config, state=LoadState(key="k", text='{"a":2}'), ctx=ctx)
    assert bench.driver("writer").read_state(step_id="s", config=config, key="k", ctx=ctx) == '{"a":2}'
    assert bench.driver("writer").read_state(step_id="s", config=config, key="other", ctx=ctx) is None
    bench.sql("DROP TABLE t")
    assert bench.driver("writer").read_state(step_id="s", config=config, key="k", ctx=ctx) is None


def test_a_state_that_is_noted_while_another_is_waits_for_it_and_is_the_newest(bench):
    """Else two could have one time, or the first to end the later one."""
    bench.sql("CREATE TABLE t (id int4)")
    driver, config = bench.driver("writer"), bench.configured("writer", {"table": "t", "mode": "append"})

    def note(number):
        state = LoadState(key="k", text=f'{{"a":{number}}}')
        driver.write_state(step_id="s", config=config, state=state, ctx=bench.context("writer"))

    note(1)
    session = writing_session(bench.context("writer"))
    other = threading.Thread(target=note, args=(3,))
    try:
        begin(session, bench.connection, read_only=False)
        row = CommitRow(load_id="f" * 32, manifest_hash="0", step="s", target="public.t", mode="state", rows=0,
                        checksum=None, state=LoadState(key="k", text='{"a":2}'))  # fmt: skip
        assert add_load(session, "public", row)
        other.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        waited = any(bench.sql(waiting) == [(1,)] for _ in range(2000))
        session.run("UPDATE _osiris_loads SET loaded_at = now() + interval '1 day' WHERE load_id = $1", "f" * 32)
        session.commit()
    finally:
        session.close()
        other.join()
    assert waited
    assert driver.read_state(step_id="s", config=config, key="k", ctx=bench.context("writer")) == '{"a":3}'


def test_a_transaction_that_has_failed_is_not_taken_for_one_that_has_ended(bench):
    session = writing_session(bench.context("writer"))
    try:
        begin(session, bench.connection, read_only=False)
        with pytest.raises(ServerFailure):
            session.run("SELECT 1 / 0")
        with pytest.raises(DriverError, match="undone"):
            session.commit()
    finally:
        session.close()


@pytest.mark.parametrize("mode", ["append", "upsert", "delete_insert"])
def test_two_first_loads_of_one_table_follow_one_another(bench, mode):
    keys = {"append": {}, "upsert": {"primary_key": ["id"]}, "delete_insert": {"replace_keys": ["id"]}}[mode]
    two_at_once(bench, mode, keys, "SELECT i::INTEGER AS id, 'a' AS name FROM range(100) AS r(i)")
    assert bench.sql("SELECT count(*) FROM t") == [(200 if mode == "append" else 100,)]
    assert bench.sql("SELECT count(*) FROM _osiris_loads") == [(2,)]


def test_two_loads_that_add_one_column_follow_one_another(bench):
    bench.sql("CREATE TABLE t (id int4)")
    two_at_once(bench, "append", {"on_schema_change": "add_columns"}, "SELECT 1::INTEGER AS id, 'a' AS name")
    assert bench.sql("SELECT * FROM t") == [(1, "a")] * 2


def two_at_once(bench, mode, keys, sql):
    """Two loads, the second of which has its first rows while the first has not ended."""
    driver, table = bench.driver("writer"), duckdb.connect().sql(sql).to_arrow_table()
    config = bench.configured("writer", {"table": "t", "mode": mode, **keys})
    first, second = (
        driver.begin(step_id="s", config=config, schema=table.schema, ctx=bench.context("writer")) for _ in range(2)
    )
    failed = []

    def load():
        try:
            driver.publish(second, [driver.write(second, 0, Rows(table))])
        except OsirisError as error:
            failed.append(error)

    other = threading.Thread(target=load)
    try:
        receipt = driver.write(first, 0, Rows(table))
        other.start()
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        assert any(bench.sql(waiting) != [(0,)] for _ in range(5000))
        driver.publish(first, [receipt])
    finally:
        driver.abort(first)
        other.join()
        driver.abort(second)
    assert failed == []


class Rows:
    """An Arrow table as a dataset of batches."""

    def __init__(self, table):
        self._table = Table.from_arrow(table)

    def batches(self):
        yield from self._table.to_batches()
