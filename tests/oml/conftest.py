"""A registry with the core's own plugins and a sample plugin, and documents checked against it."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from osiris_core.model import yaml
from osiris_core.oml.validate import validate
from osiris_core.plugins.index import index
from osiris_core.plugins.registry import load_registry
from osiris_core.project.connections import load_connections
from osiris_core.project.paths import Project

HEAD = 'oml_version: "0.1.0"\nname: sample\n'
READ = "  - {id: read, component: sample.plain, mode: extract, config: {table: t}}\n"


@pytest.fixture(scope="session")
def registry(new_site):
    site = new_site()
    source = (Path(__file__).parent / "sample_plugin.py").read_text()
    site.install("osiris-sample", {"sample": "osiris_sample_of_oml"}, sources={"osiris_sample_of_oml.py": source})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site.folder))
        entries = [entry for entry in index() if entry.id in ("duckdb", "sample")]
        loaded = load_registry(entries=entries, strict=True)
        yield loaded


class Bench:
    """Validates texts in a project of its own."""

    def __init__(self, registry, folder):
        self.registry = registry
        self.folder = folder
        self.connections = None

    def connect(self, text):
        (self.folder / "osiris_connections.yaml").write_text(textwrap.dedent(text))
        self.connections = load_connections(Project(self.folder), self.registry)
        return self

    def document(self, text):
        text = textwrap.dedent(text)
        return yaml.load(text if "oml_version" in text else HEAD + text, file="p.yaml")

    def check(self, text, **options):
        return validate(self.document(text), registry=self.registry, connections=self.connections, **options)

    def step(self, config, *, component="sample.plain", mode="extract", before="", top="", **options):
        """The validation of one step with ``config`` (YAML flow text)."""
        text = f"{top}steps:\n{before}  - {{id: it, component: {component}, mode: {mode}, config: {config}}}\n"
        return self.check(text, **options)


@pytest.fixture
def bench(registry, tmp_path):
    return Bench(registry, tmp_path)


@pytest.fixture(scope="session")
def plain_bench(registry, tmp_path_factory):
    """A bench without connections, for property tests."""
    return Bench(registry, tmp_path_factory.mktemp("bench"))


def found(validation):
    """Findings in short: ``CODE line:column message``."""
    return [
        f"{item.code} {item.position.line}:{item.position.column} {item.message}"
        if item.position
        else f"{item.code} {item.message}"
        for item in validation.diagnostics
    ]


@pytest.fixture(scope="session", name="found")
def found_fixture():
    return found
