"""Discovery of a DuckDB file through the command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import jsonschema
import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris

SCHEMA = (
    "CREATE TABLE customers (id BIGINT PRIMARY KEY, email VARCHAR UNIQUE, name VARCHAR NOT NULL)",
    "CREATE TABLE orders (nr INTEGER PRIMARY KEY, customer_id BIGINT, total DECIMAL(18,3) DEFAULT 0, "
    "twice DECIMAL(18,3) GENERATED ALWAYS AS (total * 2), FOREIGN KEY (customer_id) REFERENCES customers (id))",
    "CREATE INDEX by_customer ON orders (customer_id, total)",
    "COMMENT ON TABLE orders IS 'what was sold'",
    "COMMENT ON COLUMN orders.total IS 'in euro'",
    "CREATE SCHEMA s",
    "CREATE VIEW s.big AS SELECT nr FROM main.orders WHERE total > 100",
    "INSERT INTO customers VALUES (1, 'a@x', 'A'), (2, NULL, 'B')",
    "INSERT INTO orders (nr, customer_id, total) VALUES (1, 1, 12.5), (2, 1, 200), (3, 2, 7)",
)


def test_tables_views_columns_keys_indexes_and_comments(shop):
    shop.sql(*SCHEMA)
    found = shop.found()
    assert [(one["schema"], one["name"], one["kind"], one["rows"]) for one in found["tables"]] == [
        ("main", "customers", "table", 2),
        ("main", "orders", "table", 3),
        ("s", "big", "view", None),
    ]
    customers, orders, big = found["tables"]
    assert orders["comment"] == "what was sold"
    assert orders["columns"] == [
        {"name": "nr", "type": "INTEGER", "nullable": False, "default": None, "generated": False, "comment": None},
        {
            "name": "customer_id",
            "type": "BIGINT",
            "nullable": True,
            "default": None,
            "generated": False,
            "comment": None,
        },
        {
            "name": "total",
            "type": "DECIMAL(18,3)",
            "nullable": True,
            "default": "0",
            "generated": False,
            "comment": "in euro",
        },
        {
            "name": "twice",
            "type": "DECIMAL(18,3)",
            "nullable": True,
            "default": None,
            "generated": True,
            "comment": None,
        },
    ]
    assert orders["primary_key"]["columns"] == ["nr"]
    assert orders["indexes"] == [{"name": "by_customer", "columns": ["customer_id", "total"], "unique": False}]
    assert [
        (key["columns"], key["to_schema"], key["to_table"], key["to_columns"]) for key in orders["foreign_keys"]
    ] == [(["customer_id"], "main", "customers", ["id"])]
    assert [key["columns"] for key in customers["unique_keys"]] == [["email"]]
    assert [column["name"] for column in big["columns"]] == ["nr"]
    assert found["complete"] is True
    (relation,) = found["relations"]
    assert (relation["table"], relation["to_table"], relation["declared"], relation["confidence"]) == (
        "orders",
        "customers",
        True,
        1.0,
    )


def test_the_document_is_as_its_schema_says(shop):
    shop.sql(*SCHEMA)
    schema = json.loads(CliRunner().invoke(osiris, ["schema", "discovery"]).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    document = shop.found("--profile", "--sample", "2")
    jsonschema.validate(document, schema)
    document["tables"][0]["profile"]["basis"] = "guess"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_a_profile_counts_exactly_and_shows_exact_texts(shop):
    shop.sql(
        "CREATE TABLE t (n HUGEINT, d DECIMAL(38,10), moment TIMESTAMPTZ, f DOUBLE, b BLOB, l INTEGER[], x VARCHAR)",
        "INSERT INTO t SELECT 170141183460469231731687303715884105727 - i, i + 0.0000000001, "
        "TIMESTAMPTZ '2024-03-31 01:30:00.000001+00', 0.1, '\\xff'::BLOB, [i], CASE WHEN i % 4 > 0 THEN 'v' || i % 2 END "
        "FROM range(8) r(i)",
    )
    found = shop.profile("t")
    assert found["n"]["maximum"] == "170141183460469231731687303715884105727"
    assert (found["d"]["minimum"], found["d"]["maximum"]) == ("0.0000000001", "7.0000000001")
    assert found["moment"]["minimum"] == "2024-03-31 01:30:00.000001+00"
    assert found["moment"]["top"] == [{"value": "2024-03-31 01:30:00.000001+00", "count": 8}]
    assert found["f"]["minimum"] == "0.1"
    assert (found["b"]["minimum"], found["b"]["top"]) == (None, [{"value": "\\xFF", "count": 8}])
    assert (found["l"]["distinct"], found["l"]["minimum"]) == (8, None)
    assert found["x"] == {
        "name": "x",
        "nulls": 2,
        "distinct": 2,
        "minimum": "v0",
        "maximum": "v1",
        "top": [{"value": "v1", "count": 4}, {"value": "v0", "count": 2}],
        "withheld": False,
    }
    assert found["n"]["top"] is None  # every row has its own


def test_a_table_of_more_columns_than_are_counted_at_once(shop):
    columns = ", ".join(f"i + {number} AS c{number}" for number in range(50))
    shop.sql(f"CREATE TABLE wide AS SELECT {columns} FROM range(3) r(i)", "CREATE TABLE empty (a INT)")
    found = shop.profile("wide")
    assert [(one["minimum"], one["maximum"], one["distinct"]) for one in found.values()] == [
        (str(number), str(number + 2), 3) for number in range(50)
    ]
    assert shop.profile("empty")["a"] == {
        "name": "a",
        "nulls": 0,
        "distinct": 0,
        "minimum": None,
        "maximum": None,
        "top": [],
        "withheld": False,
    }


def test_a_long_value_is_cut_and_says_how_long_it_is(shop):
    shop.sql("CREATE TABLE t AS SELECT repeat('ü', 1234) AS x")
    cut = "ü" * 200 + "… (1234 characters)"
    assert shop.profile("t")["x"]["maximum"] == cut
    assert shop.table("t", "--sample", "1")["sample"]["rows"] == [[cut]]


def test_values_under_the_name_of_a_secret_are_withheld(shop):
    shop.sql("CREATE TABLE users AS SELECT i, 'hunter-' || i % 2 AS password FROM range(10) r(i)")
    found = shop.profile("users", "--sample", "3")
    assert found["password"] == {
        "name": "password",
        "nulls": 0,
        "distinct": 2,
        "minimum": None,
        "maximum": None,
        "top": None,
        "withheld": True,
    }
    assert shop.table("users", "--sample", "1")["sample"] == {"columns": ["i", "password"], "rows": [["0", "***"]]}
    assert "withheld" in shop.run("@duckdb.shop", "--profile").stdout
    assert "hunter" not in shop.kept()


def test_secrets_within_values_are_withheld(shop):
    shop.sql(
        "CREATE TABLE users AS SELECT {'name': 'bob', 'Login Password': 'hunter-2'} AS login, [{'api_key': 'hunter-3'}] AS keys, "  # pragma: allowlist secret
        "MAP {'api_token': 'hunter-4'} AS more, '{\"password\": \"hunter-5\"}'::JSON AS j, {'name': 'bob'} AS who, "
        "MAP {'city': 'Brno'} AS plain FROM range(10)"
    )
    found = shop.table("users", "--profile", "--sample", "1")
    withheld = {one["name"] for one in found["profile"]["columns"] if one["withheld"]}
    assert withheld == {"login", "keys", "more", "j", "plain"}
    assert found["sample"]["rows"] == [["***", "***", "***", "***", "{'name': bob}", "{city=Brno}"]]
    assert "hunter" not in json.dumps(found)
    assert not [path for path in (shop.folder / ".osiris").rglob("*.json") if "hunter" in path.read_text()]


def test_rows_are_shown_on_request_and_never_kept(shop):
    shop.sql("CREATE TABLE t AS SELECT i, 'marker-' || i AS x FROM range(5) r(i)")
    assert shop.found()["tables"][0]["sample"] is None
    assert "marker" not in json.dumps(shop.found())
    assert shop.table("t", "--sample", "2")["sample"]["rows"] == [["0", "marker-0"], ["1", "marker-1"]]
    assert "marker" not in shop.kept()


def test_a_large_table_is_sampled_before_it_is_counted(shop):
    from osiris_core.discovery.discover import Request, discover
    from osiris_core.plugins.registry import load_registry
    from osiris_core.project.connections import load_connections
    from osiris_core.project.environment import load_environment
    from osiris_core.project.paths import Project
    from osiris_core.redaction import Redactor

    shop.sql(
        "CREATE TABLE large AS SELECT i, i % 3 AS k FROM range(100000) r(i)", "CREATE TABLE small AS SELECT 1 AS one"
    )
    registry, project, steps = load_registry(only=frozenset({"duckdb"})), Project(shop.folder), []
    found = discover(
        load_connections(project, registry).get("@duckdb.shop"),
        Request(profile=True),
        project=project,
        environment=load_environment(shop.folder, {}, shop.folder),
        registry=registry,
        redactor=Redactor(),
        done=steps.append,
    )
    assert steps == ["2 tables", "main.large: sample", "main.small: full", "main.large: full"]
    assert [(one.profile.basis, one.profile.examined) for one in found.tables] == [("full", 100_000), ("full", 1)]


@pytest.mark.slow
def test_what_takes_too_long_is_left_at_its_sample(shop):
    shop.sql(
        "CREATE VIEW endless AS SELECT i FROM range(100000000000) r(i)",
        "CREATE TABLE t AS SELECT 1 AS a",
    )
    found = shop.found("--profile", "--timeout", "2")
    profiles = {one["name"]: (one["profile"]["basis"], one["stopped"]) for one in found["tables"]}
    assert profiles == {"t": ("full", None), "endless": ("sample", "the time was over (2 seconds)")}
    assert found["tables"][0]["profile"]["examined"] == 10_000
    # kept, and good enough while there is no more time than then
    again = shop.found("--profile", "--timeout", "1.5")
    assert [one["profile_cached"] for one in again["tables"]] == [True, True]
    more = shop.found("--profile", "--timeout", "2.5")
    assert [one["profile_cached"] for one in more["tables"]] == [False, True]


def test_ctrl_c_ends_a_query_that_would_go_on(shop):
    shop.sql("CREATE VIEW endless AS SELECT i FROM range(100000000000) r(i)")
    command = [sys.executable, "-m", "osiris_core", "discover", "@duckdb.shop", "--profile", "--timeout", "500"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not list(shop.cache.glob("*.json")):  # until the tables are listed, and profiling begins
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said


def test_a_view_that_cannot_be_read_says_so_and_stops_nothing(shop, tmp_path):
    (tmp_path / "rows.csv").write_text("a\n1\n")
    shop.sql(f"CREATE VIEW out AS SELECT * FROM read_csv('{tmp_path / 'rows.csv'}')", "CREATE TABLE t AS SELECT 1 AS a")
    found = shop.found("--profile", "--sample", "1")
    out, table = found["tables"]
    assert (out["name"], out["profile"]) == ("out", None)
    assert "OSR-DUCKDB-" in out["stopped"]
    assert table["profile"]["basis"] == "full"
    document = shop.found("--table", "out", "--sample", "1", code=1)
    assert document["error"]["code"] == "OSR-DSC-004"


HOSTILE = 'a\x1b[31m"b\n\u202e; DROP TABLE t'


def test_hostile_names_are_quoted_for_the_server_and_made_visible_for_people(shop):
    quoted = HOSTILE.replace('"', '""')
    shop.sql(
        f'CREATE TABLE "{quoted}" ("{quoted}" VARCHAR)',
        f"INSERT INTO \"{quoted}\" VALUES ('x\x1b]0;title\x07[bold]y')",
        f"COMMENT ON TABLE \"{quoted}\" IS '[red]\x1b[2J'",
    )
    found = shop.found("--profile", "--sample", "1")
    (table,) = found["tables"]
    assert table["name"] == table["columns"][0]["name"] == HOSTILE
    assert table["profile"]["columns"][0]["maximum"] == "x\x1b]0;title\x07[bold]y"
    for arguments in ((), ("--profile", "--sample", "1"), ("--table", HOSTILE)):
        output = shop.run("@duckdb.shop", *arguments).output
        assert not {"\x1b", "\x07", "\u202e"} & set(output)
        assert "\\x1b[31m" in output
        assert "[red]" in output


def test_a_table_by_its_name_with_or_without_schema(shop):
    shop.sql("CREATE SCHEMA s", "CREATE TABLE t (a INT)", "CREATE TABLE s.t (b INT)", "CREATE TABLE u (c INT)")
    found = shop.found("--table", "t", "--table", "main.u")
    assert [(one["schema"], one["name"]) for one in found["tables"]] == [("main", "t"), ("s", "t"), ("main", "u")]
    found = shop.found("--table", "s.t")
    assert [one["columns"][0]["name"] for one in found["tables"]] == ["b"]
    assert found["other_tables"] == ["main.t", "main.u"]


def test_a_table_that_is_not_there(shop):
    shop.sql("CREATE TABLE customers (a INT)")
    error = shop.found("--table", "custmers", code=2)["error"]
    assert (error["code"], error["message"]) == ("OSR-DSC-001", "@duckdb.shop has no table 'custmers'")
    assert error["hint"] == "did you mean 'customers'?"
    assert "there is main.customers" in shop.run("@duckdb.shop", "--table", "zzz", code=2).output


def test_connections_that_cannot_be_used(shop):
    shop.connections("duckdb: {shop: {path: none.duckdb}}", "env: {x: {}}")
    assert shop.found(code=5)["error"]["code"] == "OSR-DUCKDB-020"
    assert shop.found("@duckdb.shp", code=2)["error"]["code"] == "OSR-CON-005"
    assert shop.found("@env.x", code=2)["error"]["code"].startswith("OSR-PLG-")
    (shop.folder / "none.duckdb").write_bytes(b"x" * 5000)
    assert shop.found(code=5)["error"]["code"] == "OSR-DUCKDB-021"
    assert "Missing argument" in CliRunner().invoke(osiris, ["discover"]).output


def test_a_file_that_another_process_writes(shop):
    shop.sql("CREATE TABLE t (a INT)")
    program = f"import duckdb, sys; held = duckdb.connect({str(shop.file)!r}); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        error = shop.found("--timeout", "0.2", code=5)["error"]
        holder.communicate()
    assert error["code"] == "OSR-DSC-002"
    assert f"'shop.duckdb' is held by process {holder.pid}" in error["message"]
    assert [one["name"] for one in shop.found()["tables"]] == ["t"]


@pytest.mark.parametrize("option", ["--timeout", "--max-age"])
def test_nan_is_no_number(shop, option):
    done = CliRunner().invoke(osiris, ["discover", "@duckdb.shop", option, "nan"])
    assert done.exit_code == 2
    assert "nan is no number" in done.output


def test_text_for_people(shop):
    shop.sql(*SCHEMA)
    listed = shop.run("@duckdb.shop").stdout.splitlines()
    assert listed[:4] == [
        "table\tkind\trows\tcolumns\tkey\tcomment",
        "main.customers\ttable\t~2\t3\tid\t",
        "main.orders\ttable\t~3\t4\tnr\twhat was sold",
        "s.big\tview\t\t1\t\t",
    ]
    assert "main.orders (customer_id)\tmain.customers (id)\t1.00\tdeclared" in listed
    shown = shop.run("@duckdb.shop", "--table", "orders").stdout
    assert "main.orders (table, ~3 rows): what was sold" in shown
    assert "total\tDECIMAL(18,3)\tyes\t\t0\tin euro" in shown
    assert "by_customer\tcustomer_id, total\t" in shown
    profiled = shop.run("@duckdb.shop", "--table", "orders", "--profile").stdout
    assert "main.orders (table, ~3 rows, profile: full of 3 rows): what was sold" in profiled
    assert "customer_id\tBIGINT\t0\t→ main.customers (id)\t2\t1\t2\t" in profiled


def test_an_empty_database(shop):
    shop.sql()
    assert shop.found()["tables"] == []
    assert "@duckdb.shop has no tables" in shop.run("@duckdb.shop").output
