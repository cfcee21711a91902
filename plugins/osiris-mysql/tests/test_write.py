"""mysql.writer: what each mode leaves in the table, and what is refused with nothing changed."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from pymysql.err import IntegrityError

from osiris_core.api import Cancelled, LoadState
from osiris_core.errors import DriverError

MODES = {
    "append": {"mode": "append"},
    "replace": {"mode": "replace"},
    "upsert": {"mode": "upsert", "primary_key": ["id"]},
    "delete_insert": {"mode": "delete_insert", "replace_keys": ["id"]},
}
OLD = [(1, "old"), (2, "old")]
NEW = "SELECT * FROM (VALUES (2, 'new'), (3, 'new')) t(id, name)"
AFTER = {
    "append": [(1, "old"), (2, "new"), (2, "old"), (3, "new")],
    "replace": [(2, "new"), (3, "new")],
    "upsert": [(1, "old"), (2, "new"), (3, "new")],
    "delete_insert": [(1, "old"), (2, "new"), (3, "new")],
}
COUNTS = {"append": (2, 0, 0), "replace": (2, 0, 2), "upsert": (1, 1, 0), "delete_insert": (2, 0, 1)}


def seed(bench, key=""):
    bench.sql(f"CREATE TABLE t (id INT, name VARCHAR(50) {key})", "INSERT INTO t VALUES (1, 'old'), (2, 'old')")


def published(bench):
    (event,) = bench.events("write_published")
    return event


def refused(bench, sql, code, **config):
    """The message with which a load is refused; the table and the commit rows are as before, nothing is staged."""
    before = {name: bench.content(name) for name in bench.tables() if not name.startswith("_osiris_s")}
    with pytest.raises(DriverError) as caught:
        bench.write("writer", sql, table="t", **config)
    assert caught.value.code == code, caught.value
    after = {name: bench.content(name) for name in bench.tables()}
    after.setdefault("_osiris_loads", [])
    before.setdefault("_osiris_loads", [])
    assert after == before
    return caught.value.message


@pytest.fixture(params=["load_data", "insert"])
def way(request, bench, mariadb):
    """Both ways in which rows are sent."""
    if request.param == "load_data":
        yield request.param
        return
    mariadb.execute("SET GLOBAL local_infile = OFF")
    try:
        yield request.param
    finally:
        mariadb.execute("SET GLOBAL local_infile = ON")


@pytest.mark.parametrize("mode", MODES)
def test_into_a_table_that_is_there(bench, mode, way):
    seed(bench)
    written = bench.write("writer", NEW, table="t", **MODES[mode])
    assert bench.content(order="1, 2") == AFTER[mode]
    assert written.rows == 2
    event = published(bench)
    assert (event["inserted"], event["updated"], event["deleted"]) == COUNTS[mode]
    assert event["details"] == {"mode": mode, "created": False, "sent_by": way}
    assert bench.tables() == ["_osiris_loads", "t"]
    (plan,) = bench.events("mysql.load_plan")
    assert (plan["sent_by"], plan["published_by"]) == (way, "exchange" if mode == "replace" else "transaction")


@pytest.mark.parametrize("mode", MODES)
def test_into_a_table_that_is_made(bench, mode, way):
    bench.write("writer", NEW, table="t", **MODES[mode])
    assert bench.content() == [(2, "new"), (3, "new")]
    event = published(bench)
    assert (event["inserted"], event["updated"], event["deleted"]) == (2, 0, 0)
    assert event["details"]["created"] is True
    # A second load finds what the first has made, the types included.
    bench.write("writer", "SELECT 3 AS id, 'newer' AS name", table="t", **MODES[mode])
    assert bench.content()[-1] == (3, "newer")
    assert bench.tables() == ["_osiris_loads", "t"]


@pytest.mark.parametrize("mode", MODES)
def test_no_rows(bench, mode, way):
    seed(bench)
    bench.write("writer", f"{NEW} LIMIT 0", table="t", **MODES[mode])
    assert bench.content() == ([] if mode == "replace" else OLD)
    bench.write("writer", f"{NEW} LIMIT 0", **{**MODES[mode], "table": "fresh"})
    assert bench.content("fresh") == []
    assert bench.tables() == ["_osiris_loads", "fresh", "t"]


@pytest.mark.parametrize("mode", MODES)
def test_the_same_load_again_does_nothing(bench, mode):
    seed(bench)
    first = bench.write("writer", NEW, table="t", load_id="a" * 32, **MODES[mode])
    again = bench.write("writer", "SELECT 9 AS id, 'never' AS name", table="t", load_id="a" * 32, **MODES[mode])
    assert (again.rows, again.already, first.already) == (2, True, False)
    assert bench.content(order="1, 2") == AFTER[mode]
    ((rows, status, checksum),) = bench.sql("SELECT `rows`, status, checksum FROM _osiris_loads")
    assert (rows, status, len(checksum)) == (2, "committed", 32)


def test_checksums_are_of_the_rows_and_not_of_their_order(bench):
    sums = []
    for order in ("", "DESC"):
        sql = f"SELECT i, 'x' || i AS t FROM range(20000) r(i) ORDER BY i {order}"
        bench.write("writer", sql, table="t", mode="replace")
        sums.append(published(bench)["checksum"])
    bench.write("writer", "SELECT i, 'y' || i AS t FROM range(20000) r(i)", table="t", mode="replace")
    assert sums[0] == sums[1] != published(bench)["checksum"]


def test_an_upsert_of_many_rows(bench):
    bench.write("writer", "SELECT i AS id, 'a' AS name FROM range(30000) r(i)", table="t", **MODES["upsert"])
    bench.write("writer", "SELECT i AS id, 'b' AS name FROM range(20000, 50000) r(i)", table="t", **MODES["upsert"])
    event = published(bench)
    assert (event["inserted"], event["updated"]) == (20_000, 10_000)
    assert bench.sql("SELECT name, COUNT(*), MIN(id), MAX(id) FROM t GROUP BY name ORDER BY name") == (
        ("a", 20_000, 0, 19_999),
        ("b", 30_000, 20_000, 49_999),
    )


def test_the_last_row_of_a_key_wins(bench, way):
    seed(bench)
    sql = "SELECT * FROM (VALUES (5, 'x', 1), (2, 'x', 1), (5, 'y', 2), (5, 'z', 3), (2, 'y', 0)) t(id, name, n)"
    message = refused(bench, f"SELECT id, name FROM ({sql})", "OSR-MYSQL-056", **MODES["upsert"])
    assert "5 rows have only 2" in message
    done = bench.write("writer", f"SELECT id, name FROM ({sql})", table="t", on_duplicate="last", **MODES["upsert"])
    assert bench.content() == [(1, "old"), (2, "y"), (5, "z")]
    assert done.rows == 2
    assert published(bench)["details"]["duplicates_dropped"] == 3


def test_rows_without_a_key(bench):
    seed(bench)
    sql = "SELECT * FROM (VALUES (2, 'new'), (NULL, 'new')) t(id, name)"
    message = refused(bench, sql, "OSR-MYSQL-055", **MODES["upsert"])
    assert message == "1 of 2 rows have NULL in the primary_key (id)"


def test_null_is_a_value_of_replace_keys(bench):
    bench.sql(
        "CREATE TABLE t (a INT, b VARCHAR(9), v INT)",
        "INSERT INTO t VALUES (1, NULL, 0), (NULL, NULL, 0), (1, 'x', 0), (1, 'X', 0), (2, NULL, 0), (1, NULL, 9)",
    )
    sql = "SELECT * FROM (VALUES (1, NULL, 1), (1, NULL, 2), (NULL, NULL, 3)) t(a, b, v)"
    bench.write("writer", sql, table="t", mode="delete_insert", replace_keys=["a", "b"])
    event = published(bench)
    assert (event["inserted"], event["deleted"]) == (3, 3)
    assert bench.content(order="3, 2") == [
        (2, None, 0),
        (1, "x", 0),
        (1, "X", 0),
        (1, None, 1),
        (1, None, 2),
        (None, None, 3),
    ]


def test_keys_of_made_tables_compare_exactly(bench):
    sql = "SELECT * FROM (VALUES ('a', 1), ('A', 2), ('a ', 3), ('á', 4), ('', 5)) t(k, v)"
    config = {"mode": "upsert", "primary_key": ["k"]}
    bench.write("writer", sql, table="t", **config)
    bench.write("writer", "SELECT 'a ' AS k, 9 AS v", table="t", **config)
    assert bench.content(order="v") == [("a", 1), ("A", 2), ("á", 4), ("", 5), ("a ", 9)]
    message = refused(bench, "SELECT repeat('k', 256) AS k, 1 AS v", "OSR-MYSQL-054", **config)
    assert "'k' at row 1" in message


def test_keys_of_a_table_compare_as_it_does(bench):
    bench.sql(
        "CREATE TABLE t (k VARCHAR(9) COLLATE utf8mb4_general_ci PRIMARY KEY, v INT)", "INSERT INTO t VALUES ('a', 1)"
    )
    config = {"mode": "upsert", "primary_key": ["k"]}
    refused(bench, "SELECT * FROM (VALUES ('b', 1), ('B', 2)) t(k, v)", "OSR-MYSQL-056", **config)
    bench.write("writer", "SELECT 'A' AS k, 2 AS v", table="t", **config)
    assert bench.content() == [("a", 2)]


def test_another_unique_key_is_not_taken_for_the_primary_key(bench):
    bench.sql("CREATE TABLE t (id INT PRIMARY KEY, code INT UNIQUE)", "INSERT INTO t VALUES (1, 10), (2, 20)")
    message = refused(bench, "SELECT 3 AS id, 10 AS code", "OSR-MYSQL-062", **MODES["upsert"])
    assert "Duplicate entry '10'" in message
    bench.write("writer", "SELECT 1 AS id, 30 AS code", table="t", **MODES["upsert"])
    assert bench.content() == [(1, 30), (2, 20)]


FOUR = "SELECT * FROM (VALUES (1, 'old'), (2, 'new'), (3, 'new'), (4, 'new')) t(id, name)"


@pytest.mark.parametrize("words", ["en_US", "de_DE", "ja_JP"])
@pytest.mark.parametrize(
    "table",
    [
        "id INT PRIMARY KEY, name VARCHAR(9)",
        "id INT PRIMARY KEY, name VARCHAR(9), made INT NOT NULL DEFAULT 7, at TIMESTAMP NULL ON UPDATE now()",
        "id INT PRIMARY KEY, name VARCHAR(9), note INT UNIQUE",
        "id INT NOT NULL UNIQUE, name VARCHAR(9)",
        "id INT, name VARCHAR(9), KEY (id)",
    ],
)
def test_rows_that_an_upsert_leaves_as_they_are_count_as_updated(bench, table, words):
    """However the table is indexed, and in whatever language the server says what it did."""
    bench.sql(f"CREATE TABLE t ({table})", "INSERT INTO t (id, name) VALUES (1, 'old'), (2, 'old')")
    bench.sql(f"SET GLOBAL lc_messages = '{words}'")
    try:
        bench.write("writer", FOUR, table="t", on_schema_change="ignore", **MODES["upsert"])
    finally:
        bench.sql("SET GLOBAL lc_messages = DEFAULT")
    event = published(bench)
    assert (event["inserted"], event["updated"], event["deleted"]) == (2, 2, 0)
    assert bench.sql("SELECT id, name FROM t ORDER BY id") == ((1, "old"), (2, "new"), (3, "new"), (4, "new"))


def test_a_row_that_is_updated_is_no_insert_to_a_trigger(bench):
    bench.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(9))",
        "INSERT INTO t VALUES (1, 'old'), (2, 'old')",
        "CREATE TABLE seen (id INT)",
        "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW INSERT INTO seen VALUES (NEW.id)",
    )
    bench.write("writer", FOUR, table="t", **MODES["upsert"])
    assert bench.sql("SELECT id FROM seen ORDER BY id") == ((3,), (4,))


def test_several_rows_of_a_key_in_the_table(bench):
    seed(bench)
    bench.sql("INSERT INTO t VALUES (2, 'twice')")
    message = refused(bench, NEW, "OSR-MYSQL-057", **MODES["upsert"])
    assert "2 rows for 1 values" in message


def test_columns_that_are_new(bench):
    seed(bench)
    sql = "SELECT 3 AS id, 'x' AS name, 1.5::DECIMAL(5,2) AS price"
    assert "'price'" in refused(bench, sql, "OSR-MYSQL-051", mode="append")
    bench.write("writer", sql, table="t", mode="append", on_schema_change="ignore")
    assert bench.content() == [*OLD, (3, "x")]
    assert bench.events("schema_changed")[0]["changes"] == [{"column": "price", "change": "ignored"}]
    bench.write("writer", sql, table="t", mode="append", on_schema_change="add_columns")
    assert [(*row[:2], row[2] and str(row[2])) for row in bench.content(order="1, 3")] == [
        (1, "old", None),
        (2, "old", None),
        (3, "x", None),
        (3, "x", "1.50"),
    ]
    assert bench.events("schema_changed")[0]["changes"][0]["change"] == "added"
    more = "SELECT 4 AS id, 'y' AS name, 2::DECIMAL(5,2) AS price, 1 AS another"
    bench.write("writer", more, table="t", mode="replace", on_schema_change="add_columns")
    assert [(row[0], row[3]) for row in bench.content()] == [(4, 1)]


def test_columns_that_are_missing(bench):
    bench.sql("CREATE TABLE t (id INT, name VARCHAR(9) DEFAULT 'none', must INT NOT NULL)")
    config = {"mode": "append", "on_schema_change": "ignore"}
    assert "'must'" in refused(bench, "SELECT 1 AS id", "OSR-MYSQL-051", **config)
    bench.write("writer", "SELECT 1 AS id, 2 AS must", table="t", **config)
    assert bench.content() == [(1, "none", 2)]
    bench.write("writer", "SELECT 3 AS id, 4 AS must", table="t", **{**config, "mode": "replace"})
    assert bench.content() == [(3, "none", 4)]


def test_columns_the_server_fills(bench):
    bench.sql("CREATE TABLE t (n INT AUTO_INCREMENT PRIMARY KEY, id INT, twice INT AS (id * 2) STORED)")
    config = {"mode": "append", "on_schema_change": "ignore"}
    bench.write("writer", "SELECT i::INT AS id FROM range(3) r(i)", table="t", **config)
    assert bench.content() == [(1, 0, 0), (2, 1, 2), (3, 2, 4)]
    assert "computes 'twice'" in refused(bench, "SELECT 1 AS id, 2 AS twice", "OSR-MYSQL-051", **config)
    # Nought is a value, not a wish for the next number; and NULL is no value.
    bench.write("writer", "SELECT 0 AS n, 7 AS id", table="t", **config)
    assert bench.content()[0] == (0, 7, 14)
    message = refused(bench, "SELECT NULL::INT AS n, 7 AS id", "OSR-MYSQL-054", **config)
    assert message == "column 'n': NULL in a column that takes no NULL"


def test_no_table_and_none_wanted(bench):
    message = refused(bench, NEW, "OSR-MYSQL-050", mode="append", create_if_missing=False)
    assert message == "there is no table 't'"
    assert bench.tables() == []


def test_what_is_no_plain_table(bench):
    bench.sql("CREATE VIEW t AS SELECT 1 AS id, 'x' AS name")
    with pytest.raises(DriverError, match="'t' is no table but a view"):
        bench.write("writer", NEW, table="t", mode="append")
    bench.sql(
        "DROP VIEW t", "CREATE TABLE t (id INT, name VARCHAR(9)) ENGINE=MyISAM", "INSERT INTO t VALUES (1, 'old')"
    )
    assert "has no transactions" in refused(bench, NEW, "OSR-MYSQL-058", mode="append")
    bench.write("writer", NEW, table="t", mode="replace")
    assert bench.content() == AFTER["replace"]


@pytest.mark.parametrize("mode", MODES)
def test_triggers_run_and_stay(bench, mode):
    seed(bench)
    bench.sql(
        "CREATE TABLE seen (what VARCHAR(9), id INT)",
        "CREATE TRIGGER i AFTER INSERT ON t FOR EACH ROW INSERT INTO seen VALUES ('insert', NEW.id)",
        "CREATE TRIGGER d AFTER DELETE ON t FOR EACH ROW INSERT INTO seen VALUES ('delete', OLD.id)",
    )
    bench.write("writer", NEW, table="t", **MODES[mode])
    assert bench.content(order="1, 2") == AFTER[mode]
    inserted, _, deleted = COUNTS[mode]
    counts = dict(bench.sql("SELECT what, COUNT(*) FROM seen GROUP BY what"))
    assert (counts.get("insert", 0), counts.get("delete", 0)) == (inserted, deleted)
    assert len(bench.sql("SHOW TRIGGERS")) == 2


def test_foreign_keys_stay_on_the_table(bench):
    bench.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(9))",
        "INSERT INTO t VALUES (1, 'old')",
        "CREATE TABLE child (id INT, FOREIGN KEY (id) REFERENCES t (id))",
    )
    bench.write("writer", NEW, table="t", mode="replace")
    assert bench.content() == AFTER["replace"]
    (plan,) = bench.events("mysql.load_plan")
    assert plan["published_by"] == "transaction"
    bench.sql("INSERT INTO child VALUES (2)")
    assert "foreign key" in refused(bench, NEW, "OSR-MYSQL-062", mode="replace")
    bench.sql("DROP TABLE child", "CREATE TABLE child (id INT, FOREIGN KEY (id) REFERENCES t (id) ON DELETE CASCADE)")
    for mode in ("replace", "delete_insert"):
        assert "rows of 'child'" in refused(bench, NEW, "OSR-MYSQL-058", **MODES[mode])
    bench.write("writer", NEW, table="t", **MODES["upsert"])


def test_an_account_that_sees_no_triggers_exchanges_no_table(bench, own_mariadb):
    seed(bench)
    bench.sql(
        "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW SET @x = 1",
        "CREATE USER blind@'127.0.0.1' IDENTIFIED BY 'blind-one'",  # pragma: allowlist secret
        f"GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX ON {bench.database}.* TO blind@'127.0.0.1'",
    )
    try:
        bench.use(user="blind", password="blind-one")  # pragma: allowlist secret
        bench.write("writer", NEW, table="t", mode="replace")
        assert bench.content() == AFTER["replace"]
        assert len(bench.sql("SHOW TRIGGERS")) == 1
    finally:
        bench.sql("DROP USER blind@'127.0.0.1'")


@pytest.fixture
def blind(bench, own_mariadb):
    """Connects as an account with all rights on the bench's database, and with ``grants`` besides."""

    def use(*grants):
        for grant in grants:
            bench.sql(f"GRANT {grant} TO blind@'127.0.0.1'")
        bench.use(user="blind", password="blind-one")  # pragma: allowlist secret

    bench.sql(
        "CREATE USER blind@'127.0.0.1' IDENTIFIED BY 'blind-one'",  # pragma: allowlist secret
        f"GRANT ALL ON {bench.database}.* TO blind@'127.0.0.1'",
    )
    yield use
    bench.sql("DROP USER blind@'127.0.0.1'")


