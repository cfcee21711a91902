"""Projects to compile, with the plugins that are really installed."""

from __future__ import annotations

import textwrap

import attrs
import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris
from osiris_core.compile.compiler import compile_document
from osiris_core.model import yaml
from osiris_core.plugins.registry import load_registry
from osiris_core.project.connections import load_connections
from osiris_core.project.paths import Project

from ..oml.conftest import Bench, registry  # noqa: F401, TID252 - the sample plugin's registry is a fixture here too

PIPELINE = """\
oml_version: "0.1.0"
name: orders
description: Big orders.
metadata: {owner: data}
params:
  least: {type: number, default: 0.5, min: 0, description: The smallest amount.}
  table: {type: string, default: big}
  unused: {type: integer, default: 1}
profiles:
  prod: {params: {least: 10}, connections: {duckdb: prod, "@duckdb.main": "@duckdb.prod"}}
  dev: {}
steps:
  - id: read
    component: duckdb.extractor
    mode: read
    config:
      connection: "@duckdb.main"
      query: |
        SELECT id, amount FROM orders WHERE amount >= :least
      query_params: {least: "${params.least}"}
  - id: rank
    component: duckdb.processor
    mode: transform
    config: {query: "SELECT *, rank() OVER (ORDER BY amount DESC) AS place FROM read"}
  - id: store
    component: duckdb.writer
    mode: write
    config: {table: "${params.table}_orders", mode: append, connection_overrides: {lock_timeout: 5}}
"""

CONNECTIONS = """\
connections:
  duckdb:
    main: {path: "${DB}", default: true}
    prod: {path: prod.duckdb}
"""


class Shop:
    """A project in a folder."""

    def __init__(self, folder, core_registry):
        self.folder = folder
        self.registry = core_registry
        (folder / "pipelines").mkdir()
        (folder / "osiris.yaml").write_text("")
        self.connect(CONNECTIONS)
        self.write(PIPELINE)

    @property
    def file(self):
        return self.folder / "pipelines" / "orders.yaml"

    def write(self, text):
        self.file.write_text(textwrap.dedent(text))

    def connect(self, text):
        (self.folder / "osiris_connections.yaml").write_text(textwrap.dedent(text))

    def edit(self, old, new):
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))
        return self

    def compile(self, **options):
        return compile_document(
            yaml.load_file(self.file),
            registry=self.registry,
            connections=load_connections(Project(self.folder), self.registry),
            **options,
        ).manifest

    def osiris(self, *arguments, code=0):
        done = CliRunner().invoke(osiris, [str(argument) for argument in arguments])
        assert done.exit_code == code, (done.exit_code, done.output)
        return done


@pytest.fixture(scope="session")
def core_registry():
    return load_registry()


@pytest.fixture
def shop(tmp_path, core_registry, monkeypatch):
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Shop(folder, core_registry)


@pytest.fixture(scope="session")
def rehashed():
    """A manifest changed and hashed anew, as only a forger would."""
    from osiris_core.compile.form import hash_of, to_data

    def make(manifest, **changes):
        changed = attrs.evolve(manifest, **changes)
        return attrs.evolve(changed, hash=hash_of(to_data(changed)))

    return make


@pytest.fixture
def sample(registry, tmp_path):  # noqa: F811
    """A bench with the sample plugin."""
    return Bench(registry, tmp_path)
