"""Incremental loads: ties, lag, late rows, crashes in between, and what is refused."""

from __future__ import annotations

import json
import shutil

import duckdb
import pytest

from osiris_core.errors import InvalidInput
from osiris_core.run.bounds import Bounds
from tests.run.workshop import numbers, sql, step


class Ledger:
    """A source table and a destination table in two DuckDB files, and the pipeline between them."""

    def __init__(self, shop):
        self.shop = shop
        (shop.folder / "osiris_connections.yaml").write_text(
            "connections: {duckdb: {source: {path: source.duckdb}, target: {path: target.duckdb}}}\n"
        )
        self.mode = "append"
        self.write = {}
        self.incremental = {"cursor": "ts", "primary_key": ["id"]}
        self.table = "orders"
        self.settings = {}

    def source(self, *statements):
        with duckdb.connect(str(self.shop.folder / "source.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)

    def insert(self, *rows):
        with duckdb.connect(str(self.shop.folder / "source.duckdb")) as connection:
            connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)

    def make(self, kind="INTEGER", *rows):
        self.source(f"CREATE OR REPLACE TABLE orders (id INTEGER, ts {kind}, v VARCHAR)")
        if rows:
            self.insert(*rows)

    def steps(self, *between):
        keys = {"upsert": {"primary_key": ["id"]}, "delete_insert": {"replace_keys": ["ts"]}}.get(self.mode, {})
        extract = step(
            "read", "duckdb.extractor", connection="@duckdb.source", table=self.table, incremental=self.incremental
        )
        config = {"table": "copy", "mode": self.mode, **keys, **self.write}
        last = [between[-1]["id"]] if between else ["read"]
        return extract, *between, step("load", "duckdb.writer", last, "@duckdb.target", **config)

    def load(self, *between, **options):
        return self.shop.run(*self.steps(*between), settings=self.settings, **options)

    def loaded(self, *between, **options):
        ran = self.load(*between, **options)
        assert ran.outcome.error is None, ran.outcome.error
        return ran

    def refused(self, code, *between, **options):
        ran = self.load(*between, **options)
        assert ran.outcome.error is not None
        assert ran.outcome.error.code == code, ran.outcome.error
        return ran.outcome.error

    def target(self, query="SELECT id, ts, v FROM copy ORDER BY ALL"):
        with duckdb.connect(str(self.shop.folder / "target.duckdb")) as connection:
            return connection.execute(query).fetchall()

    def states(self):
        return [json.loads(text) for (text,) in self.target("SELECT state FROM _osiris_loads WHERE state NOT NULL")]


@pytest.fixture
def ledger(shop):
    return Ledger(shop)


def test_rows_at_the_last_value_are_read_again_and_appended_once(ledger):
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"), (3, 2, "c"))
    first = ledger.loaded()
    (began,) = first.events("incremental_started")
    assert (began["origin"], began["lower"], began["state"]) == ("beginning", None, None)
    (committed,) = first.events("state_committed")
    assert (committed["step"], committed["extract"], committed["value"]) == ("load", "read", "2")
    assert (committed["type"], committed["rows_known"]) == ("integer", 2)

    ledger.insert((4, 2, "late"), (5, 3, "new"))
    second = ledger.loaded()
    (began,) = second.events("incremental_started")
    assert (began["origin"], began["lower"]) == ("state", "2")
    (read,) = second.events("incremental_read")
    assert (read["rows"], read["dropped"], read["last"]) == (4, 2, "3")
    assert ledger.target() == [(1, 1, "a"), (2, 2, "b"), (3, 2, "c"), (4, 2, "late"), (5, 3, "new")]
    assert {m["metric"]: m["value"] for m in second.metrics if m["step"] == "read"}["rows_dropped"] == 2


def test_a_load_of_nothing_new_keeps_the_state(ledger):
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"))
    ledger.loaded()
    ledger.loaded()
    ledger.source("DELETE FROM orders")
    ledger.loaded()
    ledger.insert((2, 2, "b"), (3, 2, "c"))
    ledger.loaded()
    assert ledger.target() == [(1, 1, "a"), (2, 2, "b"), (3, 2, "c")]
    assert [state["value"] for state in ledger.states()] == ["2"] * 4


@pytest.mark.parametrize("lag", [None, 5])
def test_a_row_that_is_gone_for_one_load_is_still_known_when_it_is_back(ledger, lag):
    if lag:
        ledger.incremental["lag"] = lag
    ledger.make("INTEGER", (1, 10, "a"), (2, 10, "b"), (3, 10, "c"))
    ledger.loaded()
    for _ in range(2):
        ledger.source("DELETE FROM orders WHERE id = 3")
        ledger.loaded()
        assert (len(ledger.states()[-1]["keys"]), list(ledger.states()[-1]["gone"])) == (2, ["10"])
    if lag:
        ledger.insert((4, 12, "d"))
        ledger.loaded()
    ledger.insert((3, 10, "c"))
    ledger.loaded()
    assert [row[0] for row in ledger.target()] == ([1, 2, 3, 4] if lag else [1, 2, 3])
    assert ledger.states()[-1]["gone"] == {}
    ledger.source("DELETE FROM orders")
    ledger.insert((9, 30, "z"))
    ledger.loaded()
    assert (len(ledger.states()[-1]["keys"]), ledger.states()[-1]["gone"]) == (1, {})


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ("DECIMAL(10,2)", "5.5", "DECIMAL(12,3)"),
        ("DECIMAL(10,2)", "500", "DECIMAL(12,3)"),
        ("DECIMAL(10,0)", "500", "DECIMAL(12,2)"),
        ("TIMESTAMP", "2026-03-01 00:00:00.5", "TIMESTAMP_NS"),
        ("TIMESTAMP_NS", "2026-03-01 00:00:00", "TIMESTAMP"),
        ("INTEGER", "500", "BIGINT"),
    ],
)
def test_rows_are_known_by_values_however_their_type_writes_them(ledger, old, value, new):
    ledger.make(old, (1, value, "a"))
    ledger.loaded()
    ledger.source(f"ALTER TABLE orders ALTER ts TYPE {new}")
    ledger.target(f"ALTER TABLE copy ALTER ts TYPE {new}")
    ledger.loaded()
    assert len(ledger.target()) == 1