def refer(bench, database, rule="", table="child", to="t"):
    """Have a table of another database refer to the bench's table."""
    bench.sql(
        f"CREATE TABLE `{database}`.`{table}` (id INT, FOREIGN KEY (id) REFERENCES {bench.database}.`{to}` (id){rule})"
    )


def test_a_foreign_key_that_the_account_cannot_see(bench, mariadb, blind):
    """A table that is exchanged is put back when the server does not let it go."""
    bench.sql("CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(9))", "INSERT INTO t VALUES (1, 'old')")
    with mariadb.database() as hidden:
        refer(bench, hidden)
        bench.sql(f"INSERT INTO {hidden}.child VALUES (1)")
        blind()
        assert "cannot see" in refused(bench, NEW, "OSR-MYSQL-058", mode="replace")
        with pytest.raises(IntegrityError, match="foreign key"):
            bench.sql(f"INSERT INTO {hidden}.child VALUES (2)")
        blind("PROCESS ON *.*")
        assert "foreign key" in refused(bench, NEW, "OSR-MYSQL-062", mode="replace")
        bench.sql(f"DELETE FROM {hidden}.child")
        bench.write("writer", NEW, table="t", mode="replace")
        (plan,) = bench.events("mysql.load_plan")
        assert plan["published_by"] == "transaction"
        assert bench.content() == AFTER["replace"]


