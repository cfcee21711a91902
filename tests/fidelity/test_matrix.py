"""Every type of every source, into every destination and back: equal, or refused by name.

What comes of each cell is kept in ``matrix.json``, from which the page of types in the documentation is made. A cell
that changes fails the test; ``OSIRIS_WRITE_MATRIX=1`` writes the file anew.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from osiris_core.api import OsirisError, SecretStr
from tests.bench import Bench
from tests.fidelity.samples import DUCKDB, MYSQL, POSTGRES

pytestmark = pytest.mark.slow

MATRIX = Path(__file__).with_name("matrix.json")
DESTINATIONS = ("mysql", "postgres", "duckdb", "parquet", "csv")


@pytest.fixture(scope="module")
def bench(mariadb, postgres_server, tmp_path_factory):
    """A bench for each system, connected."""
    folder = tmp_path_factory.mktemp("fidelity")
    with mariadb.database() as database, postgres_server.new_database("fidelity") as other:
        benches = {name: Bench(folder / name, name) for name in ("mysql", "supabase", "duckdb", "filesystem")}
        for one in benches.values():
            one.path.mkdir()
        benches["mysql"].connect(**{**mariadb.connection(database=database), "password": SecretStr(mariadb.password)})
        benches["supabase"].connect(dsn=SecretStr(postgres_server.dsn(database=other)), tls="disable")
        benches["duckdb"].connect(path=str(folder / "types.duckdb"))
        benches["execute"] = {
            "mysql": lambda sql: mariadb.execute(sql, database=database),
            "postgres": lambda sql: postgres_server.execute(sql, other),
            "duckdb": lambda sql: _execute(folder / "types.duckdb", sql),
        }
        yield benches


def _execute(path, sql):
    with duckdb.connect(path) as connection:
        connection.execute(sql)


def _same(one, other):
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if (
        isinstance(one, dt.datetime)
        and isinstance(other, dt.datetime)
        and (one.tzinfo is None) != (other.tzinfo is None)
    ):
        # A destination without zones holds the moment in UTC; which type it has says so.
        one, other = (
            value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value for value in (one, other)
        )
    return one == other or (isinstance(other, str) and one is not None and _text(one) == other)


def _text(value):
    """How a value reads as text where a destination keeps it so."""
    match value:
        case bool():
            return str(value).lower()
        case bytes():
            return value.hex()
        case Decimal():
            return format(value, "f")
        case pa.MonthDayNano():
            return f"{value.months} mon {value.days} days"
        case dt.date() | dt.time():
            return value.isoformat()
    return str(value)


class Matrix:
    """The columns of a source, written to each destination together; what is refused, column by column."""

    def __init__(self, bench, system, samples):
        self.bench = bench
        self.system = system
        self.samples = samples
        self.names = [f"c{at}" for at in range(len(samples))]
        self.rows = self._make()
        self.types = {field.name: field.type for field in pa.table(self.rows).schema}
        self.wrong = []

    def _make(self):
        """A table with one column a sample, read by the system's extractor."""
        execute = self.bench["execute"][self.system]
        columns = ", ".join(f"{name} {sample.type}" for name, sample in zip(self.names, self.samples, strict=True))
        execute(f"CREATE TABLE samples (id INT NOT NULL, {columns})")
        for at in range(max(len(sample.values) for sample in self.samples)):
            values = [sample.values[at][0] if at < len(sample.values) else "NULL" for sample in self.samples]
            execute(f"INSERT INTO samples VALUES ({at}, {', '.join(values)})")
        return self._family(self.system).read("extractor", table="samples")

    def _family(self, system):
        return self.bench["supabase" if system == "postgres" else system]

    def expected(self, name):
        sample = self.samples[self.names.index(name)]
        return [value for _, value in sample.values]

    def check(self, where, table, names):
        """Compare the columns of a table with what was put in."""
        table = pa.table(table).sort_by("id")
        for name in names:
            expected = self.expected(name)
            values = table.column(name).to_pylist()[: len(expected)]
            if not all(_same(want, value) for want, value in zip(expected, values, strict=True)):
                self.wrong.append((where, self.samples[self.names.index(name)].name, expected, values))

    def into(self, destination):
        """What becomes of each column there."""
        found, together = {}, []
        for name in self.names:
            # What a destination cannot hold by its type is refused before a row is read; labelled samples by a value.
            refused = self._refusal(destination, name)
            if refused:
                found[name] = refused
            else:
                together.append(name)
        back = self._round_trip(destination, f"all_{self.system}", together)
        self.check(destination, back, together)
        types = {field.name: str(field.type) for field in pa.table(back).schema}
        return found | {name: types[name] for name in together}

    def _refusal(self, destination, name):
        try:
            if self.samples[self.names.index(name)].label:
                self._round_trip(destination, f"one_{self.system}_{name}", [name])
            else:
                self._bind(destination, name)
        except OsirisError as error:
            return f"refused: {error.code}"
        return None

    def _target(self, destination, table):
        if destination in ("parquet", "csv"):
            return self.bench["filesystem"], f"{destination}_writer", {"path": f"{table}.{destination}"}
        return self._family(destination), "writer", {"table": table, "mode": "replace"}

    def _bind(self, destination, name):
        family, component, config = self._target(destination, "bound")
        value = family.configured(component, config)
        ctx = family.context(component)
        schema = pa.table(self.rows).select(["id", name]).schema
        family.driver(component).bind(step_id="step", config=value, inputs={"df": schema}, ctx=ctx)

    def _round_trip(self, destination, table, names):
        family, component, config = self._target(destination, table)
        family.write_stream(component, pa.table(self.rows).select(["id", *names]), **config)
        if destination not in ("parquet", "csv"):
            return family.read("extractor", table=table)
        options = {}
        if destination == "csv":
            relation = duckdb.from_arrow(pa.table(self.rows))
            kinds = dict(zip(relation.columns, relation.types, strict=True))
            options["types"] = {name: str(kinds[name]) for name in ("id", *names)}
        return family.read(f"{destination}_extractor", path=config["path"], **options)


@pytest.mark.parametrize("system", ["mysql", "postgres", "duckdb"])
def test_every_type_into_every_destination(bench, system):
    samples = {"mysql": MYSQL, "postgres": POSTGRES, "duckdb": DUCKDB}[system]
    matrix = Matrix(bench, system, samples)
    matrix.check("read", matrix.rows, matrix.names)
    cells = {"arrow": {name: str(matrix.types[name]) for name in matrix.names}}
    cells |= {destination: matrix.into(destination) for destination in DESTINATIONS}
    assert not matrix.wrong, "\n".join(map(str, matrix.wrong))
    _compare(
        system,
        {
            sample.name: {where: found[name] for where, found in cells.items()}
            for name, sample in zip(matrix.names, samples, strict=True)
        },
    )


def _compare(system, found):
    kept = json.loads(MATRIX.read_text()) if MATRIX.exists() else {}
    if os.environ.get("OSIRIS_WRITE_MATRIX") == "1":
        kept[system] = found
        MATRIX.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
    assert found == kept.get(system)
