"""Discovery of a MySQL or MariaDB database through the command."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import closing

import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris

BUSY = (
    "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND "
    "info LIKE 'SELECT count(*), count(`n`)%endless` AS osiris\\_rows'"
)
"""Whether the server counts all rows of the view now."""


class Database:
    """A database of its own behind @mysql.shop, and the command."""

    def __init__(self, server, name, folder):
        self.server = server
        self.name = name
        self.folder = folder
        (folder / "osiris.yaml").write_text("")
        self.connect()

    def connect(self, **fields):
        place = {"host": self.server.host, "port": self.server.port, "user": self.server.user, "database": self.name}
        entry = {**place, "password": "${MYSQL_PASSWORD}", **fields}  # pragma: allowlist secret
        text = json.dumps({"version": 1, "connections": {"mysql": {"shop": entry}}})
        (self.folder / "osiris_connections.yaml").write_text(text)

    def sql(self, *statements):
        return self.server.execute(*statements, database=self.name)

    def run(self, *arguments, code=0):
        done = CliRunner().invoke(osiris, ["discover", "@mysql.shop", *arguments])
        assert done.exit_code == code, done.output
        return done

    def found(self, *arguments, code=0):
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def tables(self, *arguments):
        return {one["name"]: one for one in self.found(*arguments)["tables"]}

    def columns(self, name, *arguments):
        profile = self.tables("--table", name, "--profile", *arguments)[name]["profile"]
        return {column["name"]: column for column in profile["columns"]}


@pytest.fixture
def shop(mariadb, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MYSQL_PASSWORD", mariadb.password)
    with mariadb.database() as name:
        yield Database(mariadb, name, tmp_path)


CUSTOMERS = (
    "CREATE TABLE customers (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, email VARCHAR(50) COMMENT 'where', "
    "mood ENUM('sad','ok') NOT NULL DEFAULT 'ok', paid DECIMAL(30,10), loud VARCHAR(60) AS (CONCAT(email, '!')) VIRTUAL, "
    "UNIQUE KEY mail (email)) COMMENT 'who buys'"
)
ORDERS = (
    "CREATE TABLE orders (nr INT PRIMARY KEY, customer_id BIGINT UNSIGNED, other_customer_id BIGINT UNSIGNED, note TEXT, "
    "KEY part (note(10), nr), CONSTRAINT buys FOREIGN KEY (customer_id) REFERENCES customers (id))"
)


def test_tables_views_columns_keys_indexes_and_comments(shop):
    shop.sql(
        CUSTOMERS,
        ORDERS,
        "CREATE VIEW big AS SELECT nr FROM orders",
        "INSERT INTO customers (email) VALUES ('a@x'), (NULL)",
        "ANALYZE TABLE customers",
    )
    found = shop.tables()
    assert {name: one["kind"] for name, one in found.items()} == {
        "big": "view",
        "customers": "table",
        "orders": "table",
    }
    customers, orders = found["customers"], found["orders"]
    assert (customers["comment"], customers["rows"], customers["schema"]) == ("who buys", 2, shop.name)
    assert [
        (one["name"], one["type"].replace("(20)", ""), one["nullable"], one["generated"], one["comment"])
        for one in customers["columns"]
    ] == [
        ("id", "bigint unsigned", False, True, None),
        ("email", "varchar(50)", True, False, "where"),
        ("mood", "enum('sad','ok')", False, False, None),
        ("paid", "decimal(30,10)", True, False, None),
        ("loud", "varchar(60)", True, True, None),
    ]
    assert [one["default"] and one["default"].strip("'") for one in customers["columns"]] == [
        None,
        None,
        "ok",
        None,
        None,
    ]
    assert customers["primary_key"]["columns"] == ["id"]
    assert customers["unique_keys"] == [{"columns": ["email"], "name": "mail"}]
    assert {"name": "part", "columns": ["note(10)", "nr"], "unique": False} in orders["indexes"]
    assert orders["foreign_keys"] == [
        {
            "name": "buys",
            "columns": ["customer_id"],
            "to_schema": shop.name,
            "to_table": "customers",
            "to_columns": ["id"],
        }
    ]
    assert [column["name"] for column in found["big"]["columns"]] == ["nr"]


def test_what_the_server_keeps_of_others_is_not_shown(shop):
    """Nor its rows, which would go on to a model; a read refuses it, too."""
    shop.connect(database="mysql")
    found = shop.tables()
    assert {"time_zone_name", "help_topic"} <= set(found)
    assert {"user", "global_priv", "proxies_priv", "servers", "general_log"}.isdisjoint(found)
    done = shop.run("--table", "global_priv", code=2)
    assert "no table" in done.output


def test_profiles_are_exact_texts(shop):
    shop.sql(
        "CREATE TABLE t (b BIGINT UNSIGNED, d DECIMAL(65,10), f FLOAT, g DOUBLE, tm TIME(6), dt DATETIME(6), bin VARBINARY(9), "
        "bits BIT(9), txt TEXT CHARACTER SET utf8mb4, shape GEOMETRY, day DATE, js JSON)",
        "INSERT INTO t VALUES (18446744073709551615, 12345678901234567890123456789.0123456789, 0.1, 0.1, '-838:59:59.000001', "
        "'2024-03-31 02:30:00.000001', x'00ff', b'101', REPEAT('ü', 250), POINT(1, 2), '2024-02-29', '{\"b\": 1, \"a\": 2}')",
        "INSERT INTO t VALUES (0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    found = shop.columns("t")
    assert {name: (one["nulls"], one["maximum"]) for name, one in found.items() if name != "js"} == {
        "b": (0, "18446744073709551615"),
        "d": (1, "12345678901234567890123456789.0123456789"),
        "f": (1, "0.10000000149011612"),  # what a FLOAT holds, which the server's own text of it hides
        "g": (1, "0.1"),
        "tm": (1, "-838:59:59.000001"),
        "dt": (1, "2024-03-31 02:30:00.000001"),
        "bin": (1, None),
        "bits": (1, None),
        "txt": (1, "ü" * 200 + "… (250 characters)"),
        "shape": (1, None),
        "day": (1, "2024-02-29"),
    }
    sample = shop.tables("--table", "t", "--sample", "1")["t"]["sample"]
    row = dict(zip(sample["columns"], sample["rows"][0], strict=True))
    assert (row["bin"], row["bits"], row["shape"], row["js"]) == (
        "0x00FF",
        "0x5",
        "POINT(1 2)",
        '{"b": 1, "a": 2}',
    )


def test_a_zero_date_is_a_value(shop):
    with closing(shop.server.connect(shop.name)) as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = ''")
        cursor.execute("CREATE TABLE t (d DATE, s DATETIME)")
        cursor.execute("INSERT INTO t VALUES ('0000-00-00', '0000-00-00 00:00:00'), ('2024-01-01', NULL)")
    found = shop.columns("t")
    assert (found["d"]["minimum"], found["s"]["minimum"]) == ("0000-00-00", "0000-00-00 00:00:00")


def numbers(count):
    """Rows of a column ``n`` from 0 to ``count`` (a power of ten) less one, on any server."""
    digits = "SELECT 0 AS d" + "".join(f" UNION ALL SELECT {number}" for number in range(1, 10))
    places = len(str(count)) - 1
    total = " + ".join(f"p{place}.d * {10**place}" for place in range(places))
    return f"SELECT {total} AS n FROM " + ", ".join(f"({digits}) AS p{place}" for place in range(places))


def test_stages_relations_and_what_the_indexes_know(shop):
    shop.sql(
        CUSTOMERS,
        ORDERS,
        f"INSERT INTO customers (email) SELECT CONCAT(n, '@x') FROM ({numbers(100)}) AS s",
        f"INSERT INTO orders SELECT n, n % 100 + 1, n % 50 + 1, 'x' FROM ({numbers(10000)}) AS s",
        "ANALYZE TABLE customers, orders",
    )
    document = shop.found("--profile")
    tables = {one["name"]: one for one in document["tables"]}
    assert (tables["orders"]["profile"]["basis"], tables["orders"]["profile"]["examined"]) == ("full", 10_000)
    columns = {one["name"]: one for one in tables["orders"]["profile"]["columns"]}
    assert (columns["nr"]["minimum"], columns["nr"]["maximum"], columns["nr"]["distinct"]) == ("0", "9999", 10_000)
    assert columns["other_customer_id"]["top"][0]["count"] == 200
    relations = {tuple(one["columns"]): one for one in document["relations"]}
    assert relations["customer_id",]["declared"] is True
    suggested = relations["other_customer_id",]
    assert (suggested["declared"], suggested["to_table"], suggested["to_columns"]) == (False, "customers", ["id"])
    assert "50 of 50 values are there" in suggested["reasons"]
    assert 0.8 < suggested["confidence"] < 1


@pytest.mark.slow
def test_what_takes_too_long_is_left_at_its_sample_and_ends_on_the_server(shop):
    shop.sql(
        f"CREATE TABLE t AS {numbers(1000)}",
        "CREATE VIEW endless AS SELECT a.n FROM t AS a, t AS b, t AS c, t AS d",
    )
    endless = shop.tables("--table", "endless", "--profile", "--timeout", "2")["endless"]
    assert (endless["profile"]["basis"], endless["stopped"]) == ("sample", "the time was over (2 seconds)")
    assert shop.sql(BUSY) == ((0,),)


@pytest.mark.slow
def test_ctrl_c_ends_what_the_server_does(shop):
    shop.sql(
        f"CREATE TABLE t AS {numbers(1000)}",
        "CREATE VIEW endless AS SELECT a.n FROM t AS a, t AS b, t AS c, t AS d",
    )
    command = [sys.executable, "-m", "osiris_core", "discover", "@mysql.shop", "--table", "endless", "--profile"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert any(shop.sql(BUSY) == ((1,),) for _ in range(5000))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=50)
    assert (process.returncode, "interrupted" in said) == (130, True)
    assert any(shop.sql(BUSY) == ((0,),) for _ in range(500))


def test_the_list_is_kept_until_the_schema_changes(shop):
    shop.sql(CUSTOMERS)
    assert (shop.found()["cached"], shop.found()["cached"]) == (False, True)
    shop.sql("INSERT INTO customers (email) VALUES ('b@x')")
    assert shop.found()["cached"] is True  # rows are no schema
    for change in (
        "ALTER TABLE customers ADD COLUMN more INT",
        "ALTER TABLE customers MODIFY more BIGINT",
        "ALTER TABLE customers COMMENT 'anew'",
        "CREATE INDEX i ON customers (paid)",
        ORDERS,
        "ALTER TABLE orders DROP FOREIGN KEY buys",
        "CREATE VIEW v AS SELECT 1 AS one",
    ):
        shop.sql(change)
        assert shop.found()["cached"] is False, change
        assert shop.found()["cached"] is True, change


def test_hostile_names(shop):
    name, column = "a`b\x1b[2J", "c\"d`e'f\n%s"
    quoted, inner = name.replace("`", "``"), column.replace("`", "``")
    shop.sql(f"CREATE TABLE `{quoted}` (`{inner}` VARCHAR(9))", f"INSERT INTO `{quoted}` VALUES ('%s\\\\')")
    (table,) = shop.found("--profile", "--sample", "1")["tables"]
    assert (table["name"], table["columns"][0]["name"]) == (name, column)
    assert table["sample"]["rows"] == [["%s\\"]]
    assert table["profile"]["columns"][0]["maximum"] == "%s\\"
    assert "\x1b" not in shop.run("--profile").output


def test_a_view_of_what_is_gone(shop):
    shop.sql("CREATE TABLE gone (a INT)", "CREATE VIEW broken AS SELECT a FROM gone", "DROP TABLE gone")
    found = shop.tables("--profile")
    assert found["broken"]["problem"]["code"] == "OSR-MYSQL-020"
    assert found["broken"]["profile"] is None


def test_a_server_that_says_nothing(shop):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shop.connect(port=silent.getsockname()[1], host="127.0.0.1")
        assert shop.found("--timeout", "0.5", code=5)["error"]["code"] == "OSR-MYSQL-007"


def test_a_connection_that_does_not_work(shop, mariadb, monkeypatch):
    monkeypatch.setenv("MYSQL_PASSWORD", "wrong-password")
    done = shop.found(code=5)
    assert done["error"]["code"] == "OSR-MYSQL-002"
    assert "wrong-password" not in json.dumps(done)
    monkeypatch.setenv("MYSQL_PASSWORD", mariadb.password)
    shop.connect(port=1)
    assert shop.found(code=5)["error"]["code"] == "OSR-MYSQL-001"


def test_nothing_of_the_password_is_kept(shop):
    shop.sql(CUSTOMERS, f"INSERT INTO customers (email) VALUES ({json.dumps(shop.server.password)})")
    shop.found("--profile", "--sample", "1")
    kept = "".join(path.read_text() for path in (shop.folder / ".osiris").rglob("*.json"))
    assert "customers" in kept
    assert json.dumps(shop.server.password).strip('"') not in kept