@pytest.mark.parametrize("rule", ["CASCADE", "SET NULL"])
@pytest.mark.parametrize("grant", ["PROCESS ON *.*", "INSERT ON {other}.*"])
def test_rows_of_another_database_that_would_go_too(bench, mariadb, blind, rule, grant):
    """SELECT would not do: MariaDB shows foreign keys to those who may do more in their database."""
    bench.sql("CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(9))", "INSERT INTO t VALUES (2, 'old')")
    with mariadb.database() as other:
        refer(bench, other, rule=f" ON DELETE {rule}", table="kind-ž")
        bench.sql(f"INSERT INTO {other}.`kind-ž` VALUES (2)")
        blind(grant.format(other=other))
        for mode in ("replace", "delete_insert"):
            assert f"rows of '{other}.kind-ž'" in refused(bench, NEW, "OSR-MYSQL-058", **MODES[mode])
        bench.write("writer", NEW, table="t", **MODES["upsert"])
        assert bench.content() == [(2, "new"), (3, "new")]
        assert bench.content(f"{other}.`kind-ž`") == [(2,)]


@pytest.mark.parametrize("grants", [("PROCESS ON *.*",), ()], ids=["process", "none"])
def test_foreign_keys_to_other_tables_bind_nothing(bench, mariadb, blind, grants):
    """Neither those of a table whose name differs in case only, nor those of one of that name elsewhere."""
    bench.sql("CREATE TABLE T (id INT PRIMARY KEY)", "CREATE TABLE `t-ž` (id INT PRIMARY KEY)")
    seed(bench)
    with mariadb.database() as other:
        mariadb.execute("CREATE TABLE t (id INT PRIMARY KEY)", database=other)
        mariadb.execute("CREATE TABLE c (id INT, FOREIGN KEY (id) REFERENCES t (id) ON DELETE CASCADE)", database=other)
        for to in ("T", "t-ž"):
            refer(bench, other, rule=" ON DELETE CASCADE", table=f"of {to}", to=to)
        blind(*grants)
        bench.write("writer", NEW, table="t", mode="replace")
    (plan,) = bench.events("mysql.load_plan")
    assert plan["published_by"] == "exchange"
    assert bench.content() == AFTER["replace"]


