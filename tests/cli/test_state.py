"""``osiris state``, and ``osiris run`` and ``explain`` of incremental pipelines, as somebody types them."""

from __future__ import annotations

import json

import pytest

from tests.run.test_incremental import Ledger
from tests.run.workshop import remote_shop, step

__all__ = ["remote_shop"]


@pytest.fixture
def ledger(remote_shop):
    """A ledger whose pipeline is written; two rows at the source, none loaded."""
    made = Ledger(remote_shop)
    made.mode, made.incremental = "upsert", {"cursor": "ts", "initial": "2026-01-01"}
    made.make("DATE", (1, "2026-03-01", "a"), (2, "2026-03-02", "b"))
    remote_shop.write(*made.steps())
    return made


def osiris(ledger, *arguments, status=0):
    done = ledger.shop.osiris(*arguments)
    assert done.returncode == status, done.stderr + done.stdout
    return done


def document(done):
    return json.loads(done.stdout)


@pytest.mark.slow
def test_show_set_and_reset(ledger):
    shown = osiris(ledger, "state", "show", "p.yaml")
    assert shown.stdout.splitlines()[1:] == ["read\tload\tts\t-\t-\tby ts, from 2026-01-01 on (`initial`)"]
    osiris(ledger, "run", "p.yaml")
    (one,) = document(osiris(ledger, "state", "show", "p.yaml", "--json"))["states"]
    assert (one["step"], one["writer"], one["type"], one["value"]) == ("read", "load", "date", "2026-03-02")
    assert (one["origin"], one["lower"], one["rows_known"], one["error"]) == ("state", "2026-03-02", 0, None)
    assert one["key"].startswith("p/read:")

    done = osiris(ledger, "state", "set", "p.yaml", "2026-03-01", "--step", "read")
    assert done.stdout == "p: 'read' reads by ts, from 2026-03-01 on (the state)\n"
    ledger.source("UPDATE orders SET v = 'new'")
    osiris(ledger, "run", "p.yaml")
    assert [row[2] for row in ledger.target()] == ["new", "new"]

    done = osiris(ledger, "state", "reset", "p.yaml", "--json")
    assert document(done)["states"][0]["value"] is None
    assert document(done)["states"][0]["origin"] == "initial"
    osiris(ledger, "run", "p.yaml")
    assert document(osiris(ledger, "state", "show", "p.yaml", "--json"))["states"][0]["value"] == "2026-03-02"
    # Each is a commit row of its own; no row of the table was touched by it.
    modes = ledger.target("SELECT mode, rows FROM _osiris_loads ORDER BY loaded_at")
    assert modes == [("upsert", 2), ("state", 0), ("upsert", 2), ("state", 0), ("upsert", 2)]


def test_a_value_must_be_one_of_the_cursor(ledger):
    osiris(ledger, "run", "p.yaml")
    done = osiris(ledger, "state", "set", "p.yaml", "yesterday", status=2)
    assert "error[OSR-RUN-090]: 'yesterday' is no value of the cursor 'ts' (date)" in done.stderr
    assert document(osiris(ledger, "state", "set", "p.yaml", "1", "--json", status=2))["error"]["code"] == "OSR-RUN-090"


def test_a_state_belongs_to_a_table_that_is_there(ledger):
    assert "OSR-DUCKDB-020" in osiris(ledger, "state", "set", "p.yaml", "2026-03-01", status=5).stderr
    ledger.target("CREATE TABLE other (id INTEGER)")
    done = osiris(ledger, "state", "reset", "p.yaml", status=1)
    assert "there is no table 'copy' yet" in done.stderr
    assert "initial" in done.stderr


def test_a_step_that_is_not_there_and_one_of_several(ledger):
    done = osiris(ledger, "state", "show", "p.yaml", "--step", "raed", status=2)
    assert "has no incremental extract 'raed'" in done.stderr
    assert "did you mean 'read'?" in done.stderr
    extract, load = ledger.steps()
    ledger.shop.write(
        extract,
        load,
        {**extract, "id": "second"},
        step("other", "duckdb.writer", ["second"], "@duckdb.target", table="other", mode="upsert", primary_key=["id"]),
    )
    done = osiris(ledger, "state", "reset", "p.yaml", status=2)
    assert "'p' has 2 incremental extracts" in done.stderr
    assert len(osiris(ledger, "state", "show", "p.yaml").stdout.splitlines()) == 3  # with the headings
    ledger.incremental = None
    ledger.shop.write(*ledger.steps())
    assert "no extract of 'p' is incremental" in osiris(ledger, "state", "show", "p.yaml", status=2).stderr


