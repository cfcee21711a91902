"""A component of one plugin over connections of another, whose secret a third one's store holds."""

from __future__ import annotations

import json

import pytest

from osiris_core.compile.build import latest, read_manifest

READER = """
from osiris_core.api import ComponentSpec, DriverSpec, Role, config, field, hookimpl
OSIRIS_API = "1.0"

@config
class Reader:
    \"\"\"Reads.\"\"\"

class Driver:
    def run(self, *, step_id, config, inputs, ctx):
        import pyarrow as pa
        schema = pa.schema([("length", pa.int64())])
        batch = pa.record_batch([pa.array([len(ctx.connection.password.reveal())])], schema=schema)
        return {"df": pa.RecordBatchReader.from_batches(schema, [batch])}

@hookimpl
def osiris_components():
    return [ComponentSpec(name="reader.rows", version="1.0.0", role=Role.EXTRACTOR, config=Reader, summary="Reads.",
                          connection="lender_wide")]

@hookimpl
def osiris_drivers():
    return [DriverSpec(component="reader.rows", ref="osiris_reader:Driver")]
"""
LENDER = """
from osiris_core.api import ConnectionSpec, Secret, config, field, hookimpl
OSIRIS_API = "1.0"

@config
class Server:
    \"\"\"A server.\"\"\"
    host: str = field(doc="Host.", identity=True)
    password: Secret = field(doc="Password.")

@hookimpl
def osiris_connections():
    return [ConnectionSpec(family="lender_wide", config=Server, summary="A server.")]
"""
VAULT = """
from osiris_core.api import SecretStoreSpec, hookimpl
OSIRIS_API = "1.0"

class Vault:
    def __init__(self, environment):
        pass
    def get(self, name):
        return {"db": "seventeen-letters"}.get(name)

@hookimpl
def osiris_secret_stores():
    return [SecretStoreSpec(scheme="vault", ref="osiris_keeper:Vault", summary="A vault.")]
"""
PIPELINE = """
oml_version: "0.1.0"
name: borrowed
steps:
  - {id: rows, component: reader.rows, mode: extract, config: {connection: "@lender_wide.main"}}
  - {id: out, component: duckdb.writer, mode: write, config: {connection: "@duckdb.db", table: t, mode: replace}}
"""
CONNECTIONS = """
connections:
  lender_wide: {main: {host: db, password: "${vault:db}"}}
  duckdb: {db: {path: out.duckdb}}
"""


@pytest.fixture
def borrowed(site, tmp_path):
    site.install("osiris-reader", {"reader": "osiris_reader"}, sources={"osiris_reader.py": READER})
    site.install("osiris-lender", {"lender": "osiris_lender"}, sources={"osiris_lender.py": LENDER})
    site.install("osiris-keeper", {"keeper": "osiris_keeper"}, sources={"osiris_keeper.py": VAULT})
    project = tmp_path / "project"
    project.mkdir()
    (project / "osiris.yaml").write_text("")
    (project / "p.yaml").write_text(PIPELINE)
    (project / "osiris_connections.yaml").write_text(CONNECTIONS)

    def osiris(*arguments, code=0):
        done = site.osiris(*arguments, cwd=project)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    osiris("compile", "p.yaml")
    return project, osiris, site


def test_the_plugin_of_the_family_is_pinned_and_loaded_for_a_manifest(borrowed):
    project, osiris, _ = borrowed
    manifest = read_manifest(latest(project / "build", "borrowed"))
    pins = {(pin.kind, pin.name): (pin.plugin, pin.distribution, pin.version) for pin in manifest.pins}
    assert pins["connection", "lender_wide"] == ("lender", "osiris-lender", None)
    assert pins["component", "reader.rows"] == ("reader", "osiris-reader", "1.0.0")
    assert json.loads(osiris("run", "--last-compile", "--json").stdout)["rows"] == 1


def test_another_config_of_the_family_is_refused(borrowed):
    _, osiris, site = borrowed
    changed = LENDER.replace("    password:", '    port: int = field(default=1, doc="Port.")\n    password:')
    (site.folder / "osiris_lender.py").write_text(changed)
    error = json.loads(osiris("run", "--last-compile", "--json", code=2).stdout)
    assert error["diagnostics"][0]["code"] == "OSR-CMP-012"
    assert error["diagnostics"][0]["message"] == (
        "connection family 'lender_wide' of osiris-lender 1.0 takes another config than the one the manifest was "
        "compiled for"
    )
    stale = osiris("compile", "p.yaml", "--check", code=3)
    assert "plugins changed" in stale.stderr
