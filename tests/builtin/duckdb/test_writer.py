"""The writer: every mode, every refusal, one transaction, and what a second attempt finds."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from osiris_core.builtin.duckdb.config import Writer
from osiris_core.builtin.duckdb.writer import WriterDriver
from osiris_core.errors import Cancelled, DriverError
from osiris_core.model.structure import structure

OLD = "SELECT range AS id, range * 10 AS v FROM range(5)"
LOADS = "SELECT load_id, step, target, mode, rows FROM _osiris_loads ORDER BY load_id"


def table(bench):
    return bench.sql("FROM t ORDER BY ALL")


# Modes


def test_append_keeps_what_is_there_and_creates_what_is_not(bench):
    first = bench.write(OLD)
    assert (first.rows, first.inserted, first.updated, first.deleted) == (5, 5, 0, 0)
    assert first.details == {"mode": "append", "created": True}
    second = bench.write("SELECT 9 AS id, 90 AS v")
    assert second.details["created"] is False
    assert table(bench) == [(0, 0), (1, 10), (2, 20), (3, 30), (4, 40), (9, 90)]
    assert bench.sql(LOADS) == [("load-1", "step", "t", "append", 5), ("load-2", "step", "t", "append", 1)]


def test_replace_removes_what_is_there(bench):
    bench.write(OLD)
    report = bench.write("SELECT 7::BIGINT AS id, 70::BIGINT AS v", mode="replace")
    assert (report.rows, report.inserted, report.deleted) == (1, 1, 5)
    assert table(bench) == [(7, 70)]


def test_an_empty_source_empties_a_replaced_table_and_nothing_else(bench):
    bench.write(OLD)
    empty = f"{OLD} WHERE range < 0"
    assert bench.write(empty).rows == 0
    assert bench.write(empty, mode="delete_insert", replace_keys=("id",)).deleted == 0
    assert bench.write(empty, mode="upsert", primary_key=("id",)).rows == 0
    assert len(table(bench)) == 5
    report = bench.write(empty, mode="replace")
    assert (report.rows, report.deleted) == (0, 5)
    assert table(bench) == []
    assert bench.sql("SELECT count(*) FROM _osiris_loads") == [(5,)]


def test_an_empty_source_creates_an_empty_table(bench):
    bench.write(f"{OLD} WHERE range < 0", mode="replace")
    assert table(bench) == []
    assert bench.sql("SELECT column_name, column_type FROM (DESCRIBE t)") == [("id", "BIGINT"), ("v", "BIGINT")]


def test_a_stage_without_parts_is_an_empty_load(bench, rows):
    bench.write(OLD)
    driver, ctx = WriterDriver(), bench.ctx()
    config = Writer(table="t", mode="replace")
    stage = driver.begin(step_id="step", config=config, schema=rows(OLD).schema, ctx=ctx)
    assert driver.publish(stage, []).rows == 0
    assert table(bench) == []


def test_upsert_updates_by_key_and_inserts_the_rest(bench):
    bench.write(OLD)
    report = bench.write("SELECT range AS id, 7::BIGINT AS v FROM range(3, 8)", mode="upsert", primary_key=("id",))
    assert (report.rows, report.inserted, report.updated, report.deleted) == (5, 3, 2, 0)
    assert table(bench) == [(0, 0), (1, 10), (2, 20), (3, 7), (4, 7), (5, 7), (6, 7), (7, 7)]


def test_upsert_leaves_columns_alone_that_the_rows_lack(bench):
    bench.sql("CREATE TABLE t (id BIGINT, v BIGINT, note VARCHAR DEFAULT 'new')", "INSERT INTO t VALUES (1, 10, 'old')")
    bench.write(
        "SELECT range AS id, range * 2 AS v FROM range(1, 3)",
        mode="upsert",
        primary_key=("ID",),
        on_schema_change="ignore",
    )
    assert table(bench) == [(1, 2, "old"), (2, 4, "new")]


def test_upsert_of_nothing_but_keys_inserts_the_new_ones(bench):
    bench.sql("CREATE TABLE t (a INTEGER, b INTEGER)", "INSERT INTO t VALUES (1, 1)")
    report = bench.write("SELECT 1 AS a, unnest([1, 2])::INTEGER AS b", mode="upsert", primary_key=("b", "a"))
    assert (report.inserted, report.updated) == (1, 1)
    assert table(bench) == [(1, 1), (1, 2)]


def test_upsert_into_a_table_with_constraints(bench):
    bench.sql(
        "CREATE TABLE t (id BIGINT PRIMARY KEY, email VARCHAR UNIQUE, n INTEGER CHECK (n > 0))",
        "CREATE INDEX i ON t (n)",
        "INSERT INTO t SELECT range, 'e' || range, 1 FROM range(100)",
    )
    rows = "SELECT range AS id, 'f' || range AS email, 2::INTEGER AS n FROM range(50, 150)"
    report = bench.write(rows, mode="upsert", primary_key=("id",))
    assert (report.inserted, report.updated) == (50, 50)
    assert bench.sql("SELECT count(*), sum(n), count(DISTINCT email) FROM t") == [(150, 250, 150)]


def test_two_rows_of_one_key_are_an_error_or_the_last_wins(bench):
    bench.write(OLD)
    rows = "SELECT range % 2 AS id, range AS v FROM range(100, 106)"
    with pytest.raises(DriverError, match=r"6 rows have only 2 different values of the primary_key \(id\)") as caught:
        bench.write(rows, mode="upsert", primary_key=("id",))
    assert caught.value.code == "OSR-DUCKDB-035"
    assert len(table(bench)) == 5
    report = bench.write(rows, mode="upsert", primary_key=("id",), on_duplicate="last")
    assert (report.rows, report.updated, report.details["duplicates_dropped"]) == (2, 2, 4)
    assert table(bench)[:2] == [(0, 104), (1, 105)]


def test_the_last_row_is_that_of_the_last_part(bench):
    parts = ["SELECT 1 AS id, 'late in the first part' AS v", "SELECT 1 AS id, 'second part' AS v"]
    bench.write(parts, mode="upsert", primary_key=("id",), on_duplicate="last")
    assert table(bench) == [(1, "second part")]


def test_a_key_that_is_null_is_an_error(bench):
    with pytest.raises(DriverError, match=r"1 of 3 rows have NULL in the primary_key \(id, k\)") as caught:
        bench.write("SELECT range AS id, nullif(range, 1) AS k FROM range(3)", mode="upsert", primary_key=("id", "k"))
    assert caught.value.code == "OSR-DUCKDB-034"


def test_a_table_with_two_rows_of_one_key_is_not_upserted(bench):
    bench.sql("CREATE TABLE t (id BIGINT, v BIGINT)", "INSERT INTO t VALUES (1, 1), (1, 2), (2, 3)")
    with pytest.raises(DriverError, match=r"'t' has 2 rows for 1 values of the primary_key \(id\)") as caught:
        bench.write("SELECT 1::BIGINT AS id, 9::BIGINT AS v", mode="upsert", primary_key=("id",))
    assert caught.value.code == "OSR-DUCKDB-037"
    bench.write("SELECT 2::BIGINT AS id, 9::BIGINT AS v", mode="upsert", primary_key=("id",))
    assert table(bench) == [(1, 1), (1, 2), (2, 9)]


def test_delete_insert_replaces_the_groups_that_are_in_the_load(bench):
    bench.sql(
        "CREATE TABLE t (day DATE, v INTEGER)",
        "INSERT INTO t VALUES ('2024-01-01', 1), ('2024-01-01', 2), ('2024-01-02', 3), (NULL, 4)",
    )
    rows = "SELECT unnest([DATE '2024-01-01', NULL, DATE '2024-01-03']) AS day, 9::INTEGER AS v"
    report = bench.write(rows, mode="delete_insert", replace_keys=("day",))
    assert (report.rows, report.inserted, report.deleted) == (3, 3, 3)
    assert [str(day) for day, _ in bench.sql("FROM t ORDER BY day NULLS FIRST")] == [
        "None",
        "2024-01-01",
        "2024-01-02",
        "2024-01-03",
    ]


ROWS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 99)), max_size=12)


def values(rows):
    listed = ", ".join(f"({key}::BIGINT, {value}::BIGINT)" for key, value in rows) or "(0::BIGINT, 0::BIGINT)"
    return f"SELECT * FROM (VALUES {listed}) AS x(id, v)" + ("" if rows else " WHERE false")


@pytest.mark.slow
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(loads=st.lists(st.tuples(st.sampled_from(["append", "replace", "upsert", "delete_insert"]), ROWS), max_size=5))
def test_any_sequence_of_loads_gives_what_a_model_gives(tmp_path_factory, bench, loads):
    bench = type(bench)(tmp_path_factory.mktemp("model"))
    model = []
    for mode, rows in loads:
        new = dict(rows)
        keys = {}
        if mode == "append":
            model = model + rows
        elif mode == "replace":
            model = list(rows)
        elif mode == "delete_insert":
            model = [row for row in model if row[0] not in new] + rows
            keys = {"replace_keys": ("id",)}
        else:
            keys = {"primary_key": ("id",), "on_duplicate": "last"}
            if any(count > 1 for key, count in Counter(key for key, _ in model).items() if key in new):
                with pytest.raises(DriverError):
                    bench.write(values(rows), mode=mode, **keys)
                continue
            model = [row for row in model if row[0] not in new] + list(new.items())
        bench.write(values(rows), mode=mode, **keys)
        assert table(bench) == sorted(model)


# Columns


def test_columns_are_matched_by_name_whatever_their_order_and_case(bench):
    bench.sql('CREATE TABLE t (id BIGINT, "Name" VARCHAR, v BIGINT)')
    bench.write("SELECT 3 AS V, 1 AS ID, 'x' AS name")
    assert table(bench) == [(1, "x", 3)]


def test_odd_names_are_names(bench):
    name, schema = 'drop "table" t; --', "select"
    bench.write(
        'SELECT 1 AS "a""b", 2 AS "ž 🎉", 3 AS "group"', table=name, schema=schema, mode="upsert", primary_key=('a"b',)
    )
    assert bench.sql('FROM "select"."drop ""table"" t; --"') == [(1, 2, 3)]
    assert bench.sql("SELECT target FROM _osiris_loads") == [(f"{schema}.{name}",)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("SELECT 1::BIGINT AS id", "the table has 'v', which the rows do not"),
        ("SELECT 1::BIGINT AS id, 2::BIGINT AS v, 3 AS w", "the rows have 'w', which the table does not"),
        (
            "SELECT 1::BIGINT AS id, 3 AS w, 4 AS x",
            "the rows have 'w', 'x', which the table does not; the table has 'v'",
        ),
    ],
)
def test_other_columns_are_refused(bench, rows, words):
    bench.write(OLD)
    with pytest.raises(DriverError) as caught:
        bench.write(rows)
    assert caught.value.code == "OSR-DUCKDB-031"
    assert words in caught.value.message


def test_new_columns_are_added_when_asked(bench):
    bench.write(OLD)
    ctx = bench.ctx()
    bench.write("SELECT 9 AS id, 'x' AS w, [1.5] AS l", ctx=ctx, on_schema_change="add_columns")
    assert bench.sql("FROM t WHERE id >= 4 ORDER BY id") == [(4, 40, None, None), (9, None, "x", [1.5])]
    assert ctx.events == [
        (
            "schema_changed",
            {
                "destination": "t",
                "changes": [
                    {"column": "w", "change": "added", "type": "VARCHAR"},
                    {"column": "l", "change": "added", "type": "DECIMAL(2,1)[]"},
                    {"column": "v", "change": "default"},
                ],
            },
        )
    ]


def test_new_columns_are_left_out_when_asked_and_said(bench):
    bench.write(OLD)
    ctx = bench.ctx()
    bench.write("SELECT 9 AS id, 90 AS v, 'x' AS w", ctx=ctx, on_schema_change="ignore")
    assert table(bench)[-1] == (9, 90)
    assert ctx.events == [("schema_changed", {"destination": "t", "changes": [{"column": "w", "change": "ignored"}]})]


def test_a_column_that_needs_a_value_is_not_left_empty(bench):
    bench.sql("CREATE TABLE t (id BIGINT, must INTEGER NOT NULL, may INTEGER NOT NULL DEFAULT 7)")
    with pytest.raises(DriverError, match="'t' needs a value in 'must', which the rows do not have"):
        bench.write("SELECT 1 AS id", on_schema_change="ignore")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (
            {"mode": "upsert", "primary_key": ("nope",)},
            "the key column 'nope' is not among the rows' columns ('id', 'v')",
        ),
        ({"mode": "delete_insert", "replace_keys": ("id", "nope")}, "the key column 'nope' is not among"),
    ],
)
def test_a_key_the_rows_lack_is_refused(bench, config, words):
    with pytest.raises(DriverError) as caught:
        bench.write(OLD, **config)
    assert caught.value.code == "OSR-DUCKDB-033"
    assert words in caught.value.message


def test_a_key_the_table_lacks_is_refused(bench):
    bench.sql("CREATE TABLE t (v BIGINT)")
    with pytest.raises(DriverError, match="'t' has no key column 'id'"):
        bench.write(OLD, mode="upsert", primary_key=("id",), on_schema_change="ignore")


def test_a_missing_table_is_refused_when_it_may_not_be_created(bench):
    bench.sql("SELECT 1")
    with pytest.raises(DriverError, match=r"there is no table 'other\.t'") as caught:
        bench.write(OLD, schema="other", create_if_missing=False)
    assert caught.value.code == "OSR-DUCKDB-030"


def test_a_view_is_not_written(bench):
    bench.sql("CREATE VIEW t AS SELECT 1 AS id")
    with pytest.raises(DriverError, match="'t' is a view, not a table"):
        bench.write(OLD)


@pytest.mark.parametrize(
    ("definition", "rows", "words"),
    [
        ("id BIGINT PRIMARY KEY, v BIGINT", "SELECT 1 AS id, 2 AS v FROM range(2)", "duplicate key"),
        ("id BIGINT NOT NULL, v BIGINT", "SELECT NULL::BIGINT AS id, 2 AS v", "NOT NULL constraint failed"),
        ("id BIGINT, v BIGINT CHECK (v < 2)", "SELECT 1 AS id, 2 AS v", "CHECK constraint failed"),
    ],
)
def test_a_violated_constraint_changes_nothing(bench, definition, rows, words):
    bench.sql(f"CREATE TABLE t ({definition})", "INSERT INTO t VALUES (9, 1)")
    with pytest.raises(DriverError) as caught:
        bench.write(rows, mode="replace")
    assert caught.value.code == "OSR-DUCKDB-036"
    assert words.casefold() in caught.value.message.casefold()
    assert table(bench) == [(9, 1)]
    assert bench.sql("SELECT count(*) FROM duckdb_tables() WHERE table_name = '_osiris_loads'") == [(0,)]


# One load, once


def test_a_load_that_is_published_is_not_published_again(bench, rows):
    first = bench.write(OLD, ctx=bench.ctx("same"))
    second = rows("SELECT 99 AS id, 99 AS v")
    again = bench.write([second], ctx=bench.ctx("same"))
    assert (again.rows, again.checksum) == (first.rows, first.checksum)
    assert not second.taken
    assert len(table(bench)) == 5


def test_a_load_published_meanwhile_by_another_attempt_is_found_at_publish(bench, rows):
    driver, ctx = WriterDriver(), bench.ctx("same")
    config = Writer(table="t", mode="append")
    source = rows(OLD)
    stage = driver.begin(step_id="step", config=config, schema=source.schema, ctx=ctx)
    receipt = driver.write(stage, 0, source)
    bench.write(OLD, ctx=bench.ctx("same"))
    assert driver.publish(stage, [receipt]).rows == 5
    assert len(table(bench)) == 5


def test_a_load_id_of_another_table_is_a_defect_not_a_success(bench):
    bench.write(OLD, ctx=bench.ctx("same"))
    with pytest.raises(DriverError, match="this load is recorded for 't', not for 'other'"):
        bench.write(OLD, table="other", ctx=bench.ctx("same"))


def test_the_checksum_is_that_of_the_rows_in_any_order_and_number_of_parts(bench):
    one = bench.write(OLD, table="a")
    two = bench.write(f"{OLD} ORDER BY id DESC", table="b")
    three = bench.write([f"{OLD} WHERE range < 2", f"{OLD} WHERE range >= 2"], table="c")
    other = bench.write("SELECT range AS id, range * 11 AS v FROM range(5)", table="d")
    assert one.checksum == two.checksum == three.checksum != other.checksum


def test_parts_may_come_from_several_threads(bench, rows):
    driver, ctx = WriterDriver(), bench.ctx()
    parts = [rows(f"SELECT range AS id, {part} AS v FROM range(20000)") for part in range(4)]
    stage = driver.begin(step_id="step", config=Writer(table="t", mode="append"), schema=parts[0].schema, ctx=ctx)
    receipts = []
    threads = [
        threading.Thread(target=lambda n=n, part=part: receipts.append(driver.write(stage, n, part)))
        for n, part in enumerate(parts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert driver.publish(stage, receipts).rows == 80_000
    assert bench.sql("SELECT v, count(*) FROM t GROUP BY v ORDER BY v") == [(part, 20_000) for part in range(4)]


def test_rows_keep_the_order_they_came_in(bench):
    bench.write(["SELECT range AS i FROM range(100000)", "SELECT range + 100000 AS i FROM range(5)"])
    assert bench.sql("SELECT count(*) FROM t WHERE i <> rowid") == [(0,)]


@pytest.mark.parametrize("point", ["duckdb.begun", "duckdb.before_commit"])
def test_a_failure_before_the_commit_changes_nothing_and_leaves_nothing(bench, point):
    bench.write(OLD)
    ctx = bench.ctx()
    ctx.raise_at = point
    with pytest.raises((DriverError, OSError)):
        bench.write("SELECT 9 AS id, 90 AS v", mode="replace", ctx=ctx)
    assert len(table(bench)) == 5
    assert bench.sql("SELECT count(*) FROM _osiris_loads") == [(1,)]
    assert sorted(path.name for path in bench.root.iterdir()) == ["scratch", "w.duckdb"]


def test_a_full_disk_is_said_in_words(bench):
    ctx = bench.ctx()
    ctx.raise_at = "duckdb.before_commit"
    with pytest.raises(DriverError, match=r"cannot write 'w.duckdb': .*No space left on device") as caught:
        bench.write(OLD, ctx=ctx)
    assert caught.value.code == "OSR-DUCKDB-025"


def test_a_failing_source_is_not_published_and_stays_its_own_error(bench, rows):
    source = rows(OLD)
    own = DriverError("OSR-RUN-003", "the source is gone")

    def fail():
        raise own

    source._feed.next_batch = fail
    with pytest.raises(DriverError) as caught:
        bench.write([source])
    assert caught.value is own
    assert not bench.file.exists()


def test_a_cancelled_load_changes_nothing(bench, rows):
    bench.write(OLD)
    driver, ctx = WriterDriver(), bench.ctx()
    source = rows("SELECT range AS id, range AS v FROM range(10)")
    stage = driver.begin(step_id="step", config=Writer(table="t", mode="replace"), schema=source.schema, ctx=ctx)
    receipt = driver.write(stage, 0, source)
    ctx.cancelled = True
    with pytest.raises(Cancelled):
        driver.publish(stage, [receipt])
    driver.abort(stage)
    driver.abort(stage)
    assert len(table(bench)) == 5


def test_receipts_of_another_stage_are_refused(bench, rows):
    driver = WriterDriver()
    config = Writer(table="t", mode="append")
    stages = []
    for _ in range(2):
        source = rows(OLD)
        stage = driver.begin(step_id="step", config=config, schema=source.schema, ctx=bench.ctx())
        stages.append((stage, driver.write(stage, 0, source)))
    (first, receipt), (second, _) = stages
    with pytest.raises(DriverError, match="the receipts are not those of the staged parts"):
        driver.publish(first, [receipt, receipt])
    with pytest.raises(DriverError, match="the receipts are not those of the staged parts"):
        driver.publish(second, [])
    for stage, _ in stages:
        driver.abort(stage)


def test_a_part_that_is_written_again_counts_once(bench, rows):
    driver, ctx = WriterDriver(), bench.ctx()
    source = rows(OLD)
    stage = driver.begin(step_id="step", config=Writer(table="t", mode="append"), schema=source.schema, ctx=ctx)
    driver.write(stage, 0, source)
    receipt = driver.write(stage, 0, rows(OLD))
    assert driver.publish(stage, [receipt]).rows == 5


def test_run_stages_and_publishes(bench, rows):
    assert (
        WriterDriver().run(
            step_id="s", config=Writer(table="t", mode="append"), inputs={"df": rows(OLD)}, ctx=bench.ctx()
        )
        == {}
    )
    assert len(table(bench)) == 5


def test_binding_refuses_what_begin_would_refuse_and_changes_nothing(bench, rows):
    config = Writer(table="t", mode="append")
    assert WriterDriver().bind(step_id="s", config=config, inputs={"df": rows(OLD).schema}, ctx=bench.ctx()) == {}
    assert not bench.file.exists()
    bench.sql("CREATE TABLE t (id DATE, v BIGINT)")
    with pytest.raises(DriverError, match="'id': BIGINT into DATE"):
        WriterDriver().bind(step_id="s", config=config, inputs={"df": rows(OLD).schema}, ctx=bench.ctx())


@pytest.mark.slow
def test_a_stage_larger_than_memory_spills(bench):
    ctx = bench.ctx()
    ctx.memory_limit = 64 * 1024 * 1024
    wide = "SELECT range AS i, md5(range::VARCHAR) || md5((range + 1)::VARCHAR) AS p FROM range(1200000)"
    assert bench.write(wide, ctx=ctx).rows == 1_200_000
    assert bench.sql("SELECT count(*), count(DISTINCT i), min(length(p)) FROM t") == [(1_200_000, 1_200_000, 64)]


MANY = """
import itertools, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import Workbench, make_rows
from osiris_core.run.dataset import RowStream

