"""Writing a table through the Data API: keyed rows that converge, and a refusal of everything that would not."""

from __future__ import annotations

import duckdb
import pytest

from osiris_core.api import DriverError, InvalidInput, LoadState, OsirisError
from tests.bench import tuples
from tests.servers.rest_bench import ANON, LOADS, rest, standin, standin_database

__all__ = ["rest", "standin", "standin_database"]

ROWS = "SELECT n::BIGINT AS id, 'row ' || n AS name FROM range(1, {}) r(n)"


@pytest.fixture
def table(rest):
    rest.make("CREATE TABLE t (id bigint PRIMARY KEY, name text NOT NULL, note text DEFAULT 'kept')")
    return rest


THREE = ROWS.format(4)


def fails(bench, code, sql=THREE, kind=OsirisError, **config):
    with pytest.raises(kind) as caught:
        bench.upsert(sql, **config)
    assert caught.value.code == code, caught.value
    return caught.value


def posts(bench):
    return [request for request in bench.standin.requests if request[0] == "POST"]


def test_rows_are_updated_and_inserted_and_other_columns_stay(table):
    table.sql("INSERT INTO t VALUES (2, 'old', 'mine'), (9, 'nine', NULL)")
    written = table.upsert(ROWS.format(4), on_schema_change="ignore")
    assert written.rows == 3
    assert table.sql("SELECT * FROM t ORDER BY id") == [
        (1, "row 1", "kept"),
        (2, "row 2", "mine"),
        (3, "row 3", "kept"),
        (9, "nine", None),
    ]
    (event,) = table.events("write_published")
    assert event["details"]["atomic"] is False
    assert event["checksum"]