def test_a_foreign_key_with_a_cascade_that_comes_meanwhile(bench):
    """The table had another one before, so that it was to be emptied and not exchanged."""
    bench.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(9))",
        "INSERT INTO t VALUES (1, 'old')",
        "CREATE TABLE child (id INT, FOREIGN KEY (id) REFERENCES t (id))",
    )
    config = bench.configured("writer", {"table": "t", "mode": "replace"})
    driver = bench.driver("writer")
    stage = driver.begin(step_id="step", config=config, schema=schema(NEW), ctx=bench.context("writer"))
    receipt = driver.write(stage, 0, Rows(NEW))
    bench.sql("CREATE TABLE other (id INT, FOREIGN KEY (id) REFERENCES t (id) ON DELETE CASCADE)")
    with pytest.raises(DriverError) as caught:
        driver.publish(stage, [receipt])
    driver.abort(stage)
    assert (caught.value.code, caught.value.retriable) == ("OSR-MYSQL-063", True)
    assert bench.content() == [(1, "old")]


def test_an_account_that_may_not(bench, own_mariadb):
    from tests.servers.mariadb import READER, READER_PASSWORD

    seed(bench)
    bench.use(user=READER, password=READER_PASSWORD)
    message = refused(bench, NEW, "OSR-MYSQL-005", mode="append")
    assert "denied" in message
    assert READER_PASSWORD not in message


