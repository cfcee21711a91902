"""Every event and metric that a run can leave, against the published schemas.

One test runs everything and looks at every line that came of it. A class of the vocabulary that no run emits, a metric
that none records, and a line with a field too many or too few fail it.
"""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import duckdb
import jsonschema
import pytest

from osiris_core.cli.workspace import open_workspace
from osiris_core.run import events, metrics
from osiris_core.run.api import run_manifest
from osiris_core.run.executor import Interrupts
from osiris_core.run.schemas import event_schema, metric_schema
from tests.run.workshop import Ran, numbers, sql, step, store, through

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference"
EVENTS = jsonschema.Draft202012Validator(event_schema())
METRICS = jsonschema.Draft202012Validator(metric_schema())


def lines(folder, name):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def require_sound(folder):
    """Every line of a record fits its schema."""
    for name, validator in (("events.jsonl", EVENTS), ("metrics.jsonl", METRICS)):
        for line in lines(folder, name):
            assert validator.is_valid(line), f"{name}: {line}"


@attrs.frozen
class Recorded:
    """A record that a command has left."""

    folder: Path


def connections(shop):
    (shop.folder / "osiris_connections.yaml").write_text(
        "connections:\n  duckdb: {source: {path: source.duckdb}, target: {path: target.duckdb}}\n"
        "  filesystem: {here: {root: .}}\n"
    )


def source(shop, *statements):
    with duckdb.connect(str(shop.folder / "source.duckdb")) as connection:
        for statement in statements:
            connection.execute(statement)


def incremental(shop):
    """An incremental load, and one more in which a row of before comes again."""
    source(shop, "CREATE TABLE orders (id INTEGER, ts INTEGER)", "INSERT INTO orders VALUES (1, 1), (2, 2)")
    extract = step(
        "read",
        "duckdb.extractor",
        connection="@duckdb.source",
        table="orders",
        incremental={"cursor": "ts", "primary_key": ["id"]},
    )
    load = step("load", "duckdb.writer", ["read"], "@duckdb.target", table="copy", mode="append")
    shop.run(extract, load)
    source(shop, "INSERT INTO orders VALUES (3, 2), (4, 3)")
    yield shop.run(extract, load)


def schema_change(shop):
    """A second load that has a column more."""
    for query in ("SELECT id FROM df", "SELECT id, id + 1 AS more FROM df"):
        load = step(
            "load", "duckdb.writer", ["q"], "@duckdb.target", table="t", mode="append", on_schema_change="add_columns"
        )
        yield shop.run(numbers(), sql("q", query, ["numbers"]), load)


def files(shop):
    """Every reader and writer of files, and values in the record."""
    (shop.folder / "in.csv").write_text("a,b\n1,x\n2,y\n")
    (shop.folder / "in.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    duckdb.sql("SELECT 1 AS a").write_parquet(str(shop.folder / "in.parquet"))
    for kind in ("csv", "jsonl", "parquet"):
        yield shop.run(
            step("read", f"filesystem.{kind}_extractor", path=f"in.{kind}") | {"mode": "extract"},
            step("write", f"filesystem.{kind}_writer", ["read"], path=f"out.{kind}"),
            settings={"logging.data_values": True},
        )


def excel(shop):
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["a"])
    book.active.append([1])
    book.save(shop.folder / "in.xlsx")
    yield shop.run(step("read", "filesystem.excel_extractor", path="in.xlsx") | {"mode": "extract"}, store())


def failures(shop):
    """A failure that takes others with it, one that keeps steps from starting, and one before anything starts."""
    yield shop.run(numbers(fault="driver", fault_after=1), through(), store())
    yield shop.run(
        numbers(),
        store("one", ["numbers"], fault="driver"),
        store("two", ["numbers"], path="other"),
        settings={"run.jobs": 1},
    )
    yield shop.run(numbers(output="none"), store(), step("sink", "sample.sink", ["numbers"]))


def retry(shop):
    yield shop.run(numbers("shaky", fault="retriable", fault_after=1), store())


def interruption(shop):
    """Somebody asks for an end while a step runs."""
    interrupts = Interrupts()

    def ask(line):
        if line["event"] == "step_schema":
            interrupts.request("SIGINT")

    yield shop.run(numbers(wait_for="never"), store(), interrupts=interrupts, listeners=(ask,))


def progress(shop):
    """A step that takes its time, by a clock of its own."""
    from osiris_core.run import attempt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(attempt, "PROGRESS_SECONDS", 0.0)
        yield shop.run(numbers(), store())


def spool(shop):
    yield shop.run(numbers(), store("one", ["numbers"], path="one"), store("two", ["numbers"], path="two"))


def drivers_own(shop):
    """What a driver may say itself: the names that are open, and its own."""
    yield shop.run(numbers(), through(emit="type_lost"), store())
    yield shop.run(numbers(), through(emit="sample.anything"), store())


def isolated(shop):
    shop.write(numbers(), store("apart", path="apart"))
    done = shop.osiris("run", "p.yaml", "--isolate", "--json")
    assert done.returncode == 0, done.stderr
    yield Recorded(shop.records()[-1])


def other_pins(shop):
    """A manifest that was compiled with other versions."""
    manifest, around = shop.compile(numbers(), store())
    pins = tuple(attrs.evolve(pin, distribution_version="0.9") for pin in manifest.pins)
    loaded = open_workspace(start=shop.folder).loaded
    yield Ran(run_manifest(attrs.evolve(manifest, pins=pins), loaded_settings=loaded, **around))


def observers(shop):
    """A plugin that observes, and fails."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SAMPLE_OBSERVER", "fails")
        yield shop.run(numbers(), store())


SCENARIOS = (
    *(incremental, schema_change, files, excel, failures, retry, interruption, progress, spool, drivers_own),
    *(isolated, other_pins, observers),
)


def test_every_line_fits_and_every_word_is_used(shop):
    connections(shop)
    for scenario in SCENARIOS:
        for ran in scenario(shop):
            assert lines(ran.folder, "events.jsonl"), scenario
    folders = shop.records()
    found = {line["event"] for folder in folders for line in lines(folder, "events.jsonl")}
    measured = {line["metric"] for folder in folders for line in lines(folder, "metrics.jsonl")}
    for folder in folders:
        require_sound(folder)
    assert set(events.BY_NAME) - found == set()
    assert set(metrics.BY_NAME) - measured == set()


def test_the_schemas_are_sound_and_what_is_published():
    for schema, name in ((event_schema(), "events.schema.json"), (metric_schema(), "metrics.schema.json")):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert json.loads((DOCS / name).read_text()) == schema


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"step": None},
        {"seq": 0},
        {"ts": "yesterday"},
        {"session": "../x"},
        {"event": "step_vanished"},
        {"columns": [{"name": "a", "type": "Int64"}]},
        {"columns": [{"name": "a", "type": "Int64", "nullable": True, "more": 1}]},
    ],
)
def test_a_line_that_does_not_fit_is_refused(change):
    line = {
        "ts": "2026-11-29T10:00:00.000Z",
        "session": "run_20261129T100000000000Z_0123abcd",
        "seq": 1,
        "event": "step_schema",
        "step": "a",
        "columns": [{"name": "a", "type": "Int64", "nullable": True}],
    }
    assert EVENTS.is_valid(line)
    assert not EVENTS.is_valid({**line, **change})
    del line["columns"]
    assert not EVENTS.is_valid(line)


def test_a_type_without_a_schema_is_an_error():
    from osiris_core.run import schemas

    with pytest.raises(TypeError, match="no JSON Schema"):
        schemas._schema(set)