@pytest.mark.slow
def test_a_state_that_does_not_fit_is_shown_as_such_and_can_be_set(ledger):
    osiris(ledger, "run", "p.yaml")
    ledger.incremental = {"cursor": "id"}
    ledger.shop.write(*ledger.steps())
    (one,) = document(osiris(ledger, "state", "show", "p.yaml", "--json"))["states"]
    assert one["origin"] == "misfit"
    assert "its cursor was 'ts', and is 'id' now" in one["error"]
    assert "OSR-RUN-080" in osiris(ledger, "run", "p.yaml", status=1).stderr
    osiris(ledger, "state", "set", "p.yaml", "2")
    osiris(ledger, "run", "p.yaml")


@pytest.mark.slow
def test_after_a_query_was_edited_the_last_value_goes_on_and_its_rows_are_known(ledger):
    ledger.mode = "append"

    def write(query):
        incremental = {"cursor": "ts", "primary_key": ["id"]}
        read = step("read", "duckdb.extractor", connection="@duckdb.source", query=query, incremental=incremental)
        ledger.shop.write(read, ledger.steps()[1])

    write("SELECT * FROM orders")
    osiris(ledger, "run", "p.yaml")
    write("SELECT * FROM orders WHERE id > 0")
    assert "'query' of the extract is another one now" in osiris(ledger, "run", "p.yaml", status=1).stderr
    osiris(ledger, "state", "set", "p.yaml", "2026-03-02")
    ledger.insert((3, "2026-03-02", "c"))
    osiris(ledger, "run", "p.yaml")
    assert [row[0] for row in ledger.target()] == [1, 2, 3]


def test_a_state_that_cannot_be_read_can_be_set(ledger):
    osiris(ledger, "run", "p.yaml")
    ledger.target("UPDATE _osiris_loads SET state = '{}'")
    assert "OSR-RUN-081" in osiris(ledger, "run", "p.yaml", status=1).stderr
    osiris(ledger, "state", "set", "p.yaml", "2026-03-02")
    osiris(ledger, "run", "p.yaml")


def test_explain_says_where_the_next_run_begins(ledger):
    assert "  incremental: by ts, from 2026-01-01 on (`initial`)" in osiris(ledger, "explain", "p.yaml").stdout
    osiris(ledger, "run", "p.yaml")
    steps = document(osiris(ledger, "explain", "p.yaml", "--json"))["steps"]
    assert steps[0]["incremental"]["value"] == "2026-03-02"
    assert steps[1]["incremental"] is None


@pytest.mark.slow
def test_run_takes_bounds_and_refuses_them_before_anything_is_done(ledger):
    osiris(ledger, "run", "p.yaml")
    ledger.source("UPDATE orders SET v = 'new'")
    osiris(ledger, "run", "p.yaml", "--since", "2026-03-01", "--until", "2026-03-02")
    assert [row[2] for row in ledger.target()] == ["new", "b"]
    plan = osiris(ledger, "run", "p.yaml", "--since", "2026-03-01", "--dry-run")
    assert "incremental extracts: since 2026-03-01" in plan.stdout
    osiris(ledger, "run", "p.yaml", "--full-refresh")
    assert [row[2] for row in ledger.target()] == ["new", "new"]
    records = len(ledger.shop.records())
    ledger.mode, ledger.incremental = "append", {"cursor": "ts", "primary_key": ["id"]}
    ledger.shop.write(*ledger.steps())
    for dry in ((), ("--dry-run",)):
        done = osiris(ledger, "run", "p.yaml", "--since", "2026-03-01", *dry, status=2)
        assert "error[OSR-RUN-072]: --since: 'load' appends" in done.stderr
    assert len(ledger.shop.records()) == records


def test_validate_shows_the_place_of_what_cannot_be(ledger):
    ledger.mode = "replace"
    path = ledger.shop.write(*ledger.steps())
    done = osiris(ledger, "validate", str(path), status=2)
    assert "OSR-OML-047" in done.stderr + done.stdout
    assert "p.yaml:1:" in done.stderr + done.stdout


def test_the_state_of_a_folder_of_parts(ledger):
    ledger.mode, ledger.incremental = "append", {"cursor": "ts", "primary_key": ["id"]}
    load = step("load", "filesystem.jsonl_writer", ["read"], path="copy", layout="folder", mode="append")
    ledger.shop.write(*ledger.steps()[:1], load)
    done = osiris(ledger, "state", "set", "p.yaml", "2026-03-01", status=1)
    assert "there is no folder of parts 'copy' yet" in done.stderr
    osiris(ledger, "run", "p.yaml")
    osiris(ledger, "state", "set", "p.yaml", "2026-03-02")  # at which one row was loaded: it comes once more
    osiris(ledger, "run", "p.yaml")
    lines = [
        json.loads(line)
        for part in (ledger.shop.folder / "copy").glob("*.jsonl")
        for line in part.read_text().splitlines()
    ]
    assert sorted(line["id"] for line in lines) == [1, 2, 2]
    osiris(ledger, "state", "reset", "p.yaml")
    (one,) = document(osiris(ledger, "state", "show", "p.yaml", "--json"))["states"]
    assert (one["value"], one["origin"]) == (None, "beginning")
