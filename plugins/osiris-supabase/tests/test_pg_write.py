"""Every mode of writing a table: what is in it afterwards, what is counted, and what is refused."""

from __future__ import annotations

import threading

import duckdb
import pytest
from arro3.core import Table

from osiris_core.api import ConnectionUnusable, DriverError, LoadState

ROWS = "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t(id, name)"
MORE = "SELECT * FROM (VALUES (2, 'B'), (3, 'c')) AS t(id, name)"
NONE = "SELECT 1 AS id, 'a' AS name WHERE false"
KEY = {"primary_key": ["id"]}
BY = {"replace_keys": ["id"]}


def content(bench, table="t"):
    return bench.sql(f"SELECT * FROM {table} ORDER BY 1, 2")


def published(bench):
    (event,) = bench.events("write_published")
    return {name: event[name] for name in ("rows", "inserted", "updated", "deleted")}


@pytest.mark.parametrize(
    ("mode", "keys", "after", "counts"),
    [
        ("append", {}, [(1, "a"), (2, "B"), (2, "b"), (3, "c")], (2, 2, 0, 0)),
        ("replace", {}, [(2, "B"), (3, "c")], (2, 2, 0, 2)),
        ("upsert", KEY, [(1, "a"), (2, "B"), (3, "c")], (2, 1, 1, 0)),
        ("delete_insert", BY, [(1, "a"), (2, "B"), (3, "c")], (2, 2, 0, 1)),
    ],
)
def test_a_mode_makes_a_table_and_changes_it(bench, mode, keys, after, counts):
    bench.write("writer", ROWS, table="t", mode=mode, **keys)
    assert published(bench) == {"rows": 2, "inserted": 2, "updated": 0, "deleted": 0}
    assert content(bench) == [(1, "a"), (2, "b")]
    bench.write("writer", MORE, table="t", mode=mode, **keys)
    assert sorted(content(bench)) == sorted(after)
    assert published(bench) == dict(zip(("rows", "inserted", "updated", "deleted"), counts, strict=True))
    noted = bench.sql("SELECT target, mode, rows, length(checksum) FROM _osiris_loads ORDER BY loaded_at")
    assert noted == [("public.t", mode, 2, 32)] * 2


@pytest.mark.parametrize(
    ("mode", "keys", "left"), [("append", {}, 2), ("replace", {}, 0), ("upsert", KEY, 2), ("delete_insert", BY, 2)]
)
def test_no_rows_make_an_empty_table_and_empty_only_what_is_replaced(bench, mode, keys, left):
    bench.write("writer", NONE, table="fresh", mode=mode, **keys)
    assert content(bench, "fresh") == []
    bench.write("writer", ROWS, table="t", mode="append")
    bench.write("writer", NONE, table="t", mode=mode, **keys)
    assert len(content(bench)) == left


@pytest.mark.parametrize("mode", ["append", "replace", "upsert", "delete_insert"])
def test_the_same_load_again_changes_nothing(bench, mode):
    keys = KEY if mode == "upsert" else BY if mode == "delete_insert" else {}
    for _ in range(2):
        written = bench.write("writer", ROWS, table="t", mode=mode, load_id="a" * 32, **keys)
    assert written.already
    assert written.rows == 2
    assert content(bench) == [(1, "a"), (2, "b")]