def test_many_rows_go_in_batches_and_again_change_nothing(table):
    for _ in range(2):
        assert table.upsert(ROWS.format(3501), on_schema_change="ignore").rows == 3500
    assert table.sql("SELECT count(*), sum(id), min(name) FROM t") == [(3500, 3500 * 3501 // 2, "row 1")]
    sizes = [len(body) for _, _, _, body in posts(table)]
    assert max(sizes) < 1 << 20
    assert len(sizes) == 2 * (1 + 4)  # one without rows, by which the server says whether it would take them


@pytest.mark.parametrize("mode", ["append", "replace", "delete_insert"])
def test_a_mode_that_could_lose_or_repeat_rows_is_refused_with_the_way_out(table, mode):
    keys = {"replace_keys": ["id"]} if mode == "delete_insert" else {}
    with pytest.raises(InvalidInput) as caught:
        table.write("writer", ROWS.format(3), mode=mode, table="t", **keys)
    assert caught.value.code == "OSR-SUPA-115"
    assert "dsn" in caught.value.hint
    assert table.standin.requests == []


@pytest.mark.parametrize(
    ("kind", "skip"),
    [
        ("reset_after", 1),
        ("reset_after", 3),
        *(
            pytest.param(kind, skip, marks=pytest.mark.extra)
            for kind in ("reset_before", "reset_after", "cut")
            for skip in range(4)
            if (kind, skip) not in (("reset_after", 1), ("reset_after", 3))
        ),
    ],
)
def test_a_lost_acknowledgement_converges(table, kind, skip):
    table.sql(LOADS)
    table.standin.fail(kind, method="POST", skip=skip, times=2)
    assert table.upsert(ROWS.format(2001), on_schema_change="ignore").rows == 2000
    assert table.sql("SELECT count(*), sum(id) FROM t") == [(2000, 2000 * 2001 // 2)]
    assert table.sql("SELECT rows FROM _osiris_loads") == [(2000,)]


def test_a_load_that_ends_half_way_is_whole_after_the_next_run(table):
    table.sql(LOADS)
    table.standin.fail("status", method="POST", skip=2, times=99, status=400, body=b'{"code":"23514","message":"no"}')
    error = fails(table, "OSR-SUPA-127", ROWS.format(2501), on_schema_change="ignore", load_id="a" * 32)
    assert "after 1000 rows" in error.message
    assert table.sql("SELECT count(*) FROM t") == [(1000,)]  # not atomic, and documented as such
    assert table.sql("SELECT count(*) FROM _osiris_loads") == [(0,)]
    table.standin.clear()
    table.upsert(ROWS.format(2501), on_schema_change="ignore", load_id="a" * 32)
    assert table.sql("SELECT count(*) FROM t") == [(2500,)]


def test_a_load_that_is_recorded_is_not_sent_again(table):
    table.sql(LOADS)
    first = table.upsert(ROWS.format(4), on_schema_change="ignore", load_id="b" * 32)
    table.sql("DELETE FROM t")
    table.standin.requests.clear()
    again = table.upsert(ROWS.format(4), on_schema_change="ignore", load_id="b" * 32)
    assert (first.already, again.already) == (False, True)
    assert again.rows == 3
    assert posts(table) == []
    assert table.sql("SELECT count(*) FROM t") == [(0,)]
    row = table.sql("SELECT load_id, step, target, mode, rows FROM _osiris_loads")
    assert row == [("b" * 32, "step", "public.t", "upsert", 3)]


def test_a_load_without_a_table_of_commit_rows_says_how_to_make_it(table):
    table.upsert(ROWS.format(4), on_schema_change="ignore")
    (event,) = table.events("supabase.no_commit_row")
    table.sql(event["statement"].replace("NOTIFY pgrst, 'reload schema';", ""))
    table.upsert(ROWS.format(4), on_schema_change="ignore")
    assert table.events("supabase.no_commit_row") == []
    assert table.sql("SELECT rows FROM _osiris_loads") == [(3,)]


def test_states_of_increments(table):
    driver, config = (
        table.driver("writer"),
        table.configured("writer", {"mode": "upsert", "table": "t", "primary_key": ["id"]}),
    )

    def state(text):
        ctx = table.context("writer")
        driver.write_state(step_id="s", config=config, state=LoadState(key="k", text=text), ctx=ctx)

    def read(key="k"):
        return driver.read_state(step_id="s", config=config, key=key, ctx=table.context("writer"))

    assert read() is None
    with pytest.raises(DriverError) as caught:
        state("one")
    assert caught.value.code == "OSR-SUPA-120"
    assert "CREATE TABLE" in caught.value.hint
    table.sql(LOADS)
    for text in ("one", "two"):
        state(text)
        assert read() == text
    assert read("other") is None
    table.sql("UPDATE _osiris_loads SET loaded_at = '2999-01-01' WHERE state = 'one'")  # a clock that was wrong
    state("three")
    assert read() == "three"
    config = table.configured("writer", {"mode": "upsert", "table": "gone", "primary_key": ["id"]})
    assert read() is None
    with pytest.raises(DriverError) as caught:
        state("four")
    assert caught.value.code == "OSR-SUPA-110"


def test_a_missing_table_is_an_error_with_the_statement_that_makes_it(rest):
    sql = (
        'SELECT 1::BIGINT AS id, \'x\' AS "na""me", 1.5::DECIMAL(10,2) AS price, true AS ok, now() AS at, '
        "'a'::BLOB AS raw, 1.5::FLOAT AS f, DATE '2026-01-01' AS day, uuid() AS u"
    )
    error = fails(rest, "OSR-SUPA-120", sql, enable_rls=True)
    statement = error.hint.partition("SQL editor: ")[2]
    rest.sql(statement.replace("NOTIFY pgrst, 'reload schema';", ""))
    rest.upsert(sql)
    assert rest.sql('SELECT id, "na""me", price, ok, raw, f, day FROM t')[0][:4] == (1, "x", 1.5, True)
    assert rest.sql("SELECT relrowsecurity FROM pg_class WHERE relname = 't'") == [(True,)]
    assert fails(rest, "OSR-SUPA-110", sql, table="none", create_if_missing=False).message.startswith("there is no")


def test_new_columns_are_an_error_with_the_statement_that_adds_them(table):
    sql = "SELECT 1::BIGINT AS id, 'a' AS name, 'b' AS note, 1.25::DECIMAL(9,2) AS price"
    assert "'price'" in fails(table, "OSR-SUPA-121", sql).message
    error = fails(table, "OSR-SUPA-120", sql, on_schema_change="add_columns")
    table.sql(error.hint.partition("SQL editor: ")[2].replace("NOTIFY pgrst, 'reload schema';", ""))
    table.upsert(sql, on_schema_change="add_columns")
    assert table.sql("SELECT price::text FROM t") == [("1.25",)]


def test_keys_that_are_null_twice_or_no_keys(table):
    twice = "SELECT 1::BIGINT AS id, name FROM (VALUES ('a'), ('b')) v(name)"
    assert "2 rows have only 1" in fails(table, "OSR-SUPA-125", twice, on_schema_change="ignore").message
    table.upsert(twice, on_schema_change="ignore", on_duplicate="last")
    assert table.sql("SELECT id, name FROM t") == [(1, "b")]
    nothing = "SELECT NULL::BIGINT AS id, 'a' AS name"
    fails(table, "OSR-SUPA-124", nothing, on_schema_change="ignore")
    fails(table, "OSR-SUPA-123", "SELECT 'a' AS name", on_schema_change="ignore")
    error = fails(table, "OSR-SUPA-126", key=["name"], on_schema_change="ignore")
    assert "ON CONFLICT" in error.message
    assert table.sql("SELECT id, name FROM t") == [(1, "b")]


def test_rows_without_the_rights_or_against_policies(table):
    table.sql("REVOKE ALL ON t FROM service_role; GRANT SELECT ON t TO service_role")
    assert "GRANT" in fails(table, "OSR-SUPA-103", on_schema_change="ignore").hint
    table.sql("GRANT ALL ON t TO anon; ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    table.use(ANON)
    assert "row-level security" in fails(table, "OSR-SUPA-103", on_schema_change="ignore").message
    assert table.sql("SELECT count(*) FROM t") == [(0,)]


def test_commit_rows_that_a_policy_hides_write_nothing_twice(table):
    table.sql(f"{LOADS}; GRANT ALL ON t, _osiris_loads TO anon; ALTER TABLE _osiris_loads ENABLE ROW LEVEL SECURITY")
    table.upsert(THREE, load_id="1" * 32, on_schema_change="ignore")
    table.use(ANON)
    for load_id in ("1" * 32, "2" * 32):
        error = fails(table, "OSR-SUPA-103", load_id=load_id, on_schema_change="ignore")
        assert "_osiris_loads" in error.message
        assert "row level security" in error.hint
    assert table.sql("SELECT count(*), count(DISTINCT id) FROM t") == [(3, 3)]
    assert table.sql("SELECT load_id FROM _osiris_loads") == [("1" * 32,)]


def test_rows_that_break_a_rule_of_the_table(table):
    table.sql("ALTER TABLE t ADD CHECK (id < 3)")
    error = fails(table, "OSR-SUPA-127", on_schema_change="ignore")
    assert "check constraint" in error.message
    assert "row 3" not in f"{error.message} {error.hint}"  # the server's details are data


def test_a_trigger_that_drops_rows_is_noticed(table):
    table.sql(
        "CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; "
        "RETURN NEW; END'; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION drop_it()"
    )
    assert "2 of 3 rows" in fails(table, "OSR-SUPA-129", on_schema_change="ignore").message


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("numeric(10,2)", "1.235::DECIMAL(10,3)"),
        ("numeric(10,2)", "'1.235'"),
        ("timestamp(0)", "TIMESTAMP '2026-01-01 00:00:00.6'"),
        ("timestamptz(3)", "TIMESTAMPTZ '2026-01-01 00:00:00.123456+00'"),
        ("time(0)", "TIME '12:00:00.7'"),
    ],
)
def test_a_value_that_the_table_rounds_is_noticed(rest, kind, value):
    rest.make(f"CREATE TABLE t (id bigint PRIMARY KEY, v {kind})")
    error = fails(rest, "OSR-SUPA-128", f"SELECT 1::BIGINT AS id, {value} AS v")
    assert "column 'v'" in error.message


VALUES = {
    "smallint": ("TINYINT", ["-128", "127"]),
    "integer": ("INTEGER", ["-2147483648", "2147483647"]),
    "bigint": ("BIGINT", ["-9223372036854775808", "9007199254740993"]),
    "numeric": ("UBIGINT", ["18446744073709551615"]),
    "numeric(38,10)": ("DECIMAL(38,10)", ["1234567890123456789012345678.1234567891", "-0.0000000001"]),
    "real": ("FLOAT", ["1.1", "3.4028235e38", "'nan'", "'-inf'"]),
    "double precision": ("DOUBLE", ["0.1", "1.7976931348623157e308", "5e-324", "'inf'", "'nan'", "-0.0"]),
    "boolean": ("BOOLEAN", ["true", "false"]),
    "text": (
        "VARCHAR",
        ["''", "'NULL'", "'null'", "'q\"s\\b''t'", "'ü😀'", "chr(1) || chr(10) || chr(127)", "'\\u0041'"],
    ),
    "character varying": ("VARCHAR", ["'x'"]),
    "bytea": ("BLOB", ["''::BLOB", "'\\x00\\xFF\\x5C'::BLOB"]),
    "date": ("DATE", ["DATE '0001-01-01'", "DATE '9999-12-31'", "DATE '0044-03-15 (BC)'", "DATE '12026-01-01'"]),
    "timestamp": (
        "TIMESTAMP",
        ["TIMESTAMP '2026-01-02 03:04:05.000006'", "TIMESTAMP '0044-03-15 (BC) 01:02:03.5'", "TIMESTAMP '2026-01-01'"],
    ),
    "timestamptz": (
        "TIMESTAMPTZ",
        ["TIMESTAMPTZ '1883-01-01 00:00:00.5+00'", "TIMESTAMPTZ '2026-07-01 12:00:00.123456+05:30'"],
    ),
    "time": ("TIME", ["TIME '23:59:59.999999'", "TIME '00:00:00'"]),
    "uuid": ("UUID", ["'00112233-4455-6677-8899-aabbccddeeff'"]),
    "json": ("VARCHAR", ['\'{"b": 1,  "a": 12345678901234567890.10}\'', "'\"text\"'", "'[1, \"\\u00fc\"]'"]),
    "jsonb": ("VARCHAR", ["'{\"a\": 12345678901234567890.10}'"]),
    "integer[]": ("VARCHAR", ["'{1,NULL,3}'"]),
    "inet": ("VARCHAR", ["'10.0.0.0/8'"]),
    "interval": ("VARCHAR", ["'1 year -3 days'"]),
}


@pytest.mark.parametrize(
    ("kind", "zoned"), [*((kind, True) for kind in VALUES), *((kind, False) for kind in VALUES if "time" in kind)]
)
def test_every_value_of_a_type_goes_in_exactly(rest, kind, zoned):
    rest.standin.timezones = zoned
    duck, values = VALUES[kind]
    rest.make(f"CREATE TABLE t (id bigint PRIMARY KEY, v {kind})")
    listed = ", ".join(f"({at}, {value})" for at, value in enumerate([*values, "NULL"]))
    sql = f"SELECT id::BIGINT AS id, v::{duck} AS v FROM (VALUES {listed}) x(id, v)"
    rest.upsert(sql)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        wanted = [row[0] for row in connection.sql(f"SELECT v::VARCHAR FROM ({sql}) ORDER BY id").fetchall()]
    with rest.server.connect(rest.database) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for at, text in enumerate(wanted):
            shown = text if text is None else text.replace(" (BC) ", "~").replace(" (BC)", " BC")
            if shown and "~" in shown:
                shown = f"{shown.replace('~', ' ')} BC"
            if kind == "bytea" and text is not None:
                query, given = "SELECT encode(v, 'hex'), %s FROM t WHERE id = %s", ["", "00ff5c"][at]
            elif kind == "json":
                query, given = "SELECT v::text, %s FROM t WHERE id = %s", shown
            else:
                query, given = f"SELECT v::text, (%s::text::{kind})::text FROM t WHERE id = %s", shown
            ours, theirs = connection.execute(query, (given, at)).fetchone()
            assert ours == theirs, (kind, text)


def test_a_real_in_a_double_is_the_same_number(rest):
    rest.make("CREATE TABLE t (id bigint PRIMARY KEY, v double precision)")
    rest.upsert("SELECT 1::BIGINT AS id, 0.1::FLOAT AS v")
    assert rest.sql("SELECT v, v = 0.1::real FROM t") == [(0.10000000149011612, True)]


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        ("integer", "1::BIGINT", "OSR-SUPA-122"),
        ("numeric", "1.5::DOUBLE", "OSR-SUPA-122"),
        ("date", "'today'", "OSR-SUPA-122"),
        ("boolean", "'yes'", "OSR-SUPA-122"),
        ("text", "1::INTEGER", "OSR-SUPA-122"),
        ("text", "[1, 2]", "OSR-SUPA-122"),
        ("timestamp", "TIMESTAMP_NS '2026-01-01 00:00:00.123456789'", "OSR-SUPA-122"),
        ("text", "'a' || chr(0)", "OSR-SUPA-117"),
        ("json", "'{bad'", "OSR-SUPA-117"),
        ("json", "'1, \"id\": 5'", "OSR-SUPA-117"),
        ("jsonb", "' null '", "OSR-SUPA-117"),
        ("uuid", "'no uuid'", "OSR-SUPA-117"),
        ("varchar(3)", "'four'", "OSR-SUPA-117"),
        # What the server would take, and drop a part of.
        ("money", "'1.239'", "OSR-SUPA-122"),
        ("tsvector", "'b a a'", "OSR-SUPA-122"),
        ("point", "'(0.12345678901234567890,2)'", "OSR-SUPA-122"),
        ("real[]", "'{0.123456789012}'", "OSR-SUPA-122"),
        ("time[]", "'{12:00:00.1234567}'", "OSR-SUPA-122"),
        ("name", "repeat('x', 70)", "OSR-SUPA-122"),
        ("interval", "'0.00000012 s'", "OSR-SUPA-117"),
        ("timetz", "'2024-01-01 12:00:00.5+02'", "OSR-SUPA-117"),
        ("timetz", "'12:00:00.1234567+02'", "OSR-SUPA-117"),
        ("date[]", "'{2024-01-01 12:00:00}'", "OSR-SUPA-117"),
        ("timestamptz[]", "'{2024-01-01 00:00:00.1234567+00}'", "OSR-SUPA-117"),
        ("tsrange", "'[2024-01-01 00:00:00.1234567,)'", "OSR-SUPA-117"),
    ],
)
def test_a_value_that_the_column_cannot_keep_is_refused(rest, kind, value, code):
    rest.make(f"CREATE TABLE t (id bigint PRIMARY KEY, v {kind})")
    fails(rest, code, f"SELECT 1::BIGINT AS id, {value} AS v")
    assert rest.sql("SELECT count(*) FROM t") == [(0,)]


@pytest.mark.parametrize("refusal", [(413, b"{}"), (504, b"{}"), (500, b'{"code":"57014","message":"timeout"}')])
def test_a_batch_that_is_too_much_is_halved(table, refusal):
    status, body = refusal
    table.standin.fail("status", method="POST", skip=1, times=2, status=status, body=body)
    table.upsert(ROWS.format(1001), on_schema_change="ignore")
    assert table.sql("SELECT count(*) FROM t") == [(1000,)]
    sizes = [len(body) for _, _, _, body in posts(table)]
    assert sizes[1] > sizes[2] > sizes[3]


def test_wide_rows_go_in_small_requests(table):
    table.upsert("SELECT n::BIGINT AS id, repeat('é', 100000) AS name FROM range(30) r(n)", on_schema_change="ignore")
    assert table.sql("SELECT count(*), min(length(name)) FROM t") == [(30, 100000)]
    assert max(len(body) for _, _, _, body in posts(table)) < 3 << 20


def test_no_rows(table):
    assert table.upsert(ROWS.format(1), on_schema_change="ignore").rows == 0
    assert table.sql("SELECT count(*) FROM t") == [(0,)]


def test_only_key_columns(rest):
    rest.make("CREATE TABLE t (id bigint PRIMARY KEY)")
    for _ in range(2):
        rest.upsert("SELECT n::BIGINT AS id FROM range(5) r(n)")
    assert rest.sql("SELECT count(*) FROM t") == [(5,)]


def test_a_value_no_request_can_carry_is_an_error_of_its_own(table):
    table.standin.fail("status", method="POST", skip=1, times=9, status=413, body=b"{}")
    fails(table, "OSR-SUPA-119", "SELECT 1::BIGINT AS id, 'x' AS name", on_schema_change="ignore")


def test_nothing_staged_stays(table):
    table.upsert(ROWS.format(100), on_schema_change="ignore")
    table.standin.fail("status", method="POST", skip=1, times=9, status=400, body=b"{}")
    fails(table, "OSR-SUPA-118", on_schema_change="ignore")
    assert list((table.path / "scratch").glob("*.duckdb*")) == []


def test_rows_of_one_table_arrive_in_another_as_they_were(rest):
    columns = (
        "id bigint PRIMARY KEY, n numeric(20,4), t text, d date, m timestamp, z timestamptz, j json, b bytea, u uuid, "
        "i interval, a int[], c inet"
    )
    rest.make(f"CREATE TABLE t ({columns})")
    rest.make(f"CREATE TABLE u ({columns})", table="u")
    rest.sql(
        "INSERT INTO t SELECT n, n * 1.2345, 'é' || n, date '2026-01-01' + n, now() + n * interval '1 s', "
        "now() - n * interval '1 h', ('{\"k\": ' || n || '}')::json, decode(md5(n::text), 'hex'), gen_random_uuid(), "
        "n * interval '1 day', array[n, NULL], '10.0.0.1' FROM generate_series(1, 1500) n; "
        "INSERT INTO t (id) VALUES (0)"
    )
    table = rest.read("extractor", table="t")
    assert len(tuples(table)) == 1501
    rest.write_stream("writer", table, mode="upsert", table="u", primary_key=["id"])
    differ = "SELECT count(*) FROM t AS x FULL JOIN u AS y USING (id) WHERE x::text IS DISTINCT FROM y::text"
    assert rest.sql(differ) == [(0,)]


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("uuid", ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}"]),
        ("numeric", ["1", "1.0", "+01.", " 1.00 "]),
        ("numeric", ["0", "-0.0", "00", ".0"]),
        ("numeric", ["-10", "-010.0"]),
        ("char(4)", ["a", "a  "]),
    ],
)
def test_texts_that_are_one_key_on_the_server_are_one_key(rest, kind, texts):
    rest.make(f"CREATE TABLE t (id {kind} PRIMARY KEY, n int)")
    rows = " UNION ALL ".join(f"SELECT '{text}' AS id, {at} AS n" for at, text in enumerate(texts))
    fails(rest, "OSR-SUPA-125", rows)
    rest.upsert(rows, on_duplicate="last")
    assert rest.sql("SELECT n FROM t") == [(len(texts) - 1,)]


def test_texts_that_are_different_keys_stay_different(rest):
    rest.make("CREATE TABLE t (id numeric PRIMARY KEY)")
    rest.upsert("SELECT unnest(['1', '10', '100', '0.1', '0.01', '-1', '-0.1', '1000.5']) AS id")
    assert rest.sql("SELECT count(*) FROM t") == [(8,)]
    fails(rest, "OSR-SUPA-117", "SELECT '1e3' AS id")


@pytest.mark.parametrize("kind", ["inet", "interval", "jsonb"])
def test_a_text_is_no_key_where_it_is_not_known_which_are_the_same(rest, kind):
    rest.make(f"CREATE TABLE t (id {kind} PRIMARY KEY)")
    fails(rest, "OSR-SUPA-115", "SELECT '1' AS id")
    assert rest.sql("SELECT count(*) FROM t") == [(0,)]