@pytest.mark.matrix
@pytest.mark.parametrize(("old", "new"), [("FLOAT", "DOUBLE"), ("DOUBLE", "FLOAT")])
def test_a_type_that_gives_values_other_texts_is_refused(ledger, old, new):
    ledger.make(old, (1, "0.1", "a"))
    ledger.loaded()
    ledger.source(f"ALTER TABLE orders ALTER ts TYPE {new}")
    assert f"'ts' was {old}, and is {new} now" in ledger.refused("OSR-RUN-080").message


@pytest.mark.parametrize("mode", ["upsert", "delete_insert"])
def test_a_changed_row_at_the_last_value_wins_where_rows_have_keys(ledger, mode):
    ledger.mode, ledger.incremental = mode, {"cursor": "ts"}
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"))
    ledger.loaded()
    ledger.source("UPDATE orders SET v = 'B' WHERE id = 2", "UPDATE orders SET v = 'unseen' WHERE id = 1")
    ledger.insert((3, 2, "c"))
    ledger.loaded()
    assert ledger.target() == [(1, 1, "a"), (2, 2, "B"), (3, 2, "c")]
    assert ledger.states()[-1]["keys"] == []


def test_parts_of_a_folder_keep_the_state_in_their_record(ledger):
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"))
    load = step("load", "filesystem.parquet_writer", ["read"], path="copy", layout="folder", mode="append")

    def run(**options):
        ran = ledger.shop.run(*ledger.steps()[:1], load, **options)
        assert ran.outcome.error is None, ran.outcome.error
        return ran

    def rows():
        return duckdb.sql(f"SELECT id FROM '{ledger.shop.folder}/copy/*.parquet' ORDER BY id").fetchall()

    run()
    ledger.insert((3, 2, "c"), (4, 3, "d"))
    ran = run()
    assert ran.events("incremental_read")[0]["dropped"] == 1
    assert rows() == [(1,), (2,), (3,), (4,)]
    record = json.loads((ledger.shop.folder / "copy" / "_osiris_parts.json").read_text())
    assert [("state" in load, load["rows"]) for load in record["loads"]] == [(False, 2), (True, 2)]
    assert json.loads(record["loads"][-1]["state"])["value"] == "3"


