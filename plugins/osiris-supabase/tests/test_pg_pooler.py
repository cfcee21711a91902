"""The database side through a pooler in transaction mode, which gives every transaction another server process."""

from __future__ import annotations

import threading

import psycopg
import pytest

from osiris_core.api import OsirisError, SecretStr
from tests.bench import tuples
from tests.servers.pgbouncer import pooling

ROWS = "SELECT n::BIGINT AS id, 'row ' || n AS name FROM range({}) r(n)"
SETTINGS = ("statement_timeout", "lock_timeout", "TimeZone", "DateStyle", "search_path", "transaction_read_only")


@pytest.fixture(scope="module")
def pooler(postgres_server):
    with pooling(postgres_server) as found:
        yield found


@pytest.fixture(scope="module")
def narrow(postgres_server):
    """A pooler with one server process, so that whatever a session leaves behind is met by the next."""
    with pooling(postgres_server, size=1) as found:
        yield found


def through(bench, pooler):
    dsn = f"{pooler.dsn(database=bench.database)}?pgbouncer=true"
    bench.connect(dsn=SecretStr(dsn), statement_timeout=77.0, tls="disable")
    return bench


def remembered(pooler, bench):
    """What the one server process keeps between transactions."""
    with pooler.connect(bench.database) as other:
        settings = [other.execute(f"SHOW {name}").fetchone()[0] for name in SETTINGS]
        (left,) = other.execute(
            "SELECT (SELECT count(*) FROM pg_prepared_statements), "
            "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), "
            "(SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r')"
        ).fetchall()
    return settings, left


def test_the_pooler_does_what_makes_sessions_fail(narrow, bench):
    with narrow.connect(bench.database) as one, narrow.connect(bench.database) as other:
        one.execute("SET statement_timeout = '7s'")
        assert other.execute("SHOW statement_timeout").fetchone() == ("7s",)
        one.execute("RESET statement_timeout")
        for _ in range(2):
            one.prepare_threshold = other.prepare_threshold = 0
        one.execute("SELECT 1")
        with pytest.raises(psycopg.errors.DuplicatePreparedStatement):
            other.execute("SELECT 2")
        one.execute("DEALLOCATE ALL", prepare=False)
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
        psycopg.connect(narrow.dsn(database=bench.database), options="-c statement_timeout=1")


def test_rows_are_read_and_nothing_is_left_in_the_server_process(narrow, bench):
    bench.sql(
        "CREATE TABLE t (id bigint PRIMARY KEY, name text); INSERT INTO t SELECT n, 'row ' || n FROM generate_series(0, 40000) n"
    )
    before = remembered(narrow, bench)
    through(bench, narrow)
    for _ in range(3):
        assert bench.rows("extractor", table="t", columns=["id"], limit=30000) != []
        found = bench.rows("extractor", query="SELECT id, name FROM t WHERE id < :n", query_params={"n": 20000})
        assert sorted(found) == [(n, f"row {n}") for n in range(20000)]
    with pytest.raises(OsirisError):
        bench.rows("extractor", query="SELECT id / (id - 39000) FROM t")
    assert remembered(narrow, bench) == before
    assert before[1] == (0, 0, 0)


def test_parts_that_cannot_share_a_snapshot_are_read_as_one(pooler, bench):
    bench.sql("CREATE TABLE t (id bigint PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 50000)")
    through(bench, pooler)
    assert sorted(tuples(bench.read("extractor", table="t", parts=4))) == [(n,) for n in range(1, 50001)]


@pytest.mark.parametrize("mode", ["append", "replace", "upsert", "delete_insert"])
def test_each_mode_writes_and_nothing_is_left_in_the_server_process(narrow, bench, mode):
    bench.sql("CREATE TABLE t (id bigint PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'old'), (99999, 'far')")
    before = remembered(narrow, bench)
    through(bench, narrow)
    keys = {"upsert": {"primary_key": ["id"]}, "delete_insert": {"replace_keys": ["id"]}}.get(mode, {})
    first = 2 if mode == "append" else 0
    sql = f"SELECT * FROM ({ROWS.format(5000)}) WHERE id >= {first}"
    assert bench.write("writer", sql, mode=mode, table="t", **keys).rows == 5000 - first
    left = {"replace": [(n, f"row {n}") for n in range(5000)]}
    wanted = left.get(mode) or [(n, f"row {n}") for n in range(5000) if n >= first] + [(99999, "far")]
    wanted += [(1, "old")] if mode == "append" else []
    assert sorted(bench.sql("SELECT * FROM t")) == sorted(wanted)
    assert bench.sql("SELECT count(*) FROM _osiris_loads") == [(1,)]
    with pytest.raises(OsirisError):
        bench.write("writer", "SELECT 'x' AS id, 'y' AS name", mode=mode, table="t", **keys)
    assert remembered(narrow, bench) == before


def test_a_load_is_found_by_its_retry(pooler, bench):
    through(bench, pooler)
    first = bench.write("writer", ROWS.format(10), mode="append", table="t", load_id="c" * 32)
    again = bench.write("writer", ROWS.format(10), mode="append", table="t", load_id="c" * 32)
    assert (first.already, again.already) == (False, True)
    assert bench.sql("SELECT count(*) FROM t") == [(10,)]


def test_reads_and_writes_at_once_share_few_server_processes(
    pooler, postgres_bench, postgres_server, postgres_database, tmp_path
):
    made = postgres_bench(tmp_path, postgres_server, postgres_database)
    made.sql(
        "DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public; CREATE TABLE s AS SELECT n AS id FROM generate_series(1, 20000) n; "
        "CREATE TABLE t0 (id bigint, name text); CREATE TABLE t1 (id bigint, name text)"
    )
    failures = []

    def work(number):
        folder = tmp_path / str(number)
        folder.mkdir()
        own = through(postgres_bench(folder, postgres_server, postgres_database), pooler)
        try:
            for _ in range(3):
                assert len(tuples(own.read("extractor", table="s"))) == 20000
                load_id = f"{number:016x}{own.runs:016x}"
                own.write("writer", ROWS.format(2000), mode="append", table=f"t{number % 2}", load_id=load_id)
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    assert made.sql("SELECT (SELECT count(*) FROM t0), (SELECT count(*) FROM t1)") == [(12000, 12000)]
    assert made.sql("SELECT count(*), sum(rows) FROM _osiris_loads") == [(12, 24000)]


def test_a_server_process_that_dies_is_an_error_and_the_next_run_succeeds(narrow, bench):
    bench.sql(
        "CREATE TABLE t (id bigint PRIMARY KEY); CREATE TABLE deadly (); "
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.id = 1500 AND to_regclass('public.deadly') IS NOT NULL "
        "THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$; "
        "CREATE TRIGGER die BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION die()"
    )
    through(bench, narrow)
    rows = "SELECT n::BIGINT AS id FROM range(3000) r(n)"
    with pytest.raises(OsirisError) as caught:
        bench.write("writer", rows, mode="append", table="t", load_id="d" * 32)
    assert caught.value.retriable
    assert bench.sql("SELECT count(*) FROM t") == [(0,)]
    bench.sql("DROP TABLE deadly")
    bench.write("writer", rows, mode="append", table="t", load_id="d" * 32)
    assert bench.sql("SELECT count(*) FROM t") == [(3000,)]
