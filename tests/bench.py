"""A bench on which one component runs with the genuine runtime: context, record, streams, write contract."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache

import duckdb
import jsonschema
from arro3.core import Table

from osiris_core.model.structure import structure
from osiris_core.plugins.registry import load_registry
from osiris_core.redaction import Redactor
from osiris_core.run.cancel import CancelToken
from osiris_core.run.context import Budget, StepContext
from osiris_core.run.cstream import Pull
from osiris_core.run.dataset import RowStream
from osiris_core.run.failpoints import Failpoints
from osiris_core.run.partition import Merged
from osiris_core.run.producer import Producer
from osiris_core.run.schemas import event_schema
from osiris_core.run.session import Session
from osiris_core.run.writing import write_staged


@cache
def sound():
    return jsonschema.Draft202012Validator(event_schema())


@cache
def registry(family):
    return load_registry(only=frozenset({family, "duckdb"}))


class Record(Session):
    """A record whose files are closed with the last one that holds it: nobody ends it, and a batch of tests makes many."""

    def __del__(self):
        with suppress(Exception):
            self.close({})


class Bench:
    """A project folder and the components of one family: rows in, rows and events out."""

    def __init__(self, path, family, connection=None):
        self.path = path
        self.family = family
        self.connection = connection
        self.runs = 0
        self.failpoints = ""
        self.token = CancelToken()
        self.threads = 2
        self.memory = 512 << 20
        self.session = None

    def configured(self, component, config):
        value, findings = structure(registry(self.family).component(f"{self.family}.{component}").config, config)
        assert value is not None, [finding.message for finding in findings]
        return value

    def findings(self, component, config):
        """The messages of what is wrong with a config."""
        value, found = structure(registry(self.family).component(f"{self.family}.{component}").config, config)
        assert value is None
        return [finding.message for finding in found]

    def connect(self, **config):
        """Use a connection of the family made of ``config``."""
        value, found = structure(registry(self.family).connection(self.family).config, config)
        assert value is not None, [finding.message for finding in found]
        self.connection = value
        return value

    def context(self, component, load_id=None):
        self.runs += 1
        self.session = Record.create("run", self.path / "logs", details={}, redactor=Redactor())
        return StepContext(
            step_id="step",
            component=f"{self.family}.{component}",
            load_id=load_id or f"{self.runs:032x}",
            manifest_hash="0" * 64,
            connection=self.connection,
            project_root=self.path,
            scratch=self.path / "scratch",
            budget=Budget(memory=self.memory, threads=self.threads),
            record=self.session,
            token=self.token,
            failpoints=Failpoints.from_environment(
                {"OSIRIS_FAILPOINT": self.failpoints, "OSIRIS_TEST_FAILPOINTS": "1"}
            ),
        )

    def driver(self, component):
        found = registry(self.family)
        return found.load(found.driver(f"{self.family}.{component}").ref)()

    def read(self, component, *, window=None, parts=1, **config):
        """The rows of an extractor as an arro3 table; ``parts`` above one reads by its split plan."""
        value = self.configured(component, config)
        ctx = self.context(component)
        ctx.window = window
        if parts > 1:
            splits = self.driver(component).splits(config=value, count=parts, ctx=ctx)
            if len(splits) > 1:
                return self._read_parts(component, value, splits, ctx)
        outputs = self.driver(component).run(step_id="step", config=value, inputs={}, ctx=ctx)
        return _table(Pull(outputs["df"]))

    def _read_parts(self, component, value, splits, ctx):
        def start(split):
            outputs = self.driver(component).run_split(step_id="step", config=value, split=split, ctx=ctx)
            return Pull(outputs["df"])

        producers = [
            Producer(
                f"part{split.part}",
                start=lambda split=split: start(split),
                inputs=(),
                token=self.token,
                on_schema=lambda _: None,
            )
            for split in splits
        ]
        for producer in producers:
            producer.start()
        merged = Merged(producers)
        merged.open("step")
        return _table(merged)

    def rows(self, component, **config):
        """The rows of an extractor as Python tuples."""
        return tuples(self.read(component, **config))

    def write(self, component, sql, *, setup=(), **config):
        """The rows of DuckDB's ``sql`` written by a writer through the write contract; see :meth:`write_stream`."""
        connection = duckdb.connect(config={"python_enable_replacements": False, "threads": 1})
        connection.execute("SET TimeZone='UTC'")
        for statement in setup:
            connection.execute(statement)
        return self.write_stream(component, connection.sql(sql), **config)

    def write_stream(self, component, stream, *, load_id=None, state=None, confirm=lambda: None, **config):
        """The rows of an Arrow stream written by a writer through the write contract, with ``state`` beside them;
        ``confirm`` is called before they are published.
        """
        value = self.configured(component, config)
        ctx = self.context(component, load_id)
        ctx.state_source = lambda: state
        producer = Producer("rows", start=lambda: Pull(stream), inputs=(), token=self.token, on_schema=lambda _: None)
        producer.start()
        rows = RowStream(producer.feed, name="rows")
        try:
            return write_staged(
                self.driver(component), config=value, rows=rows, ctx=ctx, session=self.session, confirm=confirm
            )
        finally:
            rows.close()

    def events(self, kind=None):
        """The events of the last step."""
        lines = (self.session.path / "events.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines]
        assert all(map(sound().is_valid, events)), "an event does not fit the published schema"
        return [event for event in events if kind in (None, event["event"])]


def _table(source):
    try:
        return Table.from_batches(list(source), schema=source.schema)
    finally:
        source.close()


def tuples(table):
    """The rows of an arro3 table."""
    columns = [table.column(at).to_pylist() for at in range(table.num_columns)]
    return list(zip(*columns, strict=True))


def types(table):
    """The Arrow types of a table by column."""
    return {field.name: str(field.type) for field in table.schema}