# What is refused, where it stands.


def findings(ledger, *steps):
    """Code, place and hint of every finding about a pipeline."""
    with pytest.raises(InvalidInput) as refused:
        ledger.shop.compile(*steps)
    return [(one.code, one.path, one.position.line, one.hint) for one in refused.value.diagnostics]


def rules(ledger, *steps):
    return [(code, path) for code, path, _, _ in findings(ledger, *steps)]


def test_a_state_needs_exactly_one_write_step(ledger):
    extract, load = ledger.steps()
    (found,) = findings(ledger, extract)
    assert found[:2] == ("OSR-OML-044", ("steps", 0, "config", "incremental"))
    assert found[3] == "add a write step, or read without 'incremental'"
    second = step("again", "duckdb.writer", ["read"], "@duckdb.target", table="other", mode="append")
    assert rules(ledger, extract, load, second) == [("OSR-OML-044", ("steps", 0, "config", "incremental"))]
    assert rules(
        ledger,
        extract,
        sql("t", "SELECT * FROM df", ["read"]),
        step("load", "duckdb.writer", ["t"], "@duckdb.target", table="copy", mode="append"),
        second,
    ) == [("OSR-OML-044", ("steps", 0, "config", "incremental"))]


def test_a_writer_that_keeps_no_state_is_named(ledger):
    extract, _ = ledger.steps()
    (found,) = findings(ledger, extract, step("store", "sample.store", ["read"]))
    assert found[:2] == ("OSR-OML-045", ("steps", 0, "config", "incremental"))


def test_a_load_keeps_one_state(ledger):
    extract, _ = ledger.steps()
    other = {**extract, "id": "other"}
    both = sql("both", "SELECT * FROM read UNION ALL SELECT * FROM other", ["read", "other"])
    load = step("load", "duckdb.writer", ["both"], "@duckdb.target", table="copy", mode="append")
    assert rules(ledger, extract, other, both, load) == [("OSR-OML-046", ("steps", 1, "config", "incremental"))]


@pytest.mark.parametrize(
    ("mode", "write", "incremental", "place"),
    [
        ("replace", {}, {}, ("steps", 1, "config", "mode")),
        ("append", {}, {"primary_key": None}, ("steps", 0, "config", "incremental")),
        ("append", {}, {"primary_key": None, "lag": 5}, ("steps", 0, "config", "incremental")),
        ("delete_insert", {"replace_keys": ["id"]}, {}, ("steps", 1, "config", "replace_keys")),
    ],
)
def test_a_mode_that_would_lose_or_double_rows_is_refused(ledger, mode, write, incremental, place):
    ledger.mode, ledger.write = mode, write
    ledger.incremental = {name: value for name, value in (ledger.incremental | incremental).items() if value}
    assert rules(ledger, *ledger.steps()) == [("OSR-OML-047", place)]


def test_a_limit_and_a_file_extractor_take_no_cursor(ledger):
    extract, load = ledger.steps()
    limited = {**extract, "config": {**extract["config"], "limit": 3}}
    assert [path for _, path in rules(ledger, limited, load)] == [("steps", 0, "config", "limit")]
    of_a_plugin = read_on(limit=3), kept()
    assert rules(ledger, *of_a_plugin) == [("OSR-OML-048", ("steps", 0, "config", "limit"))]
    read = step("read", "filesystem.csv_extractor", path="a.csv", incremental={"cursor": "ts"})
    assert ("steps", 0, "config", "incremental") in [path for _, path in rules(ledger, read, load)]


# What changes between two loads.