def test_upsert_without_an_index_updates_then_inserts(bench):
    bench.sql("CREATE TABLE t (id int4, name text); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    bench.write("writer", MORE, table="t", mode="upsert", **KEY)
    assert content(bench) == [(1, "a"), (2, "B"), (3, "c")]
    assert published(bench) == {"rows": 2, "inserted": 1, "updated": 1, "deleted": 0}


def test_upsert_without_an_index_refuses_a_key_that_the_table_has_twice(bench):
    bench.sql("CREATE TABLE t (id int4, name text); INSERT INTO t VALUES (2, 'x'), (2, 'b')")
    with pytest.raises(DriverError) as caught:
        bench.write("writer", MORE, table="t", mode="upsert", **KEY)
    assert caught.value.code == "OSR-PG-037"
    assert content(bench) == [(2, "b"), (2, "x")]


@pytest.mark.parametrize("index", ["UNIQUE (name, id)", "PRIMARY KEY (id, name)"])
def test_upsert_by_two_columns_uses_an_index_in_any_order(bench, index):
    bench.sql(f"CREATE TABLE t (id int4, name text, n int4, {index}); INSERT INTO t VALUES (2, 'B', 1)")
    bench.write("writer", f"SELECT *, 7 AS n FROM ({MORE})", table="t", mode="upsert", primary_key=["id", "name"])
    assert content(bench) == [(2, "B", 7), (3, "c", 7)]


@pytest.mark.parametrize("index", ["PRIMARY KEY (id)", "CHECK (true)"])
def test_upsert_of_nothing_but_the_key(bench, index):
    bench.sql(f"CREATE TABLE t (id int4, {index}); INSERT INTO t VALUES (2)")
    bench.write("writer", f"SELECT id FROM ({MORE})", table="t", mode="upsert", **KEY)
    assert content(bench, "(SELECT id, 0 FROM t) AS t") == [(2, 0), (3, 0)]
    assert published(bench) == {"rows": 2, "inserted": 1, "updated": 1, "deleted": 0}


@pytest.mark.parametrize("index", ["PRIMARY KEY (id)", "CHECK (true)"])
def test_upsert_into_a_partitioned_table(bench, index):
    bench.sql(
        f"CREATE TABLE t (id int4, name text, {index}) PARTITION BY RANGE (id);"
        "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (3); CREATE TABLE t2 PARTITION OF t DEFAULT;"
        "INSERT INTO t VALUES (1, 'a'), (2, 'b')"
    )
    bench.write("writer", MORE, table="t", mode="upsert", **KEY)
    assert content(bench) == [(1, "a"), (2, "B"), (3, "c")]
    assert published(bench) == {"rows": 2, "inserted": 1, "updated": 1, "deleted": 0}


def test_duplicate_keys_are_an_error_or_the_last_wins(bench):
    twice = "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (1, 'c'), (1, 'd'), (3, 'e')) AS t(id, name)"
    with pytest.raises(DriverError) as caught:
        bench.write("writer", twice, table="t", mode="upsert", **KEY)
    assert caught.value.code == "OSR-PG-035"
    assert bench.sql("SELECT to_regclass('t')") == [(None,)]
    bench.write("writer", twice, table="t", mode="upsert", on_duplicate="last", **KEY)
    assert content(bench) == [(1, "d"), (2, "b"), (3, "e")]
    (event,) = bench.events("write_published")
    assert event["details"]["duplicates_dropped"] == 2


def test_null_in_a_primary_key_is_refused(bench):
    with pytest.raises(DriverError, match="1 of 3 rows have NULL in the primary_key") as caught:
        bench.write("writer", f"{ROWS} UNION ALL SELECT NULL, 'x'", table="t", mode="upsert", **KEY)
    assert caught.value.code == "OSR-PG-034"


def test_null_is_a_value_of_replace_keys(bench):
    bench.sql("CREATE TABLE t (id int4, name text); INSERT INTO t VALUES (NULL, 'old'), (NULL, 'older'), (1, 'a')")
    rows = "SELECT * FROM (VALUES (NULL::INTEGER, 'new'), (2, 'b'), (NULL, 'newer')) AS t(id, name)"
    bench.write("writer", rows, table="t", mode="delete_insert", **BY)
    assert content(bench) == [(1, "a"), (2, "b"), (None, "new"), (None, "newer")]
    assert published(bench) == {"rows": 3, "inserted": 3, "updated": 0, "deleted": 2}


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL", "SET DEFAULT"])
def test_rows_that_others_depend_on_are_not_deleted(bench, action):
    bench.sql(
        "CREATE TABLE t (id int4 PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'a'), (2, 'b');"
        f"CREATE TABLE child (t int4 REFERENCES t ON DELETE {action}); INSERT INTO child VALUES (1), (2)"
    )
    for mode, keys in (("replace", {}), ("delete_insert", BY)):
        with pytest.raises(DriverError, match=f"would change 'public.child', .* ON DELETE {action}") as caught:
            bench.write("writer", MORE, table="t", mode=mode, **keys)
        assert caught.value.code == "OSR-PG-044"
    assert bench.sql("SELECT t FROM child ORDER BY 1") == [(1,), (2,)]
    bench.write("writer", MORE, table="t", mode="upsert", **KEY)
    bench.write("writer", "SELECT 9 AS id, 'i' AS name", table="t", mode="append")
    assert content(bench) == [(1, "a"), (2, "B"), (3, "c"), (9, "i")]


@pytest.mark.parametrize("mode", ["replace", "delete_insert"])
@pytest.mark.parametrize("schema_change", ["fail", "add_columns"])
@pytest.mark.parametrize(
    "keeping",
    [
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        "CREATE TRIGGER kept BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION keep()",
        "CREATE RULE kept AS ON DELETE TO t DO INSTEAD NOTHING",
    ],
)
def test_rows_that_stay_though_deleted_are_an_error(bench, keeping, mode, schema_change):
    bench.sql(f"CREATE TABLE t (id int4, name text); INSERT INTO t VALUES (2, 'b'); {keeping}")
    rows = MORE if schema_change == "fail" else f"SELECT *, 1 AS more FROM ({MORE})"
    keys = BY if mode == "delete_insert" else {}
    with pytest.raises(DriverError, match=r"'public\.t' still has rows") as caught:
        bench.write("writer", rows, table="t", mode=mode, on_schema_change=schema_change, **keys)
    assert caught.value.code == "OSR-PG-043"
    assert content(bench) == [(2, "b")]


def test_a_key_of_null_that_stays_though_deleted_is_an_error(bench):
    bench.sql(
        "CREATE TABLE t (id int4, name text); INSERT INTO t VALUES (NULL, 'b');"
        "CREATE RULE kept AS ON DELETE TO t DO INSTEAD NOTHING"
    )
    with pytest.raises(DriverError, match=r"'public\.t' still has rows"):
        bench.write("writer", "SELECT NULL::INT AS id, 'c' AS name", table="t", mode="delete_insert", **BY)


@pytest.mark.parametrize(("mode", "keys"), [("replace", {}), ("delete_insert", BY), ("upsert", KEY)])
@pytest.mark.parametrize("force", [False, True])
def test_rows_that_a_policy_hides_are_an_error(bench, mode, keys, force):
    bench.server.execute("DROP ROLE IF EXISTS weak; CREATE ROLE weak LOGIN PASSWORD 'weak'")  # pragma: allowlist secret
    bench.sql(
        "GRANT CREATE, USAGE ON SCHEMA public TO weak; CREATE TABLE t (id int4, name text); INSERT INTO t VALUES "
        "(2, 'old'); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY a ON t FOR SELECT USING (true);"
        "CREATE POLICY b ON t FOR INSERT WITH CHECK (true); GRANT ALL ON t TO weak"
    )
    if force:
        bench.sql("ALTER TABLE t FORCE ROW LEVEL SECURITY; ALTER TABLE t OWNER TO weak")
    bench.use(user="weak", password="weak")  # pragma: allowlist secret
    try:
        with pytest.raises(DriverError, match="row-level security") as caught:
            bench.write("writer", MORE, table="t", mode=mode, **keys)
        assert caught.value.code == "OSR-PG-008"
        assert "BYPASSRLS" in caught.value.hint
        assert content(bench) == [(2, "old")]
    finally:
        bench.sql("DROP OWNED BY weak")
        bench.server.execute("DROP ROLE weak")


def test_a_created_table_has_its_key_grants_and_policies(bench):
    bench.server.execute("DROP ROLE IF EXISTS web; CREATE ROLE web")
    bench.write("writer", ROWS, table="t", mode="upsert", grants=["web"], enable_rls=True, **KEY)
    assert bench.sql("SELECT indisprimary FROM pg_index WHERE indrelid = 't'::regclass") == [(True,)]
    assert bench.sql("SELECT has_table_privilege('web', 't', 'SELECT,INSERT')") == [(True,)]
    assert bench.sql("SELECT relname, relrowsecurity FROM pg_class WHERE relname IN ('t', '_osiris_loads')") in (
        [("_osiris_loads", True), ("t", True)],
        [("t", True), ("_osiris_loads", True)],
    )
    bench.sql("DROP TABLE t; REVOKE ALL ON SCHEMA public FROM web")
    bench.server.execute("DROP ROLE web")


def test_a_role_that_is_not_there_is_named_and_nothing_is_left(bench):
    with pytest.raises(DriverError, match='role "nobody_at_all" does not exist'):
        bench.write("writer", ROWS, table="t", mode="append", grants=["nobody_at_all"])
    assert bench.sql("SELECT to_regclass('t')") == [(None,)]


def test_another_schema_is_made_with_its_table(bench):
    bench.write("writer", ROWS, table="t", schema="Mixed Case", mode="append")
    assert content(bench, '"Mixed Case".t') == [(1, "a"), (2, "b")]
    assert bench.sql('SELECT count(*) FROM "Mixed Case"._osiris_loads') == [(1,)]
    bench.sql('DROP SCHEMA "Mixed Case" CASCADE')


def test_a_missing_table_is_not_made_where_that_is_not_wanted(bench):
    with pytest.raises(DriverError) as caught:
        bench.write("writer", ROWS, table="t", mode="append", create_if_missing=False)
    assert caught.value.code == "OSR-PG-030"
    assert bench.sql("SELECT count(*) FROM pg_class WHERE relname = '_osiris_loads'") == [(0,)]


@pytest.mark.parametrize("mode", ["append", "replace", "upsert", "delete_insert"])
def test_new_columns_are_refused_added_or_left_out(bench, mode):
    keys = KEY if mode == "upsert" else BY if mode == "delete_insert" else {}
    bench.sql("CREATE TABLE t (id int4, gone text DEFAULT 'd'); INSERT INTO t VALUES (1, 'x')")
    with pytest.raises(DriverError) as caught:
        bench.write("writer", ROWS, table="t", mode=mode, **keys)
    assert caught.value.code == "OSR-PG-031"
    bench.write("writer", MORE, table="t", mode=mode, on_schema_change="ignore", **keys)
    bench.write("writer", MORE, table="t", mode=mode, on_schema_change="add_columns", **keys)
    (event,) = bench.events("schema_changed")
    assert {"column": "name", "change": "added", "type": "text"} in event["changes"]
    assert (3, "d", "c") in bench.sql("SELECT * FROM t")
    expected = {"append": 5, "replace": 2, "upsert": 3, "delete_insert": 3}
    assert bench.sql("SELECT count(*) FROM t") == [(expected[mode],)]


def test_computed_and_identity_columns(bench):
    bench.sql(
        "CREATE TABLE t (id int4, name text, twice int4 GENERATED ALWAYS AS (id * 2) STORED,"
        " n int8 GENERATED ALWAYS AS IDENTITY)"
    )
    for mode, keys in (("append", {}), ("delete_insert", BY)):
        bench.write("writer", ROWS, table="t", mode=mode, on_schema_change="ignore", **keys)
    assert bench.sql("SELECT id, name, twice FROM t ORDER BY id") == [(1, "a", 2), (2, "b", 4)]
    with pytest.raises(DriverError, match=r"'public\.t' computes column 'twice' itself"):
        bench.write("writer", "SELECT 1 AS id, 2 AS twice", table="t", mode="append", on_schema_change="ignore")
    bench.write("writer", "SELECT 9 AS id, 5::BIGINT AS n", table="t", mode="append", on_schema_change="ignore")
    assert bench.sql("SELECT n FROM t WHERE id = 9") == [(5,)]


def test_a_view_is_refused(bench):
    bench.sql("CREATE VIEW t AS SELECT 1 AS id, ''::text AS name")
    with pytest.raises(DriverError, match=r"'public\.t' is a view") as caught:
        bench.write("writer", ROWS, table="t", mode="append")
    assert caught.value.code == "OSR-PG-038"


def test_names_that_differ_in_case_are_different(bench):
    bench.sql('CREATE TABLE t ("Id" int4, name text)')
    with pytest.raises(DriverError) as caught:
        bench.write("writer", ROWS, table="t", mode="append")
    assert caught.value.code == "OSR-PG-031"


def test_a_row_that_breaks_a_rule_changes_nothing(bench):
    bench.sql("CREATE TABLE t (id int4 UNIQUE, name text CHECK (name <> 'B')); INSERT INTO t VALUES (1, 'a')")
    for rows, said in ((MORE, "check constraint"), (ROWS, "duplicate key")):
        with pytest.raises(DriverError, match=said) as caught:
            bench.write("writer", rows, table="t", mode="append")
        assert caught.value.code == "OSR-PG-040"
        (aborted,) = bench.events("write_aborted")
        assert aborted["clean"]
    assert content(bench) == [(1, "a")]
    assert bench.sql("SELECT count(*) FROM _osiris_loads") == [(0,)]


@pytest.fixture
def weak(bench):
    """A role that may write where the owner of the tables has made a load already."""
    bench.write("writer", ROWS, table="t", mode="append", load_id="1" * 32, state=LoadState(key="k", text="one"))
    bench.server.execute("DROP ROLE IF EXISTS weak; CREATE ROLE weak LOGIN PASSWORD 'weak'")  # pragma: allowlist secret
    bench.sql("GRANT USAGE ON SCHEMA public TO weak; GRANT ALL ON t, _osiris_loads TO weak")
    bench.use(user="weak", password="weak")  # pragma: allowlist secret
    yield bench
    bench.sql("DROP OWNED BY weak")
    bench.server.execute("DROP ROLE weak")


@pytest.mark.parametrize(
    "policies",
    [
        "",
        "CREATE POLICY a ON _osiris_loads USING (true)",
        "CREATE POLICY a ON _osiris_loads FOR INSERT WITH CHECK (true)",
        "CREATE POLICY a ON _osiris_loads FOR SELECT USING (mode = 'none'); "
        "CREATE POLICY b ON _osiris_loads FOR INSERT WITH CHECK (true)",
        "ALTER TABLE _osiris_loads FORCE ROW LEVEL SECURITY; ALTER TABLE _osiris_loads OWNER TO weak",
        "REVOKE ALL ON _osiris_loads FROM weak",
    ],
    ids=["no policy", "all", "insert", "some", "forced", "no rights"],
)
def test_commit_rows_that_may_be_hidden_make_no_load_twice(weak, policies):
    weak.sql(policies or "SELECT 1")
    config = weak.configured("writer", {"table": "t", "mode": "append"})

    def write(load_id):
        weak.write("writer", ROWS, table="t", mode="append", load_id=load_id, state=LoadState(key="k", text="two"))

    def read_state():
        weak.driver("writer").read_state(step_id="s", config=config, key="k", ctx=weak.context("writer"))

    def write_state():
        state = LoadState(key="k", text="two")
        weak.driver("writer").write_state(step_id="s", config=config, state=state, ctx=weak.context("writer"))

    for refused in (lambda: write("1" * 32), lambda: write("2" * 32), read_state, write_state):
        with pytest.raises(DriverError, match="_osiris_loads") as caught:
            refused()
        assert caught.value.code == "OSR-PG-008"
        assert "'_osiris_loads' is under row level security" in caught.value.hint
        assert "BYPASSRLS" in caught.value.hint
    assert content(weak) == [(1, "a"), (2, "b")]
    assert weak.sql("SELECT load_id, state FROM _osiris_loads") == [("1" * 32, "one")]


def test_a_role_that_no_policy_binds_sees_the_loads_of_another(weak):
    weak.server.execute("ALTER ROLE weak BYPASSRLS")
    written = weak.write("writer", ROWS, table="t", mode="append", load_id="1" * 32)
    assert written.already
    assert weak.write("writer", MORE, table="t", mode="append").rows == 2
    assert len(content(weak)) == 4


def test_a_role_without_rights_is_told_what_it_lacks(bench):
    bench.server.execute("DROP ROLE IF EXISTS weak; CREATE ROLE weak LOGIN PASSWORD 'weak'")  # pragma: allowlist secret
    bench.sql("CREATE TABLE t (id int4, name text); GRANT CREATE, USAGE ON SCHEMA public TO weak")
    bench.use(user="weak", password="weak")  # pragma: allowlist secret
    with pytest.raises(DriverError, match="permission denied for table t") as caught:
        bench.write("writer", ROWS, table="t", mode="append")
    assert caught.value.code == "OSR-PG-008"
    bench.sql("GRANT INSERT, SELECT ON t TO weak; ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    with pytest.raises(DriverError, match="row-level security") as caught:
        bench.write("writer", ROWS, table="t", mode="append")
    assert caught.value.code == "OSR-PG-008"
    assert "BYPASSRLS" in caught.value.hint
    bench.sql("DROP OWNED BY weak")
    bench.server.execute("DROP ROLE weak")


def test_binding_changes_nothing(bench):
    schema = duckdb.connect().sql(ROWS).arrow().schema
    config = bench.configured("writer", {"table": "t", "mode": "append"})
    bind = bench.driver("writer").bind
    assert bind(step_id="s", config=config, inputs={"df": schema}, ctx=bench.context("writer")) == {}
    assert bench.sql("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]
    bench.sql("CREATE TABLE t (other int4)")
    with pytest.raises(DriverError) as caught:
        bind(step_id="s", config=config, inputs={"df": schema}, ctx=bench.context("writer"))
    assert caught.value.code == "OSR-PG-031"


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_parts_of_several_threads_are_one_load(bench, mode):
    driver, ctx = bench.driver("writer"), bench.context("writer")
    config = bench.configured("writer", {"table": "t", "mode": mode, **(KEY if mode == "upsert" else {})})
    tables = [duckdb.connect().sql(f"SELECT i AS id, 'p{part}' AS name FROM range({part}, 9000, 3) r(i)").to_arrow_table()
              for part in range(3)]  # fmt: skip
    stage = driver.begin(step_id="s", config=config, schema=tables[0].schema, ctx=ctx)
    receipts = []
    threads = [
        threading.Thread(target=lambda part=part: receipts.append(driver.write(stage, part, Rows(tables[part]))))
        for part in (2, 0, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with pytest.raises(DriverError, match="receipts"):
        driver.publish(stage, receipts[:2])
    report = driver.publish(stage, receipts)
    driver.abort(stage)
    assert (report.rows, report.inserted) == (9000, 9000)
    assert bench.sql("SELECT count(DISTINCT id) FROM t") == [(9000,)]


class Rows:
    """An Arrow table as a dataset of batches."""

    def __init__(self, table):
        self._table = Table.from_arrow(table)

    def batches(self):
        yield from self._table.to_batches()


def test_a_database_of_another_encoding(tmp_path, postgres_server, postgres_bench):
    postgres_server.execute("DROP DATABASE IF EXISTS osiris_latin")
    options = "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    postgres_server.execute(f"CREATE DATABASE osiris_latin ENCODING 'LATIN1' {options}")
    bench = postgres_bench(tmp_path, postgres_server, "osiris_latin")
    bench.write("writer", "SELECT 'é' AS v", table="t", mode="append")
    assert bench.rows("extractor", table="t") == [("é",)]
    assert bench.sql("SELECT convert_to(v, 'LATIN1') FROM t") == [(b"\xe9",)]
    with pytest.raises(DriverError, match="has no equivalent in encoding") as caught:
        bench.write("writer", "SELECT 'ž' AS v", table="t", mode="append")
    assert caught.value.code == "OSR-PG-041"
    postgres_server.execute("DROP DATABASE osiris_latin WITH (FORCE)")


def test_a_database_that_says_nothing_of_its_texts_is_refused(tmp_path, postgres_server, postgres_bench):
    postgres_server.execute("DROP DATABASE IF EXISTS osiris_ascii")
    options = "TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    postgres_server.execute(f"CREATE DATABASE osiris_ascii ENCODING 'SQL_ASCII' {options}")
    bench = postgres_bench(tmp_path, postgres_server, "osiris_ascii")
    for use in (
        lambda: bench.write("writer", "SELECT 'é' AS v", table="t", mode="append"),
        lambda: bench.rows("extractor", query="SELECT 1 AS a"),
    ):
        with pytest.raises(ConnectionUnusable, match="SQL_ASCII") as caught:
            use()
        assert caught.value.code == "OSR-PG-007"
    postgres_server.execute("DROP DATABASE osiris_ascii WITH (FORCE)")


@pytest.mark.parametrize("component", ["writer", "extractor"])
@pytest.mark.parametrize("field", ["table", "schema"])
def test_a_name_is_measured_in_bytes_since_the_server_cuts_it(bench, component, field):
    kept = "é" * 31 + "x"
    mode = {"mode": "replace"} if component == "writer" else {}
    with pytest.raises(AssertionError, match="longer than the 63 bytes"):
        bench.configured(component, {"table": "t", **mode, field: f"{kept}_archive"})
    assert bench.configured(component, {"table": "t", **mode, field: kept}) is not None


def test_the_schema_of_a_connection_is_measured_in_bytes(bench):
    with pytest.raises(AssertionError, match="longer than the 63 bytes"):
        bench.use(schema="é" * 40)


def test_upsert_of_nothing_but_a_key_that_the_server_makes(bench):
    bench.sql("CREATE TABLE t (id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY); INSERT INTO t DEFAULT VALUES")
    bench.write("writer", "SELECT unnest([1, 2]) AS id", table="t", mode="upsert", **KEY)
    assert bench.sql("SELECT id FROM t ORDER BY 1") == [(1,), (2,)]
    assert published(bench) == {"rows": 2, "inserted": 1, "updated": 1, "deleted": 0}


def test_a_transaction_of_a_writer_does_not_stay_idle_for_ever(bench):
    from osiris_supabase.postgres.begin import begin
    from osiris_supabase.postgres.stage import writing_session

    bench.use(host="127.0.0.1", stall_timeout=90.0)
    session = writing_session(bench.context("writer"))
    try:
        begin(session, bench.connection, read_only=False)
        names = ("idle_in_transaction_session_timeout", "tcp_keepalives_idle", "tcp_keepalives_count")
        shown = ", ".join(f"current_setting('{name}')" for name in names)
        assert session.rows(f"SELECT {shown}") == [("90s", "30", "3")]
    finally:
        session.close()
