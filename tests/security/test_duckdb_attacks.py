"""What a query written by a stranger - or by a model that has read a stranger's data - can do with DuckDB: nothing.

Every attack here succeeds on a connection with default settings, or would if its extension were there; the control at
the end shows it for those that can be shown. Each is tried twice: as the query of a step, where the parser's fence
stops it, and directly on the same connection, where the engine's own settings must stop it without that fence.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import duckdb
import pytest
from arro3.core import RecordBatchReader

from osiris_core.builtin.duckdb.config import DuckDBConnection, Extractor, Processor
from osiris_core.builtin.duckdb.extractor import ExtractorDriver
from osiris_core.builtin.duckdb.hardened import closed_connection
from osiris_core.builtin.duckdb.processor import ProcessorDriver
from osiris_core.errors import OsirisError

pytestmark = pytest.mark.matrix

CANARY = "canary-5b1c"  # pragma: allowlist secret


class Context:
    def __init__(self, root):
        self.scratch = root / "scratch"
        self.scratch.mkdir(exist_ok=True)
        self.run_id = "run"
        self.project_root = root
        self.memory_limit = 256 * 1024 * 1024
        self.threads = 2
        self.connection = DuckDBConnection(path="w.duckdb", lock_timeout=0)
        self.window = None

    def emit(self, event, **fields):
        pass

    def check(self):
        pass

    def on_cancel(self, action):
        return contextlib.nullcontext()


class Rows:
    """An input of one row."""

    def __init__(self):
        self._reader = RecordBatchReader.from_stream(duckdb.connect().sql("SELECT 1 AS i, 'x' AS s"))
        self.schema = self._reader.schema

    def __arrow_c_stream__(self, requested_schema=None):
        return self._reader.__arrow_c_stream__()


def build(tmp_path):
    """A project with a secret beside it."""
    root = tmp_path / "project"
    root.mkdir()
    (tmp_path / "secret.csv").write_text(f"a\n{CANARY}\n")
    (tmp_path / "secret.json").write_text(f'{{"a": "{CANARY}"}}')
    connection = duckdb.connect(str(tmp_path / "secret.duckdb"))
    connection.execute(f"CREATE TABLE t AS SELECT '{CANARY}' AS a")
    connection.execute(f"COPY t TO '{tmp_path / 'secret.parquet'}'")
    connection.close()
    own = duckdb.connect(str(root / "w.duckdb"))
    own.execute("CREATE TABLE t AS SELECT 1 AS i, 'x' AS s")
    own.execute("CREATE TABLE df AS FROM t")
    own.execute(f"CREATE VIEW trap AS SELECT * FROM read_text('{tmp_path / 'secret.csv'}')")
    own.close()
    return tmp_path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A project with a secret beside it, for all attacks: none of them changes it."""
    return build(tmp_path_factory.mktemp("place"))


@pytest.fixture
def own_place(tmp_path):
    """The same, for one test that changes it."""
    return build(tmp_path)