def test_a_changed_cursor_source_or_key_is_no_way_to_go_on(ledger):
    ledger.make("INTEGER", (1, 1, "a"))
    ledger.source("CREATE TABLE other AS SELECT * FROM orders")
    ledger.loaded()
    ledger.incremental = {"cursor": "id", "primary_key": ["id"]}
    error = ledger.refused("OSR-RUN-080")
    assert "its cursor was 'ts', and is 'id' now" in error.message
    assert "osiris state reset" in error.hint
    ledger.incremental = {"cursor": "ts", "primary_key": ["id", "v"]}
    assert "told apart by 'id', and shall be by 'id', 'v' now" in ledger.refused("OSR-RUN-080").message
    ledger.incremental, ledger.table = {"cursor": "ts", "primary_key": ["id"]}, "other"
    assert "'table' of the extract is another one now" in ledger.refused("OSR-RUN-080").message
    assert ledger.target() == [(1, 1, "a")]
    ledger.table = "orders"
    ledger.source("ALTER TABLE orders ALTER ts TYPE VARCHAR")
    error = ledger.refused("OSR-RUN-080")
    assert "values were of the kind integer, and are of the kind text now" in error.message
    ledger.source("ALTER TABLE orders ALTER ts TYPE BIGINT")
    ledger.refused("OSR-DUCKDB-032")  # the state goes with it; the table's column is the writer's matter


def test_another_connection_is_another_source(ledger):
    ledger.make("INTEGER", (1, 5, "a"))
    shutil.copy(ledger.shop.folder / "source.duckdb", ledger.shop.folder / "second.duckdb")
    (ledger.shop.folder / "osiris_connections.yaml").write_text(
        "connections: {duckdb: {source: {path: source.duckdb}, second: {path: second.duckdb}, "
        "target: {path: target.duckdb}}}\n"
    )
    extract, load = ledger.steps()
    ledger.loaded()
    other = {**extract, "config": {**extract["config"], "connection": "@duckdb.second"}}
    error = ledger.shop.run(other, load).outcome.error
    assert error.code == "OSR-RUN-080"
    assert "'connection' of the extract is another one now" in error.message


def test_another_query_is_another_source_and_white_space_is_not(ledger):
    ledger.make("INTEGER", (1, 5, "a"))
    extract, load = ledger.steps()

    def asked(query):
        config = {"connection": "@duckdb.source", "query": query, "incremental": ledger.incremental}
        return ledger.shop.run({**extract, "config": config}, load).outcome.error

    assert asked("SELECT * FROM orders WHERE v <> 'a  b'") is None
    assert asked("  SELECT *\n  FROM orders\n  WHERE v <> 'a  b'\n") is None
    for query in (
        "SELECT * FROM orders WHERE v <> 'a b'",
        "SELECT * FROM orders",
        "SELECT * FROM orders -- WHERE v <> 'a  b'",
    ):
        error = asked(query)
        assert error.code == "OSR-RUN-080"
        assert "'query' of the extract is another one now" in error.message
        assert "osiris state set" in error.hint


def test_another_table_is_loaded_from_the_beginning_and_so_is_one_that_was_dropped(ledger):
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"))
    ledger.loaded()
    ledger.write = {"table": "second"}
    ledger.loaded()
    assert len(ledger.target("FROM second")) == 2
    ledger.write = {}
    ledger.target("DROP TABLE copy")
    ledger.loaded()
    assert len(ledger.target()) == 2


def test_one_destination_written_in_two_ways_has_one_state(ledger):
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"))
    ledger.loaded()
    ledger.write = {"table": "COPY", "schema": "Main"}
    ledger.loaded()
    assert len(ledger.target()) == 2
    for path in ("copy", "./copy", "copy/"):
        load = step("load", "filesystem.parquet_writer", ["read"], path=path, layout="folder", mode="append")
        assert ledger.shop.run(*ledger.steps()[:1], load).outcome.error is None
    assert len(duckdb.sql(f"FROM '{ledger.shop.folder}/copy/*.parquet'").fetchall()) == 2


def test_a_state_moved_by_somebody_else_meanwhile_ends_the_run(ledger):
    ledger.make("INTEGER", (1, 1, "a"))
    ledger.loaded()
    ledger.insert((2, 2, "b"))

    def listen(event):
        if event["event"] == "incremental_started":
            with duckdb.connect(str(ledger.shop.folder / "target.duckdb")) as connection:
                connection.execute(
                    "INSERT INTO _osiris_loads SELECT * REPLACE ('other' AS load_id, "
                    'replace(state, \'"value":"1"\', \'"value":"7"\') AS state) FROM _osiris_loads'
                )

    ledger.refused("OSR-RUN-087", listeners=(listen,))
    assert ledger.target() == [(1, 1, "a")]


