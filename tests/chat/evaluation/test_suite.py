from __future__ import annotations

import pytest

from osiris_core.chat.evaluation.suite import Destination, Gold, read_suite, table_files
from osiris_core.diagnostics import render
from osiris_core.errors import InvalidInput

START = """\
name: shop
tables: {orders: orders.parquet}
intents:
"""
COUNT = """\
  - id: count
    utterance: How many orders are there?
    expect: approved
    gold:
      - sql: SELECT count(*) FROM orders
"""
DROP = """\
  - id: drop
    utterance: Drop the orders.
    expect: refused
"""


@pytest.fixture
def suite(tmp_path):
    """Writes a suite beside its table; its path."""
    (tmp_path / "orders.parquet").touch()

    def write(text):
        path = tmp_path / "shop.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def findings(path):
    with pytest.raises(InvalidInput) as caught:
        read_suite(path, file="shop.yaml")
    assert caught.value.code == "OSR-EVL-001"
    assert "the suite shop.yaml cannot be used" in str(caught.value)
    return [
        f"{found.position.line}: {found.code} {found.message}" for found in caught.value.diagnostics if found.position
    ]


def test_what_is_not_said_has_a_default(suite):
    path = suite(START + COUNT + DROP)
    read = read_suite(path)
    assert read.name == "shop"
    assert [(intent.id, intent.expect) for intent in read.intents] == [("count", "approved"), ("drop", "refused")]
    assert read.intents[0].gold == (Gold(sql="SELECT count(*) FROM orders", ordered=False, extra_columns=False),)
    assert read.intents[0].destination is None
    assert table_files(read, path) == {"orders": path.parent / "orders.parquet"}


def test_where_the_rows_have_to_go(suite):
    where = "{component: duckdb.writer, target: totals, mode: upsert, key: [day, shop], before: SELECT 1}"
    read = read_suite(suite(f"{START}{COUNT}    destination: {where}\n"))
    assert read.intents[0].destination == Destination(
        component="duckdb.writer", target="totals", mode="upsert", key=("day", "shop"), before="SELECT 1"
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (START + COUNT.replace("approved", "aproved"), "6: OSR-CFG-004"),
        (START + COUNT.replace("id: count", "id: Count It"), "4: OSR-CFG-007"),
        (START + COUNT.replace("utterance", "uterance"), "5: OSR-CFG-002 unknown key 'uterance'"),
        (START + COUNT.replace("    utterance: How many orders are there?\n", ""), "'utterance' is missing"),
        (START + COUNT.replace("SELECT count(*) FROM orders", "''"), "8: OSR-CFG-006"),
        (START + COUNT + "        ordered: yes\n", "9: OSR-CFG-001"),
        (START + "  - {id: count, utterance: Count., expect: approved}\n", "'count' is to be approved and has no 'gold'"),
        (START + DROP + "    gold: [{sql: SELECT 1}]\n", "7: OSR-CFG-009 'drop' is to be refused: it has no 'gold'"),
        (START + DROP + "    destination: {}\n", "7: OSR-CFG-009 'drop' is to be refused: it has no 'destination'"),
        (START + COUNT + "    destination: {mode: upsert}\n", "'mode: upsert' and 'key' go together"),
        (START + COUNT + "    destination: {key: [day]}\n", "9: OSR-CFG-009 'mode: upsert' and 'key' go together"),
        (START + COUNT + "    destination: {before: SELECT 1}\n", "'before' needs a 'target'"),
        (START + COUNT + "    destination: {component: csv}\n", "9: OSR-CFG-007"),
        (START + COUNT + COUNT, "9: OSR-EVL-002 the id 'count' is already that of the intent in line 4"),
        (START.replace("orders.parquet", "none.parquet") + COUNT, "2: OSR-EVL-003 the table 'orders' has no file"),
        ("name: shop\ntables: {}\nintents: []\n", "3: OSR-CFG-006 'intents' must not be empty"),
        ("- 1\n", "1: OSR-CFG-001"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(suite, text, found):
    assert any(found in line for line in findings(suite(text))), findings(suite(text))


def test_every_mistake_is_reported(suite):
    text = START + COUNT.replace("approved", "aproved") + DROP.replace("id: drop", "id: DROP")
    assert [line.split()[:2] for line in findings(suite(text))] == [["6:", "OSR-CFG-004"], ["9:", "OSR-CFG-007"]]


def test_a_finding_shows_its_line(suite):
    with pytest.raises(InvalidInput) as caught:
        read_suite(suite(START + COUNT + COUNT), file="shop.yaml")
    (found,) = caught.value.diagnostics
    assert render(found) == (
        "shop.yaml:9:9: error[OSR-EVL-002]: the id 'count' is already that of the intent in line 4 "
        "(at $.intents[1].id)\n"
        "  9 |   - id: count\n"
        "    |         ^\n"
        "  = give each an id of its own"
    )


def test_what_is_no_yaml_is_refused_by_the_reader(suite):
    with pytest.raises(InvalidInput) as caught:
        read_suite(suite("name: [\n"))
    assert caught.value.code == "OSR-YAML-001"


def test_a_suite_that_is_not_there(tmp_path):
    with pytest.raises(InvalidInput) as caught:
        read_suite(tmp_path / "none.yaml")
    assert caught.value.code == "OSR-YAML-014"