def test_definition_counter_and_grants_outlive_a_replacement(bench):
    bench.sql(
        "CREATE TABLE t (id INT PRIMARY KEY COMMENT 'the id', name VARCHAR(50) DEFAULT 'x', KEY (name), CHECK (id > 0)) "
        "COMMENT 'kept' PARTITION BY HASH (id) PARTITIONS 3"
    )
    ((_, before),) = bench.sql("SHOW CREATE TABLE t")
    bench.write("writer", NEW, table="t", mode="replace")
    assert bench.sql("SHOW CREATE TABLE t") == (("t", before),)
    assert "constraint" in refused(bench, "SELECT -1 AS id, 'x' AS name", "OSR-MYSQL-062", mode="replace").casefold()
    assert "Duplicate" in refused(bench, "SELECT 1 AS id, 'x' AS name FROM range(2)", "OSR-MYSQL-062", mode="replace")


def test_a_table_that_is_altered_meanwhile(bench):
    seed(bench)
    config = bench.configured("writer", {"table": "t", "mode": "replace"})
    ctx = bench.context("writer")
    driver = bench.driver("writer")
    stage = driver.begin(step_id="step", config=config, schema=schema(NEW), ctx=ctx)
    receipt = driver.write(stage, 0, Rows(NEW))
    bench.sql("ALTER TABLE t ADD COLUMN more INT")
    with pytest.raises(DriverError, match="has been altered") as caught:
        driver.publish(stage, [receipt])
    assert caught.value.retriable
    driver.abort(stage)
    assert bench.tables() == ["_osiris_loads", "t"]
    assert len(bench.content()) == 2


class Rows:
    """The rows of a query as a driver receives them."""

    def __init__(self, sql, after=None):
        import duckdb
        from arro3.core import Table

        with duckdb.connect(config={"python_enable_replacements": False}) as connection:
            self._table = Table.from_arrow(connection.sql(sql))
        self.schema = self._table.schema
        self._after = after

    def batches(self):
        yield from self._table.to_batches()
        if self._after is not None:
            self._after()


def schema(sql):
    return Rows(sql).schema


def test_parts_are_put_together(bench):
    seed(bench)
    for mode, fields in MODES.items():
        config = bench.configured("writer", {"table": f"t_{mode}", **fields})
        ctx, driver = bench.context("writer"), bench.driver("writer")
        stage = driver.begin(step_id="step", config=config, schema=schema(NEW), ctx=ctx)
        receipts = [driver.write(stage, part, Rows(f"SELECT {part} AS id, 'p' AS name")) for part in (2, 0, 1)]
        with pytest.raises(DriverError, match="staged before"):
            driver.write(stage, 1, Rows(NEW))
        with pytest.raises(DriverError, match="receipts"):
            driver.publish(stage, receipts[:2])
        assert driver.publish(stage, receipts).rows == 3
        driver.abort(stage)
        assert bench.content(f"t_{mode}") == [(0, "p"), (1, "p"), (2, "p")]


def test_the_last_part_wins(bench):
    config = bench.configured("writer", {"table": "t", **MODES["upsert"], "on_duplicate": "last"})
    ctx, driver = bench.context("writer"), bench.driver("writer")
    stage = driver.begin(step_id="step", config=config, schema=schema(NEW), ctx=ctx)
    receipts = [driver.write(stage, part, Rows(f"SELECT 1 AS id, '{part}' AS name")) for part in (2, 0, 1)]
    driver.publish(stage, receipts)
    assert bench.content() == [(1, "2")]


def test_an_aborted_load_leaves_nothing(bench):
    seed(bench)
    for fields in MODES.values():
        config = bench.configured("writer", {"table": "t", **fields})
        driver = bench.driver("writer")
        stage = driver.begin(step_id="step", config=config, schema=schema(NEW), ctx=bench.context("writer"))
        driver.write(stage, 0, Rows(NEW))
        assert len(bench.tables()) == 2
        driver.abort(stage)
        driver.abort(stage)
        assert bench.tables() == ["t"]
    assert bench.content() == OLD


def test_what_the_source_raises_is_what_is_raised(bench):
    seed(bench)

    def fail():
        raise ConnectionError("the source is gone")

    config = bench.configured("writer", {"table": "t", "mode": "append"})
    driver = bench.driver("writer")
    stage = driver.begin(step_id="step", config=config, schema=schema(NEW), ctx=bench.context("writer"))
    with pytest.raises(ConnectionError, match="the source is gone"):
        driver.write(stage, 0, Rows(NEW, after=fail))
    driver.abort(stage)
    assert bench.tables() == ["t"]