def test_state_of_a_later_osiris_or_none_at_all(ledger):
    ledger.make("INTEGER", (1, 1, "a"))
    ledger.loaded()
    ledger.target("UPDATE _osiris_loads SET state = replace(state, '\"version\":1', '\"version\":2')")
    assert "version 2" in ledger.refused("OSR-RUN-081").message
    ledger.target("UPDATE _osiris_loads SET state = '{}'")
    ledger.refused("OSR-RUN-081")


def test_commit_rows_of_an_older_osiris_get_their_columns(ledger):
    ledger.make("INTEGER", (1, 1, "a"))
    ledger.loaded()
    ledger.target("ALTER TABLE _osiris_loads DROP COLUMN state")
    ledger.target("ALTER TABLE _osiris_loads DROP COLUMN state_key")
    ledger.target("DELETE FROM copy")
    ledger.loaded()
    assert ledger.target() == [(1, 1, "a")]
    assert len(ledger.states()) == 1


# Between extract and write.


def test_rows_that_a_transform_did_not_read_keep_the_state_where_it_is(ledger):
    ledger.source("CREATE TABLE orders AS SELECT range::INTEGER AS id, range AS ts, 'v' AS v FROM range(200_000)")
    error = ledger.refused("OSR-RUN-086", sql("none", "SELECT * FROM df WHERE false", ["read"]))
    assert "not all rows of 'read' were read" in error.message
    assert not (ledger.shop.folder / "target.duckdb").exists() or not ledger.target("SHOW TABLES")


@pytest.mark.matrix
@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM df LIMIT 10",
        "SELECT * FROM df OFFSET 1",
        "FROM df USING SAMPLE 2",
        "SELECT * FROM read TABLESAMPLE 10%",
        "SELECT * FROM (SELECT * FROM df ORDER BY ts LIMIT :n)",
        "WITH few AS (FROM df) SELECT * FROM few FETCH FIRST 3 ROWS ONLY",
    ],
)
def test_a_transform_that_keeps_so_many_rows_is_refused(ledger, query):
    few = sql("few", query, ["read"])
    if ":n" in query:
        few["config"]["query_params"] = {"n": 3}
    extract, between, load = ledger.steps(few)
    assert rules(ledger, extract, between, load) == [("OSR-OML-048", ("steps", 1, "config", "query"))]


def test_other_inputs_of_a_transform_may_be_cut(ledger):
    ledger.make("INTEGER", (1, 1, "a"))
    other = step("other", "duckdb.extractor", connection="@duckdb.source", table="orders")
    both = sql("both", "SELECT * FROM read WHERE id <= (SELECT id FROM other LIMIT 1)", ["read", "other"])
    ledger.loaded(other, both)


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("query", "passes"),
    [
        ("SELECT * FROM df WHERE id > 0", True),
        ("SELECT id, TS, upper(v) AS v FROM df AS d", True),
        ("SELECT d.id, d.ts, d.v FROM read AS d JOIN (SELECT 1 AS id) AS e ON d.id = e.id", True),
        ("SELECT id, ts // 10 AS ts, v FROM df", False),
        ("SELECT * REPLACE (1 AS ts) FROM df", False),
        ("SELECT id, id AS ts, v FROM df", False),
        ("SELECT * FROM (SELECT id, 1 AS ts, v FROM df)", False),
        ("SELECT d.id, e.ts, d.v FROM df AS d JOIN (SELECT 1 AS ts) AS e ON true", False),
        ("SELECT d.id, ts, d.v FROM df AS d JOIN (SELECT 1 AS id) AS e USING (id)", False),
        ("SELECT * FROM df UNION ALL SELECT id, 1, v FROM df", False),
    ],
)
def test_delete_insert_needs_the_cursor_as_it_was_read(ledger, query, passes):
    ledger.mode, ledger.incremental = "delete_insert", {"cursor": "ts"}
    steps = ledger.steps(sql("t", query, ["read"]))
    if passes:
        ledger.shop.compile(*steps)
    else:
        assert rules(ledger, *steps) == [("OSR-OML-047", ("steps", 2, "config", "mode"))]


