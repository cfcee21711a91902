"""From a plan to OML: which steps there are, what they read, and what of a plan is refused."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core.chat.destinations import destinations_of
from osiris_core.chat.forms import Output, Plan, Transform
from osiris_core.chat.lowering import lower, plain_name
from osiris_core.ids import is_name
from osiris_core.model import yaml
from osiris_core.oml.validate import validate
from tests.chat.shop import DESTINATIONS, REGISTRY, SHOP


def out(source="result", *, to="filesystem.csv_writer", target="output/x.csv", mode="replace", key=()):
    return Output(source=source, destination=to, target=target, mode=mode, key=key)


def plan(*transforms, outputs=None, name="report"):
    made = tuple(Transform(id=name, sql=sql) for name, sql in transforms)
    return Plan(
        impossible="", more_tables=(), name=name, transforms=made, assumptions=(),
        outputs=(out(made[-1].id if made else "orders"),) if outputs is None else outputs,
    )  # fmt: skip


def lowered(*args, wish="a wish", **kwargs):
    return lower(plan(*args, **kwargs), SHOP, DESTINATIONS, wish=wish)


def steps(made):
    assert made.findings == ()
    return {step["id"]: step for step in yaml.load(made.oml, file="x.yaml").data["steps"]}


def refusals(*args, **kwargs):
    made = lowered(*args, **kwargs)
    assert made.oml is None
    return [finding.message for finding in made.findings]


def test_a_query_becomes_reads_a_transform_and_a_write():
    made = steps(
        lowered(
            ("result", "SELECT name, sum(total) AS t FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY 1")
        )
    )
    assert list(made) == ["orders", "customers", "result", "store_result"]
    assert made["orders"]["config"] == {
        "connection": "@filesystem.data",
        "path": "orders.parquet",
        "columns": ["id", "customer_id", "total"],
    }
    assert made["result"]["needs"] == ["orders", "customers"]
    assert made["store_result"]["config"] == {"path": "output/x.csv", "mode": "replace", "create_dirs": True}


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT count(*) FROM orders WHERE total > '1'", ["total"]),
        ("SELECT id FROM orders JOIN customers USING (id)", ["id"]),
        ("SELECT * FROM orders", None),
        ("SELECT o FROM orders o", None),
        ("SELECT orders.* FROM orders", None),
        ("SELECT * EXCLUDE (id) FROM orders", None),
        ("SELECT count(*) FROM orders", None),
        ("SELECT COLUMNS('t.*') FROM orders", None),
        ("SELECT id, customer_id, total, placed_at FROM orders", None),
        ('SELECT "Total" FROM orders', ["total"]),
        ("SELECT total, count(*) AS orders FROM orders GROUP BY total ORDER BY orders", ["total"]),
        ("SELECT count(orders) AS n FROM orders ORDER BY orders", None),
    ],
)
def test_only_columns_that_are_used_are_read(sql, columns):
    assert steps(lowered(("result", sql)))["orders"]["config"].get("columns") == columns


def test_two_queries_over_one_table_read_what_both_need():
    made = steps(lowered(("a", "SELECT id FROM orders"), ("b", "SELECT a.id, o.total FROM a JOIN orders o USING (id)")))
    assert made["orders"]["config"]["columns"] == ["id", "total"]
    assert made["b"]["needs"] == ["a", "orders"]


def test_names_of_transforms_are_made_to_fit():
    made = steps(lowered(("Top 5", "SELECT total FROM orders"), ("orders", 'SELECT total FROM "Top 5"')))
    assert list(made)[:3] == ["orders", "top_5", "orders_2"]
    assert made["orders_2"]["needs"] == ["top_5"]
    assert duckdb.sql(made["orders_2"]["config"]["query"].replace("top_5", "(SELECT 1 AS total)")).fetchall() == [(1,)]


def test_a_common_table_expression_is_no_table():
    made = steps(lowered(("result", "WITH x AS (SELECT id FROM orders) SELECT * FROM x")))
    assert made["result"]["needs"] == ["orders"]


def test_a_table_can_be_stored_as_it_is():
    made = steps(
        lowered(outputs=(out("orders", to="duckdb.writer@main", target="orders", mode="upsert", key=("id",)),))
    )
    assert list(made) == ["orders", "store_orders"]
    assert made["store_orders"]["config"] == {
        "connection": "@duckdb.main",
        "table": "orders",
        "mode": "upsert",
        "primary_key": ["id"],
    }


def test_the_same_plan_gives_the_same_text():
    sql = ("result", "SELECT city, count(*) AS n FROM customers GROUP BY city")
    assert lowered(sql).oml == lowered(sql).oml


@pytest.mark.parametrize(
    ("transforms", "said"),
    [
        ([("r", "SELECT x FROM order")], "there is no table 'order'"),
        ([("r", "SELECT o.totl FROM orders o")], "table 'orders' has no column 'totl'"),
        ([("r", "SELEC 1")], "the query cannot be read"),
        ([("r", "SELECT 1")], "the query reads no table"),
        ([("r", f"SELECT id{'::int' * 400} FROM orders")], "the query cannot be read"),
        ([("r", f"SELECT {'(' * 3000}id{')' * 3000} FROM orders")], "the query cannot be read"),
        ([("r", "SELECT * FROM read_csv('/etc/passwd')")], "reads no table|no table"),
        ([("r", "SELECT '${SECRET}' FROM orders")], r"'\$\{' stands in the plan"),
    ],
)
def test_queries_that_are_refused(transforms, said):
    messages = refusals(*transforms)
    import re

    assert any(re.search(said, message) for message in messages), messages


@pytest.mark.parametrize(
    ("output", "said"),
    [
        (out("nothing"), "there is no 'nothing' to store"),
        (out("orders", to="mysql.writer@shop"), "there is no destination 'mysql.writer@shop'"),
        (out("orders", mode="upsert"), "filesystem.csv_writer cannot 'upsert'"),
        (out("orders", to="duckdb.writer@main", mode="upsert"), "'upsert' needs a key"),
        (out("orders", target=" "), "the output has no target"),
        (out("orders", target="output/x"), "'output/x' is no file of filesystem.csv_writer"),
        (out("orders", target="osiris.yaml"), "'osiris.yaml' is no file of filesystem.csv_writer"),
        (out("orders", target="x.csv.sh"), "'x.csv.sh' is no file of filesystem.csv_writer"),
        (out("orders", target="${HOME}/x.csv"), "'${' stands in the plan, which refers to nothing"),
    ],
)
def test_outputs_that_are_refused(output, said):
    assert said in refusals(outputs=(output,))


@pytest.mark.parametrize("target", ["x.csv", "a/X.CSV", "x.csv.gz", "x.csv.zst"])
def test_a_file_has_its_writers_ending(target):
    assert steps(lowered(outputs=(out("orders", target=target),)))["store_orders"]["config"]["path"] == target


def test_a_plan_that_stores_nothing_is_refused():
    assert "the plan stores nothing" in refusals(("r", "SELECT id FROM orders"), outputs=())


@given(st.text(max_size=80))
def test_any_text_gives_a_name_or_none(text):
    made = plain_name(text)
    assert made == "" or is_name(made)


NAMES = st.text(max_size=12) | st.sampled_from(["df", "orders", "a", "A", "select", "${x}", "x'; DROP"])


@given(NAMES, NAMES, st.text(max_size=40), st.sampled_from(["SELECT id FROM orders", "SELECT * FROM customers c"]))
def test_whatever_a_model_calls_things_the_document_is_valid(name, step, target, sql):
    made = lower(
        plan((step, sql), name=name, outputs=(out(step, target=target),)), SHOP, DESTINATIONS, wish=f"{name}{target}"
    )
    if made.oml is None:
        return
    document = yaml.load(made.oml, file="x.yaml")
    found = validate(document, registry=REGISTRY, connections=None).diagnostics
    # What the path is, is for the rules of paths to say.
    assert [one.message for one in found if one.is_error and "config" not in one.path] == []
    assert not {"version", "connectors", "tasks", "outputs"} & set(document.data)


def test_destinations_are_those_of_the_project():
    labels = [one.label for one in destinations_of(REGISTRY, ["@duckdb.main", "@filesystem.data"])]
    assert labels[0] == "filesystem.csv_writer"
    assert "duckdb.writer@main" in labels
    assert "filesystem.parquet_writer@data" in labels
    assert not any(label.startswith("duckdb.writer") and "@" not in label for label in labels)