@pytest.mark.parametrize("database", ["mysql", "sys", "performance_schema", "information_schema"])
@pytest.mark.parametrize("table", ["global_priv", "t"])
def test_the_servers_own_databases_are_not_written(bench, database, table):
    before = (
        bench.server.execute(f"SHOW TABLES FROM {database}"),
        bench.server.execute("SELECT * FROM mysql.global_priv"),
    )
    bench.use(database=database)
    with pytest.raises(DriverError, match="the server's own database") as caught:
        bench.write("writer", NEW, table=table, mode="append")
    assert caught.value.code == "OSR-MYSQL-058"
    after = (
        bench.server.execute(f"SHOW TABLES FROM {database}"),
        bench.server.execute("SELECT * FROM mysql.global_priv"),
    )
    assert after == before


def test_two_loads_of_a_table_wait_for_each_other(bench):
    from osiris_mysql.loads import target_lock

    seed(bench)
    connection = bench.server.connect(bench.database)
    cursor = connection.cursor()
    try:
        cursor.execute(f"SELECT GET_LOCK('{target_lock(bench.database, 't')}', 0), CONNECTION_ID()")
        ((got, thread),) = cursor.fetchall()
        assert got == 1
        with pytest.raises(DriverError, match=f"connection {thread} of the server") as caught:
            bench.write("writer", NEW, table="t", mode="append", lock_timeout=0)
        assert (caught.value.code, caught.value.retriable) == ("OSR-MYSQL-061", True)
        assert bench.content() == OLD
        # Nor is a state noted between another load's look at it and its moving it.
        config = bench.configured("writer", {"table": "t", "mode": "append", "lock_timeout": 0})
        with pytest.raises(DriverError, match=f"connection {thread} of the server") as caught:
            bench.driver("writer").write_state(
                step_id="step", config=config, state=LoadState(key="k", text="{}"), ctx=bench.context("writer")
            )
        assert caught.value.code == "OSR-MYSQL-061"
        assert bench.sql(
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = '_osiris_loads' AND TABLE_SCHEMA = DATABASE()"
        ) == ((0,),)
        done = []
        thread = threading.Thread(target=lambda: done.append(bench.write("writer", NEW, table="t", mode="append")))
        thread.start()
        while not bench.sql(
            "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE LIKE 'User lock%' OR INFO LIKE '%GET_LOCK(''osiris:table%'"
        ):
            assert thread.is_alive()
        assert bench.content() == OLD
    finally:
        connection.close()
    thread.join(60)
    assert done[0].rows == 2
    assert bench.content(order="1, 2") == AFTER["append"]


def test_only_what_dead_loads_left_is_removed(bench):
    seed(bench)
    driver = bench.driver("writer")
    config = bench.configured("writer", {"table": "t", "mode": "append"})
    theirs = ["_osiris_stagecraft", "_osiris_old_backup", "_osiris_new_2024", f"_osiris_old_{'dead' * 6}_kept"]
    alive = driver.begin(step_id="step", config=config, schema=schema(NEW), ctx=bench.context("writer"))
    receipt = driver.write(alive, 0, Rows(NEW))
    bench.sql(
        f"CREATE TABLE _osiris_stage_{'dead' * 6} (i INT)",
        f"CREATE TABLE _osiris_new_{'beef' * 6} (i INT)",
        *(f"CREATE TABLE {name} (i INT)" for name in theirs),
    )
    bench.write("writer", "SELECT 1 AS a", table="other", mode="replace")
    stage = alive.state.landing
    assert bench.tables() == sorted(["_osiris_loads", stage, *theirs, "other", "t"])
    driver.publish(alive, [receipt])
    driver.abort(alive)
    assert bench.content(order="1, 2") == AFTER["append"]


@pytest.mark.parametrize("renamed", [False, True])
def test_a_load_that_died_while_it_exchanged_tables(bench, renamed):
    """The states between 'prepared' and 'committed', made by hand; the kills are in test_faults.py."""
    bench.write("writer", "SELECT 1 AS id, 'first' AS name", table="t", mode="append")
    token = "feed" * 6
    bench.sql(
        f"CREATE TABLE _osiris_new_{token} LIKE t",
        f"INSERT INTO _osiris_new_{token} VALUES (7, 'theirs')",
        "INSERT INTO _osiris_loads (load_id, manifest_hash, step, target, mode, `rows`, loaded_at, status, token) "
        f"VALUES ('{'b' * 32}', 'x', 's', 't', 'replace', 1, NOW(), 'prepared', '{token}')",
    )
    if renamed:
        bench.sql(f"RENAME TABLE t TO _osiris_old_{token}, _osiris_new_{token} TO t")
    again = bench.write("writer", NEW, table="t", mode="replace", load_id="b" * 32)
    assert again.already is renamed
    assert bench.content() == ([(7, "theirs")] if renamed else AFTER["replace"])
    assert bench.tables() == ["_osiris_loads", "t"]
    assert set(bench.sql("SELECT status FROM _osiris_loads")) == {("committed",)}