def test_rows_that_pass_a_transform_and_a_spool_move_the_state_once(ledger):
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"))
    odd = sql("odd", "SELECT * FROM df WHERE id % 2 = 1", ["read"])
    even = sql("even", "SELECT * FROM df WHERE id % 2 = 0", ["read"])
    both = sql("both", "SELECT * FROM odd UNION ALL SELECT * FROM even", ["odd", "even"])
    ledger.loaded(odd, even, both)
    ledger.insert((3, 2, "c"))
    ran = ledger.loaded(odd, even, both)
    assert len(ran.events("rows_spooled", "state_committed")) == 2
    assert [row[0] for row in ledger.target()] == [1, 2, 3]


def test_the_destination_may_also_be_read_by_the_pipeline(ledger):
    ledger.make("INTEGER", (1, 1, "a"))
    ledger.target("CREATE TABLE names AS SELECT 'a' AS v, 'Anna' AS name UNION ALL SELECT 'b', 'Bert'")
    names = step("names", "duckdb.extractor", connection="@duckdb.target", table="names")
    both = sql("both", "SELECT r.id, r.ts, n.name AS v FROM read AS r JOIN names AS n USING (v)", ["read", "names"])
    ledger.loaded(names, both)
    ledger.insert((2, 2, "b"))
    ledger.loaded(names, both)
    assert ledger.target() == [(1, 1, "Anna"), (2, 2, "Bert")]


def test_an_attempt_that_is_retried_begins_where_the_first_one_did(ledger, monkeypatch):
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"))
    ledger.loaded()
    ledger.insert((3, 2, "c"))
    ledger.settings = {"run.retries": 2}
    monkeypatch.setenv("OSIRIS_TEST_FAILPOINTS", "1")
    monkeypatch.setenv("OSIRIS_FAILPOINT", "before_publish@load:retry*2")
    ran = ledger.loaded()
    assert len(ran.events("step_retried")) == 2
    assert len(ran.events("incremental_started")) == 1
    assert [one["dropped"] for one in ran.events("incremental_read")] == [1, 1, 1]
    assert [row[0] for row in ledger.target()] == [1, 2, 3]


def test_a_state_that_cannot_be_read_is_the_writers_failure(ledger):
    """It is asked for before the extract begins; it is the writer's connection that fails all the same."""
    ledger.make("INTEGER", (1, 1, "a"))
    (ledger.shop.folder / "target.duckdb").write_text("no database " * 1000)
    ran = ledger.load()
    assert ran.outcome.error.where == "step 'load' (duckdb.writer)"
    assert "the state that 'load' keeps cannot be read: " in ran.outcome.error.message
    (failed,) = ran.events("step_failed")
    (stopped,) = ran.events("step_cancelled")
    assert (failed["step"], failed["code"]) == ("load", "OSR-DUCKDB-021")
    assert (stopped["step"], stopped["reason"]) == ("read", "step 'load' failed")
    assert [ran.step(one)["status"] for one in ("read", "load")] == ["cancelled", "failed"]


def test_a_state_of_a_writer_that_runs_later_names_it(ledger):
    """The extract ends in a spool: the writer has not begun."""
    ledger.make("INTEGER", (1, 1, "a"))
    (ledger.shop.folder / "target.duckdb").write_text("no database " * 1000)
    odd, even = (sql(name, "SELECT * FROM df", ["read"]) for name in ("odd", "even"))
    ran = ledger.load(odd, even, sql("both", "SELECT * FROM odd UNION SELECT * FROM even", ["odd", "even"]))
    assert ran.outcome.error.where == "step 'load' (duckdb.writer)"
    (failed,) = ran.events("step_failed")
    assert failed["step"] == "read"
    assert failed["message"].startswith("the state that 'load' keeps cannot be read: ")
    assert [ran.step(one)["status"] for one in ("read", "load")] == ["failed", "skipped"]


# Reading everything again, and a part again.