bench = Workbench(Path(sys.argv[2]))
batches = list(make_rows("SELECT range AS i, md5(range::VARCHAR) AS s FROM range(16384)", rows_per_batch=16384).batches())

class Feed:
    schema = batches[0].schema
    failure = None
    left = itertools.chain.from_iterable(itertools.repeat(batches, 300))
    def next_batch(self):
        return next(self.left, None)
    def close(self):
        pass

ctx = bench.ctx()
ctx.memory_limit = 4 << 30
bench.write("SELECT 1::BIGINT AS i, 'x' AS s", ctx=bench.ctx(), mode="replace")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert bench.write([RowStream(Feed(), name="many")], ctx=ctx, mode="replace").rows == 300 * 16384
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows_whatever_the_limit(bench):
    """Five million rows of some 240 MB: they pass through, and fill neither memory nor DuckDB's cache of blocks."""
    command = [sys.executable, "-c", MANY, str(Path(__file__).parent), str(bench.root)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 170
    assert bench.sql("SELECT count(*), count(DISTINCT i) FROM t") == [(300 * 16384, 16384)]


def test_the_stage_is_gone_after_publishing_and_after_giving_up(bench, rows):
    bench.write(OLD)
    driver, ctx = WriterDriver(), bench.ctx()
    source = rows(OLD)
    stage = driver.begin(step_id="step", config=Writer(table="t", mode="append"), schema=source.schema, ctx=ctx)
    driver.write(stage, 0, source)
    driver.write(stage, 1, rows(OLD))
    driver.write(stage, 1, rows(OLD))
    assert len(list(ctx.scratch.iterdir())) == 2
    driver.abort(stage)
    driver.abort(stage)
    assert list(ctx.scratch.iterdir()) == []


def test_of_many_rows_of_one_key_the_last_wins(bench):
    rows = "SELECT range % 30000 AS id, range AS v FROM range(50000)"
    bench.write(rows, mode="upsert", primary_key=("id",), on_duplicate="last")
    expected = [(i % 30000, i) for i in range(30000, 50000)] + [(i, i) for i in range(20000, 30000)]
    assert bench.sql("FROM t ORDER BY id") == expected


def test_the_last_wins_also_where_a_column_is_named_rowid(bench):
    rows = "SELECT * FROM (VALUES (9, 1, 'first'), (1, 1, 'last'), (5, 2, 'other')) AS x(rowid, id, c0)"
    bench.write(rows, mode="upsert", primary_key=("id",), on_duplicate="last")
    assert table(bench) == [(1, 1, "last"), (5, 2, "other")]


# Config


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"table": "t"}, "'mode'"),
        ({"table": "t", "mode": "merge"}, "append"),
        ({"table": "t", "mode": "upsert"}, "'mode: upsert' needs 'primary_key'"),
        ({"table": "t", "mode": "upsert", "primary_key": []}, "'mode: upsert' needs 'primary_key'"),
        ({"table": "t", "mode": "upsert", "primary_key": ["a", "A"]}, "'primary_key' names a column twice"),
        (
            {"table": "t", "mode": "append", "primary_key": ["a"]},
            "'primary_key' belongs to 'mode: upsert', not to 'append'",
        ),
        ({"table": "t", "mode": "delete_insert"}, "'mode: delete_insert' needs 'replace_keys'"),
        ({"table": "t", "mode": "replace", "on_duplicate": "last"}, "'on_duplicate: last' belongs to 'mode: upsert'"),
        ({"table": "_osiris_loads", "mode": "replace"}, "names that start with '_osiris_' are kept"),
        ({"table": "a\x00b", "mode": "replace"}, "table"),
        ({"table": "", "mode": "replace"}, "table"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(config, words):
    made, findings = structure(Writer, config)
    assert made is None
    assert any(words in f"{finding.message} {finding.path}" for finding in findings), findings


def test_the_destination_is_one_file_that_duckdb_alone_can_read(bench):
    bench.write(OLD)
    connection = duckdb.connect(str(bench.file), read_only=True)
    assert connection.sql("SHOW TABLES").fetchall() == [("_osiris_loads",), ("t",)]
    connection.close()