READ = [
    "SELECT * FROM read_csv('{out}/secret.csv')",
    "SELECT * FROM read_csv_auto('{out}/secret.csv')",
    "SELECT * FROM sniff_csv('{out}/secret.csv')",
    "SELECT * FROM read_text('{out}/secret.csv')",
    "SELECT * FROM read_blob('{out}/secret.csv')",
    "SELECT * FROM read_text('/proc/self/environ')",
    "SELECT * FROM read_json('{out}/secret.json')",
    "SELECT * FROM read_ndjson('{out}/secret.json')",
    "SELECT * FROM read_json_objects('{out}/secret.json')",
    "SELECT * FROM read_parquet('{out}/secret.parquet')",
    "SELECT * FROM parquet_scan('{out}/secret.parquet')",
    "SELECT * FROM parquet_metadata('{out}/secret.parquet')",
    "SELECT * FROM parquet_schema('{out}/secret.parquet')",
    "SELECT * FROM parquet_kv_metadata('{out}/secret.parquet')",
    "SELECT * FROM read_duckdb('{out}/secret.duckdb', table_name='t')",
    "SELECT * FROM glob('{out}/*')",
    "SELECT * FROM '{out}/secret.csv'",
    "SELECT * FROM '{out}/secret.parquet'",
    'SELECT * FROM "{out}/secret.csv"',
    "SELECT * FROM 'file://{out}/secret.csv'",
    "FROM '{out}/*.csv'",
    "SELECT * FROM 'http://127.0.0.1:1/x.csv'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT * FROM read_csv('\\\\server\\share\\x.csv')",
    "SELECT (SELECT content FROM read_text('{out}/secret.csv')) AS c FROM df",
    "WITH x AS (SELECT * FROM read_text('{out}/secret.csv')) SELECT * FROM x",
    "SELECT * FROM df, LATERAL (SELECT * FROM read_text('{out}/secret.csv'))",
    "SELECT * FROM query('SELECT * FROM read_text(''{out}/secret.csv'')')",
    "SELECT * FROM query_table('{out}/secret.csv')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''{out}/secret.csv'')'))",
    "FROM read_text('{out}/secret.csv') PIVOT (count(*) FOR filename IN ('a'))",
    "SUMMARIZE SELECT * FROM read_text('{out}/secret.csv')",
    "DESCRIBE SELECT * FROM read_csv('{out}/secret.csv')",
    "SELECT * FROM df UNION ALL BY NAME SELECT 2 AS i, content AS s FROM read_text('{out}/secret.csv')",
    "SELECT * FROM df WHERE s IN (SELECT content FROM read_text('{out}/secret.csv'))",
    "SELECT list_transform([1], lambda x: (SELECT content FROM read_text('{out}/secret.csv'))) AS c",
]  # fmt: skip

ACT = [
    "COPY (SELECT 1) TO '{out}/written.csv'",
    "COPY df TO '{out}/written.parquet'",
    "EXPORT DATABASE '{out}/written'",
    "IMPORT DATABASE '{out}/written'",
    "ATTACH '{out}/written.duckdb'",
    "ATTACH '{out}/secret.duckdb' AS s (READ_ONLY)",
    "INSTALL httpfs",
    "INSTALL spatial FROM community",
    "LOAD '{out}/evil.duckdb_extension'",
    "CREATE SECRET x (TYPE s3)",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET enable_external_access",
    "PRAGMA enable_logging",
    "CALL enable_logging(storage = 'file', storage_path = '{out}/written')",
    "SET log_query_path = '{out}/written.log'",
    "PRAGMA enable_profiling = 'json'",
    "SET profiling_output = '{out}/written.json'",
    "SET temp_directory = '{out}'",
    "SET memory_limit = '100GB'",
    "SET home_directory = '{out}'",
    "SET allowed_directories = ['{out}']",
    "SET python_enable_replacements = true",
    "CALL duckdb_logs()",
    "CREATE EXTERNAL RESOURCE x",
    "USE '{out}/secret.duckdb'",
]  # fmt: skip

PEEK = [
    "SELECT current_setting('temp_directory') AS d",
    "SELECT current_setting('secret_directory') AS d",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_databases()",
    "SELECT * FROM duckdb_temporary_files()",
    "SELECT * FROM duckdb_extensions()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM pragma_database_list",
    "SELECT (WITH pragma_database_list AS (SELECT 1 AS a) FROM pragma_database_list) a, * FROM pragma_database_list",
    "SELECT * FROM pragma_storage_info('df')",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM duckdb_external_resources()",
    "SELECT json_serialize_plan('SELECT current_setting(''temp_directory'')', optimize := true) AS p",
    "SELECT getenv('HOME') AS h",
    "SELECT getvariable('x') AS v",
    "SELECT write_log('x') AS w",
    "SHOW DATABASES",
    "SELECT * FROM secret_frame",
    "SELECT * FROM secret_rows",
    "SELECT * FROM python_arrow_scan()",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(140234)",
    "SELECT * FROM seq_scan('x')",
    "SELECT * FROM which_secret('x', 's3')",
    "SELECT * FROM test_all_types()",
]  # fmt: skip