def test_what_cannot_be_removed_stops_no_load(bench, mariadb):
    """A load died after it exchanged a table that a foreign key in a database of somebody else's refers to."""
    token = "feed" * 6
    old = f"_osiris_old_{token}"
    bench.write("writer", "SELECT 1 AS id", table="other", mode="replace")
    bench.sql(
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "INSERT INTO t VALUES (1)",
        f"CREATE TABLE _osiris_new_{token} LIKE t",
        "INSERT INTO _osiris_loads (load_id, manifest_hash, step, target, mode, `rows`, loaded_at, status, token) "
        f"VALUES ('{'b' * 32}', 'x', 's', 't', 'replace', 0, NOW(), 'prepared', '{token}')",
    )
    with mariadb.database() as hidden:
        bench.sql(
            f"CREATE TABLE {hidden}.child (id INT, FOREIGN KEY (id) REFERENCES {bench.database}.t (id))",
            f"RENAME TABLE t TO {old}, _osiris_new_{token} TO t",
        )
        bench.write("writer", "SELECT 2 AS id", table="other", mode="append")
        assert published(bench)["details"]["left_behind"] == [old]
        (event,) = bench.events("mysql.left_behind")
        assert event["table"] == old
        assert "foreign key" in event["why"]
        assert bench.content("other") == [(1,), (2,)]
        assert bench.content(old) == [(1,)]
        assert bench.sql("SELECT status FROM _osiris_loads WHERE target = 't'") == (("committed",),)
        assert bench.write("writer", "SELECT 9 AS id", table="t", mode="replace", load_id="b" * 32).already
    bench.write("writer", "SELECT 3 AS id", table="other", mode="append")
    assert "left_behind" not in published(bench)["details"]
    assert bench.tables() == ["_osiris_loads", "other", "t"]


def test_state_is_kept_beside_the_rows(bench):
    config = bench.configured("writer", {"table": "t", "mode": "append"})
    driver = bench.driver("writer")

    def read():
        return driver.read_state(step_id="step", config=config, key="k", ctx=bench.context("writer"))

    def write(text):
        driver.write_state(
            step_id="step", config=config, state=LoadState(key="k", text=text), ctx=bench.context("writer")
        )

    assert read() is None
    with pytest.raises(DriverError, match="no table 't' yet"):
        write("{}")
    for text in ('{"at": "1"}', '{"at": "\'2\\\\"}'):
        ctx = bench.context("writer")
        ctx.load_state = lambda text=text: LoadState(key="k", text=text)
        stage = driver.begin(step_id="step", config=config, schema=schema(NEW), ctx=ctx)
        driver.publish(stage, [driver.write(stage, 0, Rows(NEW))])
        assert read() == text
    assert driver.read_state(step_id="step", config=config, key="K", ctx=bench.context("writer")) is None
    write('{"at": "0"}')
    assert read() == '{"at": "0"}'
    bench.sql("DROP TABLE t")
    assert read() is None


def test_a_failed_load_leaves_the_state(bench):
    seed(bench)
    driver = bench.driver("writer")
    config = bench.configured("writer", {"table": "t", **MODES["upsert"]})
    ctx = bench.context("writer")
    ctx.load_state = lambda: LoadState(key="k", text="{}")
    rows = Rows("SELECT 1 AS id, 'x' AS name FROM range(2)")
    stage = driver.begin(step_id="step", config=config, schema=rows.schema, ctx=ctx)
    receipt = driver.write(stage, 0, rows)
    with pytest.raises(DriverError):
        driver.publish(stage, [receipt])
    driver.abort(stage)
    assert driver.read_state(step_id="step", config=config, key="k", ctx=bench.context("writer")) is None


def test_cancelled_while_it_sends(bench):
    seed(bench)
    config = bench.configured("writer", {"table": "t", "mode": "append"})
    driver, ctx = bench.driver("writer"), bench.context("writer")
    stage = driver.begin(step_id="step", config=config, schema=schema(NEW), ctx=ctx)
    with pytest.raises(Cancelled):
        driver.write(stage, 0, Rows(NEW, after=lambda: (bench.token.cancel(DriverError("X", "enough")), ctx.check())))
    driver.abort(stage)
    assert bench.tables() == ["t"]
    assert bench.content() == OLD


def test_binding_refuses_what_a_load_would_and_changes_nothing(bench):
    seed(bench)
    driver = bench.driver("writer")
    config = bench.configured("writer", {"table": "t", "mode": "append"})
    assert driver.bind(step_id="step", config=config, inputs={"df": schema(NEW)}, ctx=bench.context("writer")) == {}
    wrong = {"df": schema("SELECT 1 AS other")}
    with pytest.raises(DriverError, match="have changed"):
        driver.bind(step_id="step", config=config, inputs=wrong, ctx=bench.context("writer"))
    assert bench.tables() == ["t"]


def test_config(bench):
    assert "names that start with '_osiris_'" in str(bench.findings("writer", {"table": "_osiris_x", "mode": "append"}))
    assert bench.findings("writer", {"table": "t", "mode": "upsert"}) == ["'mode: upsert' needs 'primary_key'"]
    assert bench.findings("writer", {"table": "a.b", "mode": "append"})


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 1 AS a, 2 AS _osiris_row", "kept for Osiris"),
        ('SELECT 1 AS "a "', "does not take"),
        (f"SELECT 1 AS {'n' * 65}", "does not take"),
    ],
)
def test_names_of_columns(bench, sql, words):
    assert words in refused(bench, sql, "OSR-MYSQL-064", mode="append")


def test_hostile_names_are_only_names(bench):
    table = "o`r'd\"er; --"
    sql = 'SELECT 1 AS "a`b", \'x\' AS "\'; DROP TABLE t; --", 2 AS "@osiris_0"'
    for mode in ({"mode": "append"}, {"mode": "upsert", "primary_key": ["a`b"]}):
        bench.write("writer", sql, table=table, **mode)
    assert bench.sql("SELECT * FROM `o``r'd\"er; --`") == ((1, "x", 2),)


MANY = "SELECT {at} AS id, 'row ' || range AS name FROM range({rows})"