@pytest.mark.parametrize("mode", ["upsert", "delete_insert"])
def test_a_full_refresh_reads_everything_and_moves_the_state(ledger, mode):
    ledger.mode, ledger.incremental = mode, {"cursor": "ts"}
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"))
    ledger.loaded()
    ledger.source("UPDATE orders SET v = 'A' WHERE id = 1", "UPDATE orders SET ts = 1 WHERE id = 2")
    ran = ledger.loaded(bounds=Bounds(full_refresh=True))
    assert ran.events("incremental_started")[0]["origin"] == "full_refresh"
    assert (1, 1, "A") in ledger.target()
    assert ledger.states()[-1]["value"] == "1"  # what the source has now: it may have been restored


def test_a_full_refresh_of_nothing_begins_anew(ledger):
    ledger.mode, ledger.incremental = "upsert", {"cursor": "ts"}
    ledger.make("INTEGER", (1, 5, "a"))
    ledger.loaded()
    ledger.source("DELETE FROM orders")
    ledger.loaded(bounds=Bounds(full_refresh=True))
    assert ledger.states()[-1]["value"] is None
    ledger.insert((2, 1, "b"))
    ledger.loaded()
    assert [row[0] for row in ledger.target()] == [1, 2]


def test_a_full_refresh_does_not_look_at_a_state_that_does_not_fit(ledger):
    ledger.mode, ledger.incremental = "upsert", {"cursor": "ts"}
    ledger.make("INTEGER", (1, 1, "a"))
    ledger.loaded()
    ledger.incremental = {"cursor": "id"}
    ledger.refused("OSR-RUN-080")
    ledger.loaded(bounds=Bounds(full_refresh=True))
    ledger.loaded()
    assert ledger.states()[-1]["cursor"] == "id"


def test_a_backfill_reads_its_part_and_leaves_the_state(ledger):
    ledger.mode, ledger.incremental = "upsert", {"cursor": "ts"}
    ledger.make("INTEGER", *((day, day, "old") for day in range(1, 10)))
    ledger.loaded()
    ledger.source("UPDATE orders SET v = 'new'")
    ran = ledger.loaded(bounds=Bounds(since="3", until="5"))
    (began,) = ran.events("incremental_started")
    assert (began["origin"], began["lower"], began["upper"]) == ("backfill", "3", "5")
    assert not ran.events("state_committed")
    assert [row[0] for row in ledger.target() if row[2] == "new"] == [3, 4]
    assert [state["value"] for state in ledger.states()] == ["9"]
    ledger.loaded(bounds=Bounds(until="2"))
    assert [row[0] for row in ledger.target() if row[2] == "new"] == [1, 3, 4]
    ledger.loaded()
    assert [row[0] for row in ledger.target() if row[2] == "new"] == [1, 3, 4, 9]


def test_a_bound_that_is_no_value_of_the_cursor(ledger):
    ledger.mode, ledger.incremental = "upsert", {"cursor": "ts"}
    ledger.make("DATE", (1, "2026-03-01", "a"))
    ledger.loaded()
    error = ledger.refused("OSR-RUN-072", bounds=Bounds(since="March"))
    assert "'March' is no value of the cursor 'ts' (date)" in error.message
    assert error.exit_code == 2


@pytest.mark.matrix
@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        (Bounds(since="March"), "'March' is no value of the cursor 'ts' (date)"),
        (Bounds(until="2026-13-45"), "'2026-13-45' is no value"),
        (Bounds(since=""), "'' is no value"),
        (Bounds(since="2026-03-02", until="2026-03-01"), "--until 2026-03-01 is not after 2026-03-02"),
    ],
)
def test_bounds_that_no_row_can_be_between(ledger, loaded, bounds, words):
    ledger.mode, ledger.incremental = "upsert", {"cursor": "ts"}
    ledger.make("DATE", (1, "2026-03-01", "a"))
    if loaded:
        ledger.loaded()
    error = ledger.refused("OSR-RUN-072", bounds=bounds)
    assert words in error.message
    assert error.exit_code == 2


@pytest.mark.matrix
@pytest.mark.parametrize(("old", "value", "new"), [("DATE", "2026-03-01", "INTEGER"), ("VARCHAR", "abc", "DATE")])
def test_a_cursor_of_another_kind_is_named_before_its_bounds_are_read(ledger, old, value, new):
    ledger.mode, ledger.incremental = "upsert", {"cursor": "ts"}
    ledger.make(old, (1, value, "a"))
    ledger.loaded()
    ledger.make(new)
    assert "and are of the kind" in ledger.refused("OSR-RUN-080").message