SNEAK = [
    "SELECT 1; COPY (SELECT 1) TO '{out}/written.csv'",
    "SELECT 1 /* ; */ ; DROP VIEW df",
    "SELECT 1 --\n; DROP VIEW df",
    "COMMIT; SELECT 1",
    "WITH x AS (INSERT INTO df SELECT 2, 'y' RETURNING *) SELECT * FROM x",
    "WITH x AS (UPDATE df SET i = 2 RETURNING *) SELECT * FROM x",
    "WITH x AS (DELETE FROM df RETURNING *) SELECT * FROM x",
    "SELECT * FROM (WITH x AS (DELETE FROM df RETURNING *) SELECT * FROM x)",
    "EXECUTE x",
    "PREPARE x AS SELECT 1",
    "SET VARIABLE x = 1",
    "CREATE MACRO m() AS (SELECT 1)",
    "CREATE OR REPLACE TEMP VIEW df AS SELECT 1",
    "EXPLAIN ANALYZE SELECT 1",
    "VACUUM",
    "CHECKPOINT",
    "\ufeffDROP VIEW df",
    "SEL\0ECT 1",
]  # fmt: skip


def written(place):
    return sorted(path.name for path in place.iterdir() if path.name.startswith("written"))


def transform(place, query):
    ctx = Context(place / "project")
    rows = Rows()
    stream = ProcessorDriver().run(step_id="step", config=Processor(query=query), inputs={"df": rows}, ctx=ctx)["df"]
    return [batch.to_struct_array().to_pylist() for batch in stream.batches()]


def extract(place, query):
    ctx = Context(place / "project")
    stream = ExtractorDriver().run(step_id="step", config=Extractor(query=query), inputs={}, ctx=ctx)["df"]
    return [batch.to_struct_array().to_pylist() for batch in stream.batches()]


@pytest.mark.parametrize("query", [*READ, *ACT, *PEEK, *SNEAK])
@pytest.mark.parametrize("way", [transform, extract])
def test_no_query_of_a_step_gets_out(place, way, query):
    query = query.format(out=place) if "{out}" in query else query
    with pytest.raises(OsirisError) as caught:
        way(place, query)
    assert caught.value.code.startswith("OSR-DUCKDB-0")
    assert CANARY not in str(caught.value)
    assert written(place) == []


@pytest.mark.parametrize("statement", [*READ, *ACT])
def test_the_engine_itself_stops_what_the_parser_would_let_through(place, statement):
    """The same connection, without the parser's fence in front."""
    secret_frame = duckdb.connect().sql(f"SELECT '{CANARY}' AS a")  # noqa: F841 - a variable that DuckDB could capture
    for attach in (None, place / "project" / "w.duckdb"):
        connection = closed_connection(Context(place / "project"), attach=attach)
        connection.execute("CREATE TEMP VIEW df AS SELECT 1 AS i, 'x' AS s")
        found = []
        with contextlib.suppress(duckdb.Error):
            found = connection.execute(statement.format(out=place)).fetchall()
        assert CANARY not in str(found)
        assert written(place) == []
        with contextlib.suppress(duckdb.Error):
            found = connection.execute(f"SELECT content FROM read_text('{place}/secret.csv')").fetchall()
        assert CANARY not in str(found)
        connection.close()


@pytest.mark.parametrize("name", ["secret_frame", "secret_rows"])
def test_python_variables_are_no_tables(place, name):
    secret_frame = duckdb.connect().sql(f"SELECT '{CANARY}' AS a")
    secret_rows = Rows()
    connection = closed_connection(Context(place / "project"))
    with pytest.raises(duckdb.CatalogException):
        connection.sql(f"SELECT * FROM {name}")
    assert secret_frame.fetchall()
    assert secret_rows.schema


def test_a_table_of_the_file_may_have_the_name_of_a_catalog(own_place):
    own = duckdb.connect(str(own_place / "project" / "w.duckdb"))
    own.execute("CREATE TABLE tables AS SELECT 7 AS i")
    own.close()
    assert extract(own_place, "SELECT * FROM tables") == [[{"i": 7}]]


def test_a_view_in_a_file_cannot_reach_out_either(place):
    with pytest.raises(OsirisError) as caught:
        extract(place, "SELECT * FROM trap")
    assert CANARY not in str(caught.value)


