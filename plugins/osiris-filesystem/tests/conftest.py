"""A project folder in which components run with the genuine runtime: context, record, streams, write contract."""

from __future__ import annotations

import importlib
import json
import sys
from functools import cache

import duckdb
import pytest
from arro3.core import Table

from osiris_core.model.structure import structure
from osiris_core.plugins.registry import load_registry
from osiris_core.project.paths import Project
from osiris_core.redaction import Redactor
from osiris_core.run.cancel import CancelToken
from osiris_core.run.context import Budget, StepContext
from osiris_core.run.cstream import Pull
from osiris_core.run.dataset import RowStream
from osiris_core.run.failpoints import Failpoints
from osiris_core.run.producer import Producer
from osiris_core.run.session import Session
from osiris_core.run.writing import write_staged

zstd = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


@cache
def registry():
    return load_registry(only=frozenset({"filesystem"}))


def configured(component, config):
    spec = registry().component(component)
    value, findings = structure(spec.config, config)
    assert value is not None, [finding.message for finding in findings]
    return value


def findings(component, config):
    """The messages of what is wrong with a config."""
    value, found = structure(registry().component(component).config, config)
    assert value is None
    return [finding.message for finding in found]


class Folder:
    """A project folder: files in, components run, files and events out."""

    def __init__(self, path):
        self.path = path
        self.runs = 0
        self.sessions = []
        self.connection = None
        self.failpoints = ""
        self.token = CancelToken()
        self.threads = 2
        self.memory = 512 << 20
        self.data_values = False

    def file(self, name, content):
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target

    def bytes(self, name):
        return (self.path / name).read_bytes()

    def names(self, folder="."):
        return sorted(entry.name for entry in (self.path / folder).iterdir() if entry.name not in ("logs", "scratch"))

    def connect(self, **config):
        value, found = structure(registry().connection("filesystem").config, config)
        assert value is not None, found
        self.connection = value

    def context(self, component, load_id=None):
        self.runs += 1
        session = Session.create("run", self.path / "logs", details={}, redactor=Redactor())
        self.session = session
        self.sessions.append(session)
        return StepContext(
            step_id="step",
            component=component,
            load_id=load_id or f"{self.runs:032x}",
            manifest_hash="0" * 64,
            connection=self.connection,
            project_root=self.path,
            reserved=Project(self.path).reserved,
            scratch=self.path / "scratch",
            budget=Budget(memory=self.memory, threads=self.threads),
            record=session,
            data_values=self.data_values,
            token=self.token,
            failpoints=Failpoints.from_environment(
                {"OSIRIS_FAILPOINT": self.failpoints, "OSIRIS_TEST_FAILPOINTS": "1"}
            ),
        )

    def driver(self, component):
        return registry().load(registry().driver(component).ref)()

    def read(self, component, *, check=None, **config):
        """The rows of an extractor as an arro3 table."""
        value = configured(f"filesystem.{component}", config)
        ctx = self.context(f"filesystem.{component}")
        outputs = self.driver(f"filesystem.{component}").run(step_id="step", config=value, inputs={}, ctx=ctx)
        source = Pull(outputs["df"])
        try:
            return Table.from_batches(list(source), schema=source.schema)
        finally:
            source.close()

    def rows(self, component, **config):
        """The rows of an extractor as Python tuples."""
        return tuples(self.read(component, **config))

    def write(self, component, sql, *, load_id=None, setup=(), **config):
        """The rows of ``sql`` written by a writer through the write contract."""
        connection = duckdb.connect(config={"python_enable_replacements": False, "threads": 1})
        connection.execute("SET TimeZone='UTC'")
        for statement in setup:
            connection.execute(statement)
        return self.write_stream(component, connection.sql(sql), load_id=load_id, **config)

    def write_stream(self, component, *streams, load_id=None, **config):
        name = f"filesystem.{component}"
        value = configured(name, config)
        ctx = self.context(name, load_id)
        inputs = []
        for number, stream in enumerate(streams):
            producer = Producer(
                f"rows{number}",
                start=lambda stream=stream: Pull(stream),
                inputs=(),
                token=self.token,
                on_schema=lambda _: None,
            )
            producer.start()
            inputs.append(RowStream(producer.feed, name=f"rows{number}"))
        driver = self.driver(name)
        try:
            if len(inputs) == 1:
                return write_staged(driver, config=value, rows=inputs[0], ctx=ctx, session=self.session)
            stage = driver.begin(step_id="step", config=value, schema=inputs[0].schema, ctx=ctx)
            receipts = [driver.write(stage, part, rows) for part, rows in enumerate(inputs)]
            return driver.publish(stage, receipts)
        finally:
            for one in inputs:
                one.close()

    def events(self, kind=None):
        """The events of the last step."""
        lines = (self.session.path / "events.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if kind in (None, event["event"])]


def tuples(table):
    columns = [table.column(at).to_pylist() for at in range(table.num_columns)]
    return list(zip(*columns, strict=True))


def types(table):
    return {field.name: str(field.type) for field in table.schema}


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path)
    yield made
    for session in made.sessions:  # three open files each
        session.close({})