def test_many_rows_of_one_key_replace_as_many(bench, numbers):
    """20,000 rows of a key on both sides are 400 million pairs, of which none need be looked at."""
    bench.sql(
        "CREATE TABLE t (id INT, name VARCHAR(50), KEY (id))",
        f"INSERT INTO t SELECT 7, CONCAT('old ', seq) FROM {numbers(20_000)}",
        "INSERT INTO t VALUES (8, 'other')",
    )
    bench.write("writer", MANY.format(at=7, rows=20_000), table="t", mode="delete_insert", replace_keys=["id"])
    assert (published(bench)["inserted"], published(bench)["deleted"]) == (20_000, 20_000)
    assert bench.sql("SELECT id, COUNT(*), COUNT(DISTINCT name), MIN(name) FROM t GROUP BY id ORDER BY id") == (
        (7, 20_000, 20_000, "row 0"),
        (8, 1, 1, "other"),
    )


@pytest.mark.parametrize("declared", ["INT", "VARCHAR(50)", "TEXT"])
def test_the_last_of_many_rows_of_one_key(bench, declared):
    key = "PRIMARY KEY" if declared != "TEXT" else ""
    bench.sql(f"CREATE TABLE t (id {declared} {key}, name VARCHAR(50))")
    sql = MANY.format(at="CAST(range % 2 AS INT)" if declared == "INT" else "CAST(range % 2 AS VARCHAR)", rows=20_000)
    bench.write("writer", sql, table="t", mode="upsert", primary_key=["id"], on_duplicate="last")
    assert [name for _, name in bench.content()] == ["row 19998", "row 19999"]


COLLATED = ["VARCHAR(10)", "CHAR(10)", "TEXT", "VARCHAR(10) CHARACTER SET latin1", "VARCHAR(10) CHARACTER SET utf16"]


@pytest.mark.parametrize("index", ["", ", KEY (k(5))"])
@pytest.mark.parametrize("declared", COLLATED)
def test_delete_insert_deletes_no_rows_of_keys_that_only_collate_alike(bench, declared, index):
    kept = [("A", 2), ("ä", 3)] if declared == "CHAR(10)" else [("A", 2), ("a ", 4), ("ä", 3)]
    bench.sql(
        f"CREATE TABLE t (k {declared}, v INT{index})",
        "INSERT INTO t VALUES ('a', 1), (NULL, 5)",
        *(f"INSERT INTO t VALUES ('{key}', {value})" for key, value in kept),
    )
    sql = "SELECT * FROM (VALUES ('a', 8), ('a', 9), (NULL, 10)) t(k, v)"
    bench.write("writer", sql, table="t", mode="delete_insert", replace_keys=["k"])
    assert bench.content(order="v") == [*sorted(kept, key=lambda row: row[1]), ("a", 8), ("a", 9), (None, 10)]


@pytest.mark.parametrize("mode", MODES)
def test_engines_that_may_keep_rows_elsewhere_are_refused_by_name(bench, mode):
    bench.sql(
        "CREATE TABLE t (id INT NOT NULL, name VARCHAR(50) NOT NULL) ENGINE=CSV", "INSERT INTO t VALUES (1, 'old')"
    )
    assert "csv" in refused(bench, NEW, "OSR-MYSQL-058", **MODES[mode])


@pytest.mark.parametrize("engine", ["MyISAM", "Aria", "MEMORY"])
def test_replace_exchanges_tables_of_engines_without_transactions(bench, engine):
    bench.sql(f"CREATE TABLE t (id INT, name VARCHAR(50)) ENGINE={engine}", "INSERT INTO t VALUES (1, 'old')")
    bench.write("writer", NEW, table="t", mode="replace")
    assert bench.content() == [(2, "new"), (3, "new")]


def test_names_that_only_german_takes_for_one_are_two(bench):
    bench.sql("CREATE TABLE t (id INT, `straße` INT, `strasse` INT)", "INSERT INTO t VALUES (0, 1, 2)")
    assert [tuple(row) for row in bench.rows("extractor", table="t", columns=["straße"])] == [(1,)]
    sql = "SELECT 1 AS id, 5 AS strasse"
    bench.write("writer", sql, table="t", mode="append", on_schema_change="ignore")
    assert bench.content() == [(0, 1, 2), (1, None, 5)]
    bench.write("writer", 'SELECT 2 AS id, 5 AS strasse, 6 AS "STRAße"', table="t", mode="append")
    assert bench.content()[-1] == (2, 6, 5)


def test_replace_goes_on_with_the_numbers_that_the_server_gives(bench):
    bench.sql(
        "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) COMMENT ' AUTO_INCREMENT=99')",
        "INSERT INTO t (name) VALUES ('a'), ('b'), ('c')",
    )
    config = {"table": "t", "mode": "replace", "on_schema_change": "ignore"}
    bench.write("writer", "SELECT 'new' AS name", **config)
    assert bench.content() == [(4, "new")]
    bench.write("writer", "SELECT 2 AS id, 'newer' AS name", **config)
    bench.sql("INSERT INTO t (name) VALUES ('next')")
    assert bench.content() == [(2, "newer"), (5, "next")]


@pytest.mark.parametrize("mode", ["append", "replace"])
def test_a_table_whose_columns_have_zero_dates_as_defaults(bench, mode):
    bench.sql("SET SESSION sql_mode = ''", "CREATE TABLE t (id INT, d DATE NOT NULL DEFAULT '0000-00-00')")
    sql = "SELECT 1 AS id, DATE '2024-05-06' AS d, 'x' AS more"
    bench.write("writer", sql, table="t", mode=mode, on_schema_change="add_columns")
    assert bench.content() == [(1, dt.date(2024, 5, 6), "x")]


def test_a_row_that_no_partition_takes(bench):
    bench.sql("CREATE TABLE t (id INT, name TEXT) PARTITION BY RANGE (id) (PARTITION p VALUES LESS THAN (3))")
    assert "partition" in refused(bench, NEW, "OSR-MYSQL-062", mode="append")
