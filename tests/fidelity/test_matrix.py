"""Every type of every source, into every destination and back: equal, or refused by name.

Supabase's Data API is a source and a destination of its own beside the database behind it: what goes in by it is read
back by the database. It makes no table, so a writer's refusal holds the statement that does, which is run as it is.

What comes of each cell is kept in ``matrix.json``, from which the page of types in the documentation is made. A cell
that changes fails the test; ``OSIRIS_WRITE_MATRIX=1`` writes the file anew.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest

from osiris_core.api import OsirisError, SecretStr
from osiris_supabase.rest import catalog
from tests.bench import Bench
from tests.fidelity.samples import CSV, DATA_API, DUCKDB, MYSQL, PARQUET, POSTGRES, POSTGRES_TYPES
from tests.servers.postgrest import Standin
from tests.servers.rest_bench import KEYS, ROLES, SECRET

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
MATRIX = Path(__file__).with_name("matrix.json")
DESTINATIONS = ("mysql", "postgres", "data_api", "duckdb", "parquet", "csv")
NO_TABLE = "OSR-SUPA-120"


@pytest.fixture(scope="module")
def bench(mariadb, postgres_server, tmp_path_factory):
    """A bench for each system, connected."""
    folder = tmp_path_factory.mktemp("fidelity")
    with (
        mariadb.database() as database,
        postgres_server.new_database("fidelity") as other,
        postgres_server.new_database("fidelity_api") as behind,
        closing(Standin(postgres_server.dsn(database=behind), KEYS)) as standin,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr(catalog, "_NEW_SECONDS", 0.0)  # no table here is one that is about to be known
        benches = {name: Bench(folder / name, name) for name in ("mysql", "duckdb", "filesystem")}
        for name in ("postgres", "data_api", "behind"):
            benches[name] = Bench(folder / name, "supabase")
        for one in benches.values():
            one.path.mkdir()
        benches["mysql"].connect(**{**mariadb.connection(database=database), "password": SecretStr(mariadb.password)})
        benches["postgres"].connect(dsn=SecretStr(postgres_server.dsn(database=other)), tls="disable")
        benches["behind"].connect(dsn=SecretStr(postgres_server.dsn(database=behind)), tls="disable")
        benches["data_api"].connect(url=standin.url, key=SecretStr(SECRET))
        (benches["data_api"].path / "scratch").mkdir()
        benches["duckdb"].connect(path=str(folder / "types.duckdb"))
        benches["execute"] = {
            # Zero dates are for who is not strict.
            "mysql": lambda sql: mariadb.execute("SET sql_mode = ''", sql, database=database),
            "postgres": lambda sql: postgres_server.execute(sql, other),
            "data_api": lambda sql: postgres_server.execute(sql, behind),
            "duckdb": lambda sql: _execute(folder / "types.duckdb", sql),
        }
        benches["execute"]["data_api"](f"{ROLES}; GRANT USAGE ON SCHEMA public TO service_role")
        for statement in POSTGRES_TYPES:
            benches["execute"]["postgres"](statement)
            benches["execute"]["data_api"](statement)
        yield benches


def _execute(path, sql):
    with duckdb.connect(path) as connection:
        connection.execute(sql)


def _make_table(execute, table, columns, samples):
    """A table of a database with one column a sample."""
    declared = ", ".join(f"{name} {sample.type}" for name, sample in zip(columns, samples, strict=True))
    execute(f"CREATE TABLE {table} (id INT NOT NULL, {declared})")
    for at in range(max(len(sample.values) for sample in samples)):
        values = [sample.values[at][0] if at < len(sample.values) else "NULL" for sample in samples]
        execute(f"INSERT INTO {table} VALUES ({at}, {', '.join(values)})")


def _make_file(path, columns, samples):
    """A file with one column a sample, made by other programs than ours."""
    count = max(len(sample.values) for sample in samples)
    if path.suffix == ".parquet":
        made = {"id": pa.array(range(count), pa.int32())}
        for name, sample in zip(columns, samples, strict=True):
            made[name] = _arrow_of(sample, count)
        pyarrow.parquet.write_table(pa.table(made), path)
        return
    lines = [",".join(["id", *columns])]
    for at in range(count):
        cells = [sample.values[at] if at < len(sample.values) else ("", None) for sample in samples]
        quoted = ['"' + text.replace('"', '""') + '"' if value is not None else "" for text, value in cells]
        lines.append(",".join([str(at), *quoted]))
    path.write_text("\n".join(lines) + "\n", newline="")


def _arrow_of(sample, count):
    values = [value for _, value in sample.values] + [None] * (count - len(sample.values))
    if sample.arrow == pa.timestamp("ns"):
        return pa.array(values, pa.string()).cast(sample.arrow)
    return pa.array(values, sample.arrow)


def _listed(column):
    """The values of a column in Python; those it has none for as text or days."""
    if column.type == pa.timestamp("ns"):
        return column.cast(pa.string()).to_pylist()
    try:
        return column.to_pylist()
    except (OverflowError, ValueError):
        return column.cast(pa.int32()).to_pylist()


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
        self.samples = {f"c{at}": sample for at, sample in enumerate(samples)}
        self.own = {name for name, sample in self.samples.items() if sample.options or sample.refused}
        self.names = [name for name in self.samples if name not in self.own]
        self.wrong = []
        together = pa.table(self._read("samples", self.names))
        self.rows = dict.fromkeys(self.names, together)
        self.found = {}
        for name in sorted(self.own):
            try:
                self.rows[name] = pa.table(self._read(f"samples_{name}", [name]))
            except OsirisError as error:
                self.found[name] = f"refused: {error.code}"
            if (name in self.found) != self.samples[name].refused:
                self.wrong.append(("read", self.samples[name].name, "refused", self.found.get(name, "read")))
        for name, table in self.rows.items():
            self.check("read", table, [name])
            self.found[name] = str(table.schema.field(name).type)

    def _read(self, table, names):
        """Make a table or file of columns, and read it with the system's extractor."""
        samples = [self.samples[name] for name in names]
        if self.system in ("parquet", "csv"):
            path = self.bench["filesystem"].path / f"{table}.{self.system}"
            _make_file(path, names, samples)
            types = {"id": "INTEGER", **{name: sample.type for name, sample in zip(names, samples, strict=True)}}
            options = {"types": types} if self.system == "csv" else {}
            return self.bench["filesystem"].read(f"{self.system}_extractor", path=path.name, **options)
        execute = self.bench["execute"][self.system]
        _make_table(execute, table, names, samples)
        if self.system == "data_api":
            execute(f"ALTER TABLE {table} ADD PRIMARY KEY (id); GRANT SELECT ON {table} TO service_role")
        return self.bench[self.system].read("extractor", table=table, **dict(samples[0].options))

    def expected(self, name):
        return [value for _, value in self.samples[name].values]

    def check(self, where, table, names):
        """Compare the columns of a table with what was put in."""
        table = pa.table(table).sort_by("id")
        for name in names:
            expected = self.expected(name)
            values = _listed(table.column(name))[: len(expected)]
            if not all(_same(want, value) for want, value in zip(expected, values, strict=True)):
                self.wrong.append((where, self.samples[name].name, expected, values))

    def into(self, destination):
        """What becomes of each column there."""
        found, together = {}, []
        for name in self.samples:
            # What a destination cannot hold by its type is refused before a row is read; labelled samples by a value.
            refused = self.found[name] if name not in self.rows else self._refusal(destination, name)
            if refused:
                found[name] = refused
            elif name in self.own:
                found |= self._arrived(destination, f"one_{self.system}_{name}", [name])
            else:
                together.append(name)
        return found | self._arrived(destination, f"all_{self.system}", together)

    def _arrived(self, destination, table, names):
        back = pa.table(self._round_trip(destination, table, names))
        self.check(destination, back, names)
        return {name: str(back.schema.field(name).type) for name in names}

    def _refusal(self, destination, name):
        try:
            if self.samples[name].label:
                self._round_trip(destination, f"one_{self.system}_{name}", [name])
            else:
                self._bind(destination, name)
        except OsirisError as error:
            return f"refused: {error.code}"
        return None

    def _target(self, destination, table):
        if destination in ("parquet", "csv"):
            return self.bench["filesystem"], f"{destination}_writer", {"path": f"{table}.{destination}"}
        how = {"mode": "upsert", "primary_key": ["id"]} if destination == "data_api" else {"mode": "replace"}
        return self.bench[destination], "writer", {"table": table, **how}

    def _bind(self, destination, name):
        if destination != "data_api":
            return self._bound(destination, name)
        return self._made("bound", lambda: self._bound(destination, name))

    def _made(self, table, write):
        """Do what needs a table that only a person can make, with the statement that the refusal holds."""
        self.bench["execute"]["data_api"](f"DROP TABLE IF EXISTS {table}")
        with pytest.raises(OsirisError) as caught:
            write()
        if caught.value.code != NO_TABLE:
            raise caught.value
        self.bench["execute"]["data_api"](caught.value.hint.partition("SQL editor: ")[2])
        return write()

    def _bound(self, destination, name):
        family, component, config = self._target(destination, "bound")
        value = family.configured(component, config)
        ctx = family.context(component)
        schema = self.rows[name].select(["id", name]).schema
        family.driver(component).bind(step_id="step", config=value, inputs={"df": schema}, ctx=ctx)

    def _round_trip(self, destination, table, names):
        family, component, config = self._target(destination, table)
        rows = self.rows[names[0]].select(["id", *names])
        if destination == "data_api":
            self._made(table, lambda: family.write_stream(component, rows, **config))
            return self.bench["behind"].read("extractor", table=table)
        family.write_stream(component, rows, **config)
        if destination not in ("parquet", "csv"):
            return family.read("extractor", table=table)
        options = {}
        if destination == "csv":
            relation = duckdb.from_arrow(rows)
            kinds = dict(zip(relation.columns, relation.types, strict=True))
            options["types"] = {name: str(kinds[name]) for name in ("id", *names)}
        return family.read(f"{destination}_extractor", path=config["path"], **options)

    def into_its_own_type(self):
        """What becomes of each column that the Data API writes into a column of the type it was read from."""
        found = {}
        for name in self.samples:
            found[name] = self.found[name] if name not in self.rows else self._copied(name)
        return found

    def _copied(self, name):
        """Compared by the server, of which any difference shows in the texts of the values."""
        execute, kind, table = self.bench["execute"]["data_api"], self.samples[name].type, f"own_{name}"
        source = f"samples_{name}" if name in self.own else "samples"
        execute(f"CREATE TABLE {table} (id INT PRIMARY KEY, {name} {kind}); GRANT ALL ON {table} TO service_role")
        family, component, config = self._target("data_api", table)
        try:
            family.write_stream(component, self.rows[name].select(["id", name]), **config)
        except OsirisError as error:
            assert execute(f"SELECT count(*) FROM {table}") == [(0,)]
            return f"refused: {error.code}"
        values = f'SELECT id, {name}::text COLLATE "C" FROM'
        differ = f"({values} {source} EXCEPT {values} {table}) UNION ALL ({values} {table} EXCEPT {values} {source})"
        assert execute(differ) == [], self.samples[name].name
        return "equal"


SOURCES = {"mysql": MYSQL, "postgres": POSTGRES, "data_api": DATA_API, "duckdb": DUCKDB, "parquet": PARQUET, "csv": CSV}


@pytest.mark.parametrize("system", SOURCES)
def test_every_type_into_every_destination(bench, system):
    matrix = Matrix(bench, system, SOURCES[system])
    cells = {"arrow": matrix.found}
    cells |= {destination: matrix.into(destination) for destination in DESTINATIONS}
    if system == "data_api":
        cells["own"] = matrix.into_its_own_type()
    assert not matrix.wrong, "\n".join(map(str, matrix.wrong))
    _compare(
        system,
        {
            sample.name: {where: found[name] for where, found in cells.items()}
            for name, sample in matrix.samples.items()
        },
    )


def test_the_page_of_types_shows_the_matrix():
    made = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert made.returncode == 0, made.stdout + made.stderr


def _compare(system, found):
    kept = json.loads(MATRIX.read_text()) if MATRIX.exists() else {}
    if os.environ.get("OSIRIS_WRITE_MATRIX") == "1":
        kept[system] = found
        MATRIX.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n")
    assert found == kept.get(system)
