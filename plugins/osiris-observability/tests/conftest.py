"""A project with a pipeline from CSV through DuckDB to Parquet, run through the command as its users do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.commands import osiris
from tests.servers.collectors import Collector

OTHERS = ("OTEL_", "OPENLINEAGE_", "TRACEPARENT", "TRACESTATE", "OSIRIS_")
"""Beginnings of variables that a test sets itself or does without."""

STEPS = [
    {"id": "orders", "component": "filesystem.csv_extractor", "mode": "read", "config": {"path": "data/orders.csv"}},
    {
        "id": "dear",
        "component": "duckdb.processor",
        "mode": "transform",
        "needs": ["orders"],
        "config": {"query": "SELECT id, upper(name) AS name, price * 2 AS double FROM df WHERE price > 1"},
    },
    {
        "id": "load",
        "component": "filesystem.parquet_writer",
        "mode": "write",
        "needs": ["dear"],
        "config": {"path": "out/dear.parquet"},
    },
]


class Done(NamedTuple):
    """A command that has ended, and the record that it left."""

    status: int
    out: str
    err: str
    record: Path

    def events(self, *names):
        lines = [json.loads(line) for line in (self.record / "events.jsonl").read_text().splitlines()]
        return [line for line in lines if not names or line["event"] in names]

    @property
    def outcome(self):
        return json.loads((self.record / "status.json").read_text())

    @property
    def session(self):
        return self.record.name

    @property
    def written(self):
        """All that the record holds, as one text."""
        return "".join(path.read_text(errors="replace") for path in self.record.rglob("*") if path.is_file())


class Project:
    """A project's folder."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("data", "out", "home"):
            (folder / name).mkdir(parents=True)
        (folder / "osiris.yaml").write_text("run: {jobs: 2}\n")
        (folder / "data" / "orders.csv").write_text("id,name,price\n1,a,2.5\n2,b,\n3,c,7\n")
        self.write(STEPS, description="What sells.", metadata={"owner": "team:sales"})

    def write(self, steps, name="shop", **more):
        """Write a pipeline."""
        text = json.dumps({"oml_version": "0.1.0", "name": name, "steps": steps, **more})
        (self.folder / f"{name}.yaml").write_text(text)

    def write_failing(self):
        """Write a pipeline whose first step finds nothing to read."""
        orders, _, load = STEPS
        self.write([{**orders, "config": {"path": "data/no.csv"}}, {**load, "needs": ["orders"]}])

    def environment(self, **variables):
        """The environment of a command: this process's, but for what the plugin would heed."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
        # A busy machine may take longer than a user would want to wait.
        return {**kept, "HOME": str(self.folder / "home"), "OSIRIS_OBSERVABILITY_TIMEOUT": "100", **variables}

    def python(self, code, *arguments, **variables):
        """Run ``code`` with the interpreter of the tests."""
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=self.environment(**variables),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def run(self, *arguments, source="shop.yaml", **variables):
        """``osiris run``."""
        done = osiris("run", source, *arguments, cwd=self.folder, env=self.environment(**variables))
        records = sorted((self.folder / "logs").glob("run_*"))
        assert records, done.stderr
        return Done(done.returncode, done.stdout, done.stderr, records[-1])


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "project")


@pytest.fixture
def collector():
    with Collector() as running:
        yield running
        assert running.refused == []
