"""Pipelines as values, and DuckDB as the witness of what lineage says of them."""

from __future__ import annotations

import duckdb

from osiris_core.compile.manifest import ConnectionUse, Manifest, ManifestStep


def step(step_id, component, mode, needs=(), connection=None, /, **config):
    use = ConnectionUse(family="db", alias=connection, identity={}, overrides={}) if connection else None
    return ManifestStep(id=step_id, component=component, mode=mode, needs=tuple(needs), config=config, connection=use)


def manifest(*steps):
    return Manifest(
        name="p",
        oml_version="0.1.0",
        description="",
        metadata={},
        profile=None,
        params={},
        steps=steps,
        pins=(),
        compiler="c",
        fingerprints={},
        hash="h",
    )


def over(tables, query, *, end=True):
    """A pipeline that extracts ``tables`` (name: columns) and puts ``query`` over them."""
    steps = [step(name, "duckdb.extractor", "extract", (), "d", table=name) for name in tables]
    steps.append(step("q", "duckdb.processor", "transform", tables, query=query))
    if end:
        steps.append(step("w", "duckdb.writer", "write", ["q"], "d", table="out", mode="replace"))
    return manifest(*steps)


def kinds(influence):
    """``{"table.column": {"IDENTITY", …}}``."""
    found = {}
    for source, kind in influence.edges:
        found.setdefault(f"{source.dataset}.{source.column}", set()).add(kind.value.partition(":")[2])
    return found


class Witness:
    """Tables in DuckDB, and copies of them in each of which one column of one table has been changed."""

    def __init__(self, setup):
        self.connection = duckdb.connect()
        self.connection.execute("SET threads = 1")
        self.connection.execute(setup)
        names = [row[0] for row in self.connection.execute("SHOW TABLES").fetchall()]
        self.kinds = {name: self.connection.execute(f"DESCRIBE {name}").fetchall() for name in names}
        self.tables = {name: [row[0] for row in rows] for name, rows in self.kinds.items()}
        self._copies = {}

    def columns(self, query):
        return [column[0] for column in self.connection.execute(query).description]

    def answer(self, query):
        """Each column's values, in no order."""
        done = self.connection.execute(query)
        rows = done.fetchall()
        return {column[0]: sorted(repr(row[index]) for row in rows) for index, column in enumerate(done.description)}

    def changed(self, table, column, query):
        """The answers to ``query`` with the column of the table changed in three ways."""
        for name in self._changed(table, column):
            self.connection.execute(f"USE {name}")
            try:
                answer = self.answer(query)
            except duckdb.Error:
                continue  # a scalar sub-query that now has two rows: nothing to compare
            finally:
                self.connection.execute("USE memory")
            yield answer

    def _changed(self, table, column):
        if (table, column) not in self._copies:
            self._copies[table, column] = list(self._copy(table, column))
        return self._copies[table, column]

    def _copy(self, table, column):
        kind = next(row[1] for row in self.kinds[table] if row[0] == column)
        one = f'"{column}"'
        ways = [
            f"(SELECT list(o.{one} ORDER BY o.rowid DESC) FROM memory.{table} o)[row_number() OVER (ORDER BY t.rowid)]",
            "NULL",
            f"(SELECT any_value(o.{one}) FROM memory.{table} o WHERE o.{one} IS NOT NULL)",
        ]
        for number, way in enumerate(ways):
            name = f"copy_{len(self._copies)}_{number}"
            self.connection.execute(f"ATTACH ':memory:' AS {name}")
            for other in self.tables:
                star = f"* REPLACE (CAST({way} AS {kind}) AS {one})" if other == table else "*"
                self.connection.execute(f"CREATE TABLE {name}.{other} AS SELECT {star} FROM memory.{other} t")
            yield name
