"""What a record says of the data that passed, and of its own making."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from osiris_core.compile.build import read_manifest
from osiris_core.redaction import Redactor
from osiris_core.run.process import began
from osiris_core.run.session import Session
from tests.run.test_record import context, lines
from tests.run.workshop import numbers, sql, store

QUERY = """
    SELECT id, CASE WHEN id % 3 = 0 THEN NULL ELSE name END AS some, NULL AS nothing, [NULL] AS list,
        CASE WHEN id > 7 THEN {a: NULL} END AS s
    FROM df
"""


def observed(ran, step_id):
    (event,) = [line for line in ran.events("columns_observed") if line["step"] == step_id]
    assert event["basis"] == "rows"
    return event["rows"], {column["name"]: column["nulls"] for column in event["columns"]}


@pytest.mark.parametrize("readers", [("one",), ("one", "two")])
def test_nulls_are_counted_once_however_many_steps_read_them(shop, readers):
    ran = shop.run(numbers(rows=10), sql("q", QUERY), *(store(name, ["q"], path=name) for name in readers))
    assert ran.outcome.error is None
    assert observed(ran, "numbers") == (10, {"id": 0, "name": 0})
    assert observed(ran, "q") == (10, {"id": 0, "some": 4, "nothing": 10, "list": 0, "s": 8})
    assert {line["step"] for line in ran.events("columns_observed")} == {"numbers", "q"}


def test_without_rows_the_columns_are_still_named(shop):
    ran = shop.run(numbers(rows=3), sql("q", "SELECT id AS i FROM df WHERE id > 5"), store())
    assert observed(ran, "q") == (0, {"i": 0})


def test_a_retry_counts_from_the_beginning(shop):
    ran = shop.run(numbers(fault="retriable", fault_after=2), sql("q", "SELECT NULL AS n FROM df"), store())
    assert ran.step("q")["attempts"] == 2
    assert observed(ran, "q") == (10, {"n": 10})


def test_each_step_says_the_dialect_of_its_sql(shop):
    ran = shop.run(numbers(), sql("q", "FROM df"), store())
    dialects = {line["step"]: line["sql_dialect"] for line in ran.events("step_started")}
    assert dialects == {"numbers": None, "q": "duckdb", "store": None}


def test_an_observer_can_read_the_manifest_when_the_run_begins(shop):
    seen = []

    def observe(line):
        if line["event"] == "run_started":
            record = Path(line["environment"]["record"])
            assert record.is_absolute()
            seen.append(read_manifest(record / "manifest" / "manifest.yaml", shown="manifest"))

    ran = shop.run(numbers(), store(), listeners=(observe,))
    assert [manifest.hash for manifest in seen] == [ran.status["manifest_hash"]]
    assert ran.lines[0]["environment"]["record"] == str(ran.folder)


# Bootstrap.


def bootstrap(folder):
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["value"], line["unit"], line["step"]) for line in found if line["metric"] == "bootstrap"]


def test_the_time_until_the_first_step_is_counted_from_the_beginning_of_the_command(shop):
    import time

    ran = shop.run(numbers(), store(), began=time.monotonic() - 1000)
    ((value, unit, step),) = bootstrap(ran.folder)
    assert value >= 1_000_000
    assert (unit, step) == ("ms", None)


def test_it_is_measured_once_and_not_without_a_step(shop):
    ran = shop.run(numbers(fault="retriable"), store("one", ["numbers"]), store("two", ["numbers"], path="two"))
    assert len(bootstrap(ran.folder)) == 1
    ran = shop.run(numbers(output="none"), {**store(), "component": "sample.hollow"})
    assert bootstrap(ran.folder) == []


@pytest.mark.parametrize("isolate", [(), ("--isolate",)])
def test_a_command_counts_its_own_start(remote_shop, isolate):
    """An interpreter, plugins and a compilation take more than a call of the runtime does."""
    remote_shop.write(numbers(), store())
    done = remote_shop.osiris("run", "p.yaml", *isolate)
    assert done.returncode == 0, done.stderr
    ((value, _, _),) = bootstrap(remote_shop.records()[-1])
    assert value > 50


def test_a_process_began_before_now():
    import time

    moment = began()
    assert moment is None or moment < time.monotonic()


# Values.


@pytest.mark.parametrize("allowed", [True, False])
def test_values_are_recorded_only_where_it_is_allowed_and_never_of_a_secret(tmp_path, allowed):
    """Whatever a driver says."""
    session = Session.create("run", tmp_path / "logs", details={}, redactor=Redactor())
    ctx = context(session, tmp_path, data_values=allowed)
    columns = [{"name": name, "nulls": 1, "min": "a", "max": "b"} for name in ("city", "api_key", "user_password")]
    ctx.emit("columns_observed", basis="statistics", rows=3, columns=columns)
    (line,) = lines(session)
    shown = {"name": "city", "nulls": 1, **({"min": "a", "max": "b"} if allowed else {})}
    assert line["columns"] == [shown, {"name": "api_key", "nulls": 1}, {"name": "user_password", "nulls": 1}]
    assert columns[0]["min"] == "a"