def test_an_extract_cannot_write_its_file(place):
    connection = closed_connection(Context(place / "project"), attach=place / "project" / "w.duckdb")
    before = (place / "project" / "w.duckdb").read_bytes()
    for statement in (
        "INSERT INTO t VALUES (2, 'y')",
        "CREATE TABLE x AS SELECT 1",
        "DROP TABLE t",
        "DETACH osiris_file",
        f"ATTACH '{place}/project/w.duckdb' AS again",
        f"COPY (SELECT 1) TO '{place}/project/w.duckdb'",
        "USE memory; DETACH osiris_file; ATTACH '{place}/project/w.duckdb' AS again; DROP TABLE again.t",
        "CHECKPOINT",
    ):
        with contextlib.suppress(duckdb.Error):
            connection.execute(statement).fetchall()
    connection.close()
    assert (place / "project" / "w.duckdb").read_bytes() == before


def test_the_one_hole_of_the_engine_is_behind_the_parser(own_place):
    """DuckDB lets COPY write the log beside an attached file, read-only or not; so a step's query must be a SELECT."""
    wal = own_place / "project" / "w.duckdb.wal"
    attack = f"COPY (SELECT 1) TO '{wal}'"
    with pytest.raises(OsirisError, match="is a statement of kind COPY"):
        extract(own_place, attack)
    assert not wal.exists()
    connection = closed_connection(Context(own_place / "project"), attach=own_place / "project" / "w.duckdb")
    connection.execute(attack)
    connection.close()
    assert wal.exists()


def test_the_configuration_stays_locked(place):
    connection = closed_connection(Context(place / "project"))
    names = [name for (name,) in connection.execute("SELECT name FROM duckdb_settings()").fetchall()]
    assert len(names) > 100
    changed = []
    for name in names:
        with contextlib.suppress(duckdb.Error):
            connection.execute(f"SET {name} = DEFAULT")
            changed.append(name)
        with contextlib.suppress(duckdb.Error):
            connection.execute(f"RESET {name}")
            changed.append(name)
    assert set(changed) <= {"schema", "search_path"}  # where names are looked up; no query can set even these


def test_the_controls_work(own_place):
    """On a connection with default settings these attacks do succeed; otherwise the tests above would prove nothing."""
    connection = duckdb.connect()
    succeeded = 0
    for query in READ:
        with contextlib.suppress(duckdb.Error):
            found = connection.execute(query.format(out=own_place)).fetchall()
            succeeded += CANARY in str(found) or "secret" in str(found)
    assert succeeded >= 18
    connection.execute(f"COPY (SELECT 1) TO '{own_place}/written.csv'")
    assert written(own_place) == ["written.csv"]


CLIMB = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import importlib.util
spec = importlib.util.spec_from_file_location("attacks", sys.argv[2])
attacks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(attacks)
limit = 1 << 30
from osiris_core.builtin.duckdb.processor import ProcessorDriver
from osiris_core.builtin.duckdb.config import Processor
from osiris_core.errors import OsirisError
resource.setrlimit(resource.RLIMIT_AS, (3 * limit, 3 * limit))
try:
    attacks.transform(Path(sys.argv[3]), sys.argv[4])
except OsirisError as error:
    print(error.code)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.parametrize(
    "query",
    [
        "SELECT list(range) AS l FROM range(1000000000)",
        "SELECT string_agg('xxxxxxxxxxxxxxxxxxxxxxxx', '') AS s FROM range(1000000000)",
        "SELECT repeat(repeat('x', 1000000), 10000) AS s FROM df",
    ],
)
def test_a_query_that_eats_memory_ends_in_an_error(place, query):
    """Under the address limit that an isolated run has, where DuckDB's own limit does not count."""
    command = [sys.executable, "-c", CLIMB, os.getcwd(), __file__, str(place), query]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    code, peak = done.stdout.split()
    assert code in {"OSR-DUCKDB-010", "OSR-DUCKDB-011"}
    assert int(peak) < 2500


def test_a_regular_expression_does_not_explode(place):
    assert transform(place, "SELECT regexp_matches(repeat('a', 50000) || 'b', '^(a+)+$') AS m FROM df")
