"""A project in a temporary folder with the sample plugin installed, and ways to run pipelines in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from osiris_core.cli.workspace import open_workspace
from osiris_core.compile.compiler import compile_document
from osiris_core.model import yaml
from osiris_core.project.connections import load_connections
from osiris_core.run.api import RunOptions, run_manifest

PLUGIN = Path(__file__).with_name("sample_plugin.py")


def step(step_id, component, needs=None, connection=None, **config):
    """One step of a pipeline; the mode follows from the component."""
    name = component.partition(".")[2]
    modes = {"numbers": "read", "leak": "read", "pass": "transform", "processor": "transform", "extractor": "read"}
    made = {"id": step_id, "component": component, "mode": modes.get(name, "write")}
    made["config"] = {**config, **({"connection": connection} if connection else {})}
    return made | ({"needs": needs} if needs is not None else {})


def numbers(step_id="numbers", **config):
    return step(step_id, "sample.numbers", **config)


def through(step_id="pass", needs=None, **config):
    return step(step_id, "sample.pass", needs, **config)


def store(step_id="store", needs=None, **config):
    return step(step_id, "sample.store", needs, **config)


def sql(step_id, query, needs=None):
    return step(step_id, "duckdb.processor", needs, query=query)


class Workshop:
    """A project; in-process runs need the site on the path (fixture ``shop``), subprocesses do not."""

    def __init__(self, folder, site):
        self.folder = folder
        self.site = site
        (folder / "osiris.yaml").write_text("run:\n  jobs: 2\n")

    def write(self, *steps, name="p"):
        """Write a pipeline file."""
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps({"oml_version": "0.1.0", "name": name, "steps": list(steps)}))
        return path

    def compile(self, *steps, name="p"):
        """A manifest, and what is needed to run it."""
        workspace = open_workspace(start=self.folder)
        registry = workspace.registry()
        connections = load_connections(workspace.project, registry)
        document = yaml.load(self.write(*steps, name=name).read_text(), file=f"{name}.yaml")
        manifest = compile_document(
            document, registry=registry, connections=connections, environment=workspace.environment
        ).manifest
        return manifest, {
            "project": workspace.project,
            "registry": registry,
            "environment": workspace.environment,
            "connections": connections,
        }

    def run(self, *steps, settings=None, name="p", **options):
        """Run a pipeline in this process."""
        manifest, surroundings = self.compile(*steps, name=name)
        loaded = open_workspace(start=self.folder, overrides=settings or {}).loaded
        outcome = run_manifest(manifest, loaded_settings=loaded, options=RunOptions(**options), **surroundings)
        return Ran(outcome)

    def osiris(self, *arguments, env=None):
        """Run the command to its end."""
        return self.site.osiris(*arguments, env=env, cwd=self.folder)

    def start(self, *arguments, env=None, terminal=None, merged=False, **more):
        """Start the command and leave it running; ``terminal`` is a descriptor for its stderr, ``merged`` both."""
        return subprocess.Popen(
            [sys.executable, "-c", "from osiris_core.cli import main; main()", *arguments],
            env={**os.environ, "PYTHONPATH": str(self.site.folder), **(env or {})},
            cwd=self.folder,
            stdout=terminal if merged else subprocess.PIPE,
            stderr=subprocess.PIPE if terminal is None else terminal,
            text=True,
            **more,
        )

    def calls(self, step_id=None):
        """What drivers have been asked to do."""
        path = self.folder / "calls.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [(one["step"], one["call"]) for one in lines if step_id in (None, one["step"])]

    def await_call(self, step_id, call):
        """Wait until a driver has been asked."""
        self.until(lambda: (step_id, call) in self.calls())

    def until(self, condition):
        """Wait for something that is bound to happen."""
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "it never happened"
            time.sleep(0.01)

    def stored(self, path="store"):
        """The ids in the destination, in order, and how many loads made them."""
        file = self.folder / path / "store.json"
        state = json.loads(file.read_text()) if file.exists() else {"rows": [], "loads": {}}
        return [row["id"] for row in state["rows"]], len(state["loads"])

    def staged(self, path="store"):
        """What is staged in the destination."""
        return sorted(one.name for one in (self.folder / path).glob("*.stage"))

    def records(self):
        """The folders of all run records, oldest first."""
        return sorted((self.folder / "logs").glob("run_*"))


class Ran:
    """A run that is over, and its record."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.folder = outcome.record

    @property
    def status(self):
        return json.loads((self.folder / "status.json").read_text())

    @property
    def lines(self):
        return [json.loads(line) for line in (self.folder / "events.jsonl").read_text().splitlines()]

    def events(self, *names):
        return [line for line in self.lines if not names or line["event"] in names]

    @property
    def metrics(self):
        return [json.loads(line) for line in (self.folder / "metrics.jsonl").read_text().splitlines()]

    @property
    def log(self):
        return (self.folder / "osiris.log").read_text()

    def step(self, step_id):
        return next(one for one in self.status["steps"] if one["id"] == step_id)


@pytest.fixture
def shop(tmp_path, on_path):
    """A project with the sample plugin, in this process."""
    return _shop(tmp_path, on_path)


@pytest.fixture
def remote_shop(tmp_path, site):
    """A project with the sample plugin, for subprocesses."""
    return _shop(tmp_path, site)


def _shop(tmp_path, site):
    site.install("osiris-sample", {"sample": "osiris_sample"}, sources={"osiris_sample.py": PLUGIN.read_text()})
    folder = tmp_path / "project"
    folder.mkdir()
    return Workshop(folder, site)