def test_what_a_backfill_and_a_full_refresh_are_refused(ledger):
    ledger.make("INTEGER", (1, 1, "a"))
    for bounds, option in ((Bounds(full_refresh=True), "--full-refresh"), (Bounds(until="1"), "--until")):
        error = ledger.refused("OSR-RUN-072", bounds=bounds)
        assert option in error.message
        assert "'load' appends" in error.message
    ledger.mode = "upsert"
    ledger.refused("OSR-RUN-072", bounds=Bounds(full_refresh=True, since="1"))
    ledger.incremental = None
    assert "no extract of 'p' is incremental" in ledger.refused("OSR-RUN-072", bounds=Bounds(since="1")).message


def test_a_backfill_is_not_taken_for_the_run_that_failed_before_it(ledger, monkeypatch):
    ledger.mode, ledger.incremental = "upsert", {"cursor": "ts"}
    ledger.make("INTEGER", (1, 1, "a"))
    monkeypatch.setenv("OSIRIS_TEST_FAILPOINTS", "1")
    monkeypatch.setenv("OSIRIS_FAILPOINT", "after_publish@load:raise")
    ledger.refused("OSR-RUN-041")
    monkeypatch.delenv("OSIRIS_FAILPOINT")
    ledger.source("UPDATE orders SET v = 'A'")
    ran = ledger.loaded(bounds=Bounds(since="0"))
    assert not ran.step("load")["already"]
    assert ledger.target() == [(1, 1, "A")]
    assert ledger.loaded().step("load")["already"]


# Other ways to run.


def test_an_isolated_run_takes_the_bounds_with_it(remote_shop):
    ledger = Ledger(remote_shop)
    ledger.mode, ledger.incremental = "upsert", {"cursor": "ts"}
    ledger.make("INTEGER", *((day, day, "old") for day in range(1, 6)))
    remote_shop.write(*ledger.steps())
    assert remote_shop.osiris("run", "p.yaml", "--isolate").returncode == 0
    ledger.source("UPDATE orders SET v = 'new'")
    done = remote_shop.osiris("run", "p.yaml", "--isolate", "--since", "2", "--until", "4")
    assert done.returncode == 0, done.stderr
    assert [row[0] for row in ledger.target() if row[2] == "new"] == [2, 3]
    assert remote_shop.osiris("run", "p.yaml", "--isolate").returncode == 0
    assert [row[0] for row in ledger.target() if row[2] == "new"] == [2, 3, 5]


def kept(**config):
    return step("keep", "sample.keeper", ["numbers"], **config)


def read_on(**config):
    return numbers(incremental={"cursor": "id", "lag": 2, "primary_key": ["id"]}, **config)


@pytest.mark.parametrize("parts", [1, 4])
def test_an_extract_in_parts_reads_its_window_and_no_row_twice(shop, parts):
    settings = {"run.partitions": parts}
    for rows, dropped in ((50, 0), (50, 3), (60, 3)):
        ran = shop.run(read_on(rows=rows, batch=3), kept(mode="append"), settings=settings)
        assert ran.outcome.error is None, ran.outcome.error
        assert ran.events("incremental_read")[0]["dropped"] == dropped
        assert sorted(shop.stored()[0]) == list(range(rows))
    assert ("numbers", "split 3" if parts > 1 else "run") in shop.calls()


def test_a_component_that_gives_rows_nobody_asked_for(shop):
    assert shop.run(read_on(), kept()).outcome.error is None
    ran = shop.run(read_on(outside=True), kept())
    assert ran.outcome.error.code == "OSR-RUN-084"
    assert "(7 <= id < …; largest: 3)" in ran.outcome.error.message
    assert shop.stored()[1] == 1


def test_a_writer_that_does_not_note_the_state_is_found_out(shop):
    ran = shop.run(read_on(), step("keep", "sample.forgetful", ["numbers"]))
    assert ran.outcome.error.code == "OSR-RUN-089"
    ran = shop.run(read_on(), step("keep", "sample.empty", ["numbers"]))
    assert ran.outcome.error.code == "OSR-RUN-050"
    assert "'keeps_state'" in ran.outcome.error.message
