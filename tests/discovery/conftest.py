from __future__ import annotations

import json

import duckdb
import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris


class Shop:
    """A project with a DuckDB file behind @duckdb.shop, and the command."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / "shop.duckdb"
        (folder / "osiris.yaml").write_text("")
        self.connections("duckdb: {shop: {path: shop.duckdb}}")

    def connections(self, *families):
        lines = "".join(f"  {family}\n" for family in families)
        (self.folder / "osiris_connections.yaml").write_text(f"version: 1\nconnections:\n{lines}")

    def sql(self, *statements):
        with duckdb.connect(str(self.file)) as connection:
            for statement in statements:
                connection.execute(statement)

    def run(self, *arguments, code=0):
        done = CliRunner().invoke(osiris, ["discover", *arguments])
        assert done.exit_code == code, done.output
        return done

    def found(self, *arguments, code=0):
        ref = () if arguments and arguments[0].startswith("@") else ("@duckdb.shop",)
        return json.loads(self.run(*ref, *arguments, "--json", code=code).stdout)

    def table(self, name, *arguments):
        (table,) = self.found("--table", name, *arguments)["tables"]
        return table

    def profile(self, name, *arguments):
        """The profiles of a table's columns by name."""
        return {column["name"]: column for column in self.table(name, "--profile", *arguments)["profile"]["columns"]}

    @property
    def cache(self):
        return self.folder / ".osiris/discovery"

    def kept(self):
        """The text of everything that is kept."""
        return "".join(path.read_text() for path in sorted(self.cache.glob("*.json")))


@pytest.fixture
def shop(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Shop(folder)
