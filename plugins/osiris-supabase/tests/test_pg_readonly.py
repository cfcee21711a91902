"""SQL that a pipeline brings only reads: attacks on a real server, as a superuser, and queries that must go through."""

from __future__ import annotations

import pytest

from osiris_core.api import DriverError, OsirisError

pytestmark = pytest.mark.matrix

ATTACKS = [
    # more than one statement, and ways out of the parentheses around it
    "SELECT 1; DELETE FROM victim",
    "SELECT 1; COMMIT; DELETE FROM victim",
    "SELECT 1) TO STDOUT; COMMIT; DELETE FROM victim; --",
    "SELECT 1) TO STDOUT; COMMIT; DELETE FROM victim; COPY (SELECT 1",
    "SELECT 1) TO PROGRAM 'touch {file}' --",
    "SELECT 1) TO '{file}' --",
    "SELECT 1) TO PROGRAM $$touch {file}$$ /*",
    "SELECT 1 --\n) TO PROGRAM 'touch {file}'",
    "SELECT 1 /* */ ; /* */ DELETE FROM victim",
    "SELECT 1;\0DELETE FROM victim",
    "SELECT $a$ $b$ $a$; DELETE FROM victim --$b$",
    "SELECT E'\\'; DELETE FROM victim; --'; DELETE FROM victim",
    "SELECT 1 /* /* */ ; DELETE FROM victim; -- */ */; DELETE FROM victim",
    "COMMIT",
    "",
    "-- nothing",
    ";",
    # statements that write
    "DELETE FROM victim",
    "DELETE FROM victim RETURNING id",
    "INSERT INTO victim VALUES (9) RETURNING id",
    "UPDATE victim SET id = 9 RETURNING id",
    "TRUNCATE victim",
    "DROP TABLE victim",
    "CREATE TABLE made (a int)",
    "CREATE TEMP TABLE made AS SELECT 1",
    "SELECT 1 AS a INTO made",
    "SELECT * INTO TEMP made FROM victim",
    "MERGE INTO victim USING victim v ON true WHEN MATCHED THEN DELETE",
    "WITH gone AS (DELETE FROM victim RETURNING id) SELECT * FROM gone",
    "WITH made AS (INSERT INTO victim VALUES (9) RETURNING id) SELECT * FROM made",
    "WITH RECURSIVE a AS (UPDATE victim SET id = 0 RETURNING id) TABLE a",
    "SELECT * FROM victim FOR UPDATE",
    "SELECT * FROM victim FOR NO KEY UPDATE SKIP LOCKED",
    "SELECT * FROM (SELECT * FROM victim FOR SHARE) AS s",
    "LOCK TABLE victim IN ACCESS EXCLUSIVE MODE",
    "COPY victim TO '{file}'",
    "COPY victim TO PROGRAM 'touch {file}'",
    "COPY victim FROM PROGRAM 'echo 9'",
    "EXPLAIN ANALYZE DELETE FROM victim",
    "DO $$BEGIN DELETE FROM victim; END$$",
    "CALL erase_all()",
    "EXECUTE something",
    "PREPARE p AS DELETE FROM victim",
    "DECLARE c CURSOR FOR SELECT 1",
    "FETCH ALL FROM c",
    "VACUUM victim",
    "ANALYZE victim",
    "REFRESH MATERIALIZED VIEW m",
    "NOTIFY channel",
    "LISTEN channel",
    "GRANT ALL ON victim TO PUBLIC",
    "SET TRANSACTION READ WRITE",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SET ROLE postgres",
    "RESET ALL",
    "SHOW data_directory",
    "DISCARD ALL",
    "LOAD 'something'",
    "CHECKPOINT",
    "ALTER SYSTEM SET work_mem = '1MB'",
    # functions that act
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT set_config('default_transaction_read_only', 'off', false)",
    "SELECT pg_catalog.set_config('a.b', 'c', false)",
    "SELECT \"set_config\"('a.b', 'c', false)",
    "SELECT \"pg_catalog\".\"set_config\"('a.b', 'c', false)",
    "SELECT set_config /* */ ('a.b', 'c', false)",
    "SELECT set_config -- \n ('a.b', 'c', false)",
    "SELECT U&\"\\0073et_config\"('a.b', 'c', false)",
    "SELECT SET_CONFIG('a.b', 'c', false)",
    "SELECT * FROM set_config('a.b', 'c', false)",
    "SELECT 1 FROM victim, LATERAL (SELECT set_config('a.b', id::text, false)) AS s",
    "SELECT 1 ORDER BY set_config('a.b', 'c', false)",
    "SELECT count(*) FILTER (WHERE set_config('a.b', 'c', false) = '') FROM victim",
    "SELECT CASE WHEN true THEN nextval('counter') END",
    "SELECT nextval('counter')",
    "SELECT setval('counter', 99)",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT * FROM pg_ls_dir('/')",
    "SELECT pg_stat_file('/etc/passwd')",
    "SELECT pg_sleep(60)",
    "SELECT pg_sleep_for('1 minute')",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_lock(1)",
    "SELECT pg_advisory_xact_lock_shared(1)",
    "SELECT pg_notify('channel', 'x')",
    "SELECT lo_create(4711)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT lo_export(4711, '{file}')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
    "SELECT pg_cancel_backend(1)",
    "SELECT pg_reload_conf()",
    "SELECT pg_rotate_logfile()",
    "SELECT pg_switch_wal()",
    "SELECT pg_create_restore_point('x')",
    "SELECT pg_logical_emit_message(false, 'a', 'b')",
    "SELECT pg_drop_replication_slot('x')",
    "SELECT txid_current()",
    "SELECT pg_current_xact_id()",
    "SELECT pg_export_snapshot()",
    "SELECT current_setting('data_directory')",
    "SELECT query_to_xml('DELETE FROM victim', true, true, '')",
    "SELECT database_to_xml(true, true, '')",
    "SELECT table_to_xml('victim', true, true, '')",
    "SELECT cursor_to_xml('c', 1, true, true, '')",
    "SELECT * FROM ts_stat('SELECT to_tsvector(id::text) FROM victim')",
    "SELECT dblink_exec('{dsn}', 'DELETE FROM victim')",
    "SELECT * FROM dblink('{dsn}', 'DELETE FROM victim RETURNING id') AS t(id int)",
    "SELECT dblink_connect('c', '{dsn}')",
    "SELECT erase_all()",
    "SELECT public.erase_all()",
    "SELECT * FROM victim WHERE erase_all() = 1",
    "SELECT erase_row(v) FROM victim AS v",
    "SELECT v.erase_row FROM victim AS v",
    "SELECT (v).erase_row FROM victim AS v",
    "SELECT liar()",
    "SELECT * FROM reckless",
    "SELECT stale()",
    "SELECT * FROM crosstab('SELECT 1::text, ''a''::text, (dblink_exec' || chr(40) || '''{dsn}'', ''DELETE'')))::text') "
    "AS t(a text, b text)",
    "SELECT * FROM crosstab2('SELECT 1')",
    "SELECT * FROM CrossTab('SELECT 1') AS t(a text)",
    "SELECT * FROM connectby('victim', 'id', 'id', '1', 0) AS t(k int, p int, l int)",
    "SELECT * FROM xpath_table('id', 'x', 'doc', '/a', 'true') AS t(id int, v text)",
    # what no pipeline needs to see
    "SELECT * FROM pg_show_all_settings()",
    "SELECT * FROM pg_show_all_file_settings()",
    "SELECT * FROM pg_hba_file_rules()",
    "SELECT rolname, rolpassword FROM pg_authid",
    "SELECT * FROM pg_catalog.pg_shadow",
    'SELECT * FROM "pg_shadow"',
    "SELECT * FROM pg_hba_file_rules",
    "SELECT * FROM pg_settings",
    "TABLE pg_authid",
    "SELECT * FROM pg_db_role_setting",
    "SELECT rolconfig FROM pg_roles",
    "SELECT * FROM information_schema.user_mapping_options",
    # where the parser's reading and the server's differ
    "SELECT 1 AS \u2028$$, (SELECT max(rolpassword) FROM pg_authid) AS x\u2028$$",
    "SELECT 1 AS €$$, (SELECT max(rolpassword) FROM pg_authid) AS x€$$",
    "SELECT E'a'\n'\\' , ' AS a, (SELECT max(rolpassword) FROM pg_authid) AS b, E'x'\n'\\'x' AS c",
    "SELECT $1",
    "SELECT $1::int",
    "SELECT",
    "VALUES (set_config('a.b', 'c', false))",
    "SELECT (SELECT set_config('a.b', 'c', false)) UNION ALL SELECT 'x'",
    "SELECT array_agg(x) FROM (VALUES (nextval('counter'))) AS v(x)",
    "SELECT 1 FROM victim TABLESAMPLE system (set_config('a.b', '1', false)::float4)",
]

LONG = "erase_" + "e" * 57
LONG_TYPE = "é" * 31
"""Names of 63 and 62 bytes: a server takes no more of any."""

UNCALLED = [
    # functions of one value, read like a column of it
    "SELECT (0.1::float8).pg_sleep AS a",
    "SELECT ('/etc/passwd'::text).pg_read_file AS a",
    "SELECT ('/etc/passwd'::text) . \"pg_read_file\" AS a",
    "SELECT ('/etc/passwd'::text).lo_import AS a",
    "SELECT (4711::oid).lo_create AS a",
    "SELECT (77::bigint).pg_advisory_lock AS a",
    "SELECT ('data_directory'::text).current_setting AS a",
    "SELECT ('SELECT to_tsvector(''a'')'::text).ts_stat AS a",
    "SELECT ('counter'::regclass).nextval AS a",
    "SELECT (1).erase_if AS a",
    "SELECT (ARRAY['/etc/passwd'])[1].pg_read_file AS a",
    "SELECT s.list[1].pg_read_file AS a FROM (SELECT ARRAY['/etc/passwd'] AS list) AS s",
    "SELECT id FROM victim WHERE ((SELECT '/etc/passwd'::text)).pg_read_file <> ''",
    "SELECT f.pg_read_file AS a FROM lower('/etc/passwd') AS f",
    "SELECT lower.pg_read_file AS a FROM lower('/etc/passwd')",
    "SELECT f.pg_read_file AS a FROM unnest(ARRAY['/etc/passwd']) AS f",
    "SELECT f.pg_read_file AS a FROM LATERAL lower('/etc/passwd') AS f",
    "SELECT f.pg_read_file AS a FROM CAST('/etc/passwd' AS text) AS f",
    "SELECT coalesce.pg_read_file AS a FROM coalesce('/etc/passwd'::text)",
    "SELECT f.pg_read_file AS a FROM current_user AS f",
    "SELECT f.pg_read_file AS a FROM lower('/etc/passwd') AS f WHERE EXISTS (SELECT 1 FROM victim AS f)",
    # others
    "SELECT v.erase_more FROM victim AS v",
    "SELECT v.erase_any FROM victim AS v",
    "SELECT erasing(id) FROM victim",
    "SELECT id <-> id AS a FROM victim",
    "SELECT id OPERATOR(public.<->) id AS a FROM victim",
    "SELECT 1 OPERATOR(pg_catalog.+) 2 AS a",
    "SELECT CAST('x' AS mood) AS a",
    "SELECT 'x'::mood AS a",
    "SELECT 1::wary AS a",
    "SELECT CAST(id AS wary) AS a FROM victim",
    # types that are made of a domain
    "SELECT '(1,2)'::pair AS a",
    'SELECT row(1, 2)::"pair" AS a',
    "SELECT a FROM json_populate_record(NULL::pair, '{\"a\": 1}')",
    'SELECT CAST(\'("{""(1,2)""}")\' AS pairs) AS a',
    "SELECT '[1,3)'::span AS a",
    # the row type of a table with a column of one
    "SELECT '(1,2)'::kept AS a",
    "SELECT '(1,2)' :: public . \"kept\" AS a",
    "SELECT CAST('(1,2)' AS kept) AS a",
    "SELECT kept('(1,2)') AS a",
    "SELECT '{}'::kept[] AS a",
    "SELECT '{}'::_kept AS a",
    "SELECT a.n FROM json_populate_record(NULL::kept, '{\"g\": 1}') AS a",
    'SELECT x.r AS a FROM json_to_record(\'{"r": {"g": 1}}\') AS x(r kept)',
    'SELECT x.r AS a FROM json_to_record(\'{"r": {"g": 1}}\') AS x("from" int, r public.kept)',
    "SELECT (json_populate_record(k, '{\"g\": 1}')).n AS a FROM kept AS k",
    "SELECT (jsonb_populate_record(k, '{\"g\": 1}')).n AS a FROM (SELECT * FROM kept) AS k",
    # types that are made of one with a cast
    "SELECT 'x'::text::moody AS a",
    "SELECT row('x'::text)::moods AS a",
    "SELECT '{x}'::text[]::_mood AS a",
    # a name of which the server takes the beginning
    f"SELECT {LONG}_and_more() AS a",
    f'SELECT "{LONG}_and_more"() AS a',
    f"SELECT 1::{LONG_TYPE}éé AS a",
]
"""Functions that run without being called by name."""

LEGAL = [
    "SELECT 1 AS a",
    "SELECT 1 AS a;",
    "SELECT 1 AS a -- the end",
    "/* first */ SELECT 1 AS a /* nested /* comment */ */",
    "SELECT 'it''s; DELETE FROM victim' AS a",
    "SELECT $q$; DROP TABLE victim$q$ AS a",
    "SELECT E'\\'' AS a",
    "SELECT * FROM victim",
    'SELECT id AS "a;b" FROM victim',
    "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(id, name)",
    "WITH v AS (SELECT * FROM victim) SELECT count(*) FROM v",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n",
    "SELECT id FROM victim UNION SELECT 3 EXCEPT SELECT 1",
    "SELECT count(*), sum(id)::numeric(10,2) AS total, avg(id)::numeric(10,2) AS mean FROM victim",
    "SELECT id, row_number() OVER (ORDER BY id DESC) AS n FROM victim",
    "SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM victim",
    "SELECT id, lag(id) OVER w AS before FROM victim WINDOW w AS (ORDER BY id)",
    "SELECT date_trunc('month', now()) AS month",
    "SELECT extract(year FROM timestamp '2024-02-29') AS y",
    "SELECT now() AS a, current_date AS b, current_timestamp AS c, clock_timestamp() AS d",
    "SELECT timestamptz '2024-01-01' AT TIME ZONE 'Europe/Prague' AS local",
    "SELECT to_char(now(), 'YYYY-MM-DD') AS day, to_timestamp(0) AS zero",
    "SELECT age(timestamp '2024-01-01', timestamp '2023-01-01')::text AS a",
    "SELECT d::date AS d FROM generate_series(date '2024-01-01', date '2024-01-05', interval '1 day') AS g(d)",
    "SELECT coalesce(NULL, 1) AS a, nullif(1, 1) AS b, greatest(1, 2) AS c, least(1, 2) AS d",
    "SELECT CASE WHEN id > 1 THEN 'many' ELSE 'one' END AS size FROM victim",
    "SELECT lower('A') || upper('b') AS a, substring('abc' FROM 2 FOR 1) AS b, trim(both ' ' FROM ' x ') AS c",
    "SELECT regexp_replace('abc', 'b+', 'x', 'g') AS a, split_part('a,b', ',', 2) AS b, 'abc' ~ '^a' AS c",
    "SELECT position('b' IN 'abc') AS a, overlay('abc' PLACING 'x' FROM 2 FOR 1) AS b",
    "SELECT string_agg(id::text, ',' ORDER BY id) AS ids, array_agg(id) AS list FROM victim",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY id) AS median, mode() WITHIN GROUP (ORDER BY id) AS m FROM victim",
    "SELECT id % 2 AS odd, count(*) FROM victim GROUP BY ROLLUP (id % 2) HAVING count(*) > 0",
    "SELECT count(*) FILTER (WHERE id > 1) AS n FROM victim",
    "SELECT DISTINCT ON (id % 2) id FROM victim ORDER BY id % 2, id DESC",
    "SELECT '{\"a\":[1,2]}'::jsonb -> 'a' ->> 0 AS a, '{\"a\":1}'::jsonb @> '{\"a\":1}' AS b",
    "SELECT jsonb_build_object('id', id) AS j FROM victim",
    "SELECT e.value AS v FROM jsonb_array_elements('[1,2]'::jsonb) AS e",
    "SELECT k.key AS key, k.value AS value FROM jsonb_each_text('{\"a\":1}') AS k",
    "SELECT jsonb_path_query('[1,2,3]', '$[*] ? (@ > 1)') AS j",
    "SELECT unnest(ARRAY[1, 2, 3]) AS i",
    "SELECT (ARRAY[1, 2, 3])[2:3] AS part, 2 = ANY (ARRAY[1, 2]) AS has",
    "SELECT a.id AS a, b.id AS b FROM victim a LEFT JOIN victim b ON a.id = b.id + 1",
    "SELECT v.id AS id, l.n AS n FROM victim v CROSS JOIN LATERAL (SELECT v.id * 2 AS n) AS l",
    "SELECT id FROM victim WHERE EXISTS (SELECT 1 FROM victim w WHERE w.id > victim.id)",
    "SELECT id FROM victim WHERE id IN (SELECT max(id) FROM victim) ORDER BY id LIMIT 1 OFFSET 0",
    "SELECT id FROM victim ORDER BY id FETCH FIRST 1 ROW ONLY",
    "SELECT id FROM victim TABLESAMPLE bernoulli (100)",
    "SELECT random() >= 0 AS r, gen_random_uuid() AS u",
    "SELECT md5('a') AS m, encode(sha256('a'), 'hex') AS h, hashtext('a') AS t",
    "SELECT round(1.234, 2)::numeric(5,2) AS r, floor(1.5) AS f, power(2, 3) AS p, width_bucket(5, 0, 10, 5) AS w",
    "SELECT int4range(1, 5) * int4range(3, 8) AS r, 3 <@ int4range(1, 5) AS inside",
    "SELECT to_tsvector('english', 'running dogs') @@ to_tsquery('english', 'run') AS found",
    "SELECT '10.0.0.1'::inet << '10.0.0.0/8'::inet AS inside",
    "SELECT similarity FROM (SELECT 1 AS similarity) AS s",
    "SELECT pg_total_relation_size('victim') > 0 AS big, pg_size_pretty(1024::bigint) AS pretty",
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1",
    "SELECT relname, reltuples FROM pg_class WHERE relname = 'victim'",
    "SELECT current_user AS u, current_schema AS s, version() AS v",
    "SELECT x.a AS a FROM json_to_recordset('[{\"a\":1}]') AS x(a int)",
    "SELECT pure(id) AS p FROM victim",
    # names that hold, or are part of, those of types that act
    "SELECT 1 AS unwary, 2 AS wary_count, 'spanning' AS \"the pair\", 'beware' AS x",
    # a table with columns of such a type: what is in it has been checked
    "SELECT count(*) AS n, count(k.g) AS g FROM kept AS k",
    "SELECT count(kept.n) AS n FROM victim JOIN kept ON kept.n = victim.id WHERE NOT EXISTS (SELECT 1 FROM ONLY kept)",
    "SELECT count(*) AS n FROM public.kept, victim LEFT JOIN LATERAL (SELECT 1 FROM kept) AS x ON true",
    # columns with the name of a function that acts
    "SELECT s.erase_if AS a, s.pg_sleep AS b FROM (SELECT 1 AS erase_if, 2 AS pg_sleep) AS s",
    "WITH s AS (SELECT 1 AS erase_if) SELECT s.erase_if FROM s",
    "SELECT s.erase_if AS a FROM (VALUES (1)) AS s(erase_if)",
    "SELECT E'a' AS a, 'č\u00a0' AS c, 1 AS \"b\u00a0\"",
    "SELECT public.pure(2) AS p",
    "SELECT 'set_config' AS delete, 1 AS update FROM victim AS nextval",
    "SELECT grouping(id) AS g, id FROM victim GROUP BY GROUPING SETS ((id), ())",
    "(SELECT 1 AS a) UNION ALL (SELECT 2) ORDER BY 1",
    "SELECT :low::int AS a WHERE :text <> '; DELETE FROM victim'",
]


@pytest.fixture(scope="module")
def besieged(tmp_path_factory, postgres_server, postgres_bench):
    with postgres_server.new_database("osiris_besieged") as name:
        bench = postgres_bench(tmp_path_factory.mktemp("besieged"), postgres_server, name)
        bench.sql("CREATE TABLE victim (id int4); INSERT INTO victim VALUES (1), (2); CREATE SEQUENCE counter")
        bench.sql("CREATE FUNCTION erase_all() RETURNS int LANGUAGE sql AS 'DELETE FROM victim RETURNING 1'")
        bench.sql("CREATE FUNCTION erase_row(victim) RETURNS int LANGUAGE sql AS 'DELETE FROM victim RETURNING 1'")
        bench.sql("CREATE FUNCTION pure(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1'")
        bench.sql(
            "CREATE FUNCTION liar() RETURNS int IMMUTABLE LANGUAGE plpgsql AS "
            "'BEGIN DELETE FROM victim; RETURN 1; END'; CREATE VIEW reckless AS SELECT erase_all() AS a"
        )
        erasing = "LANGUAGE sql AS 'DELETE FROM victim RETURNING 1'"
        bench.sql(
            f"CREATE FUNCTION erase_more(victim, x int DEFAULT 0) RETURNS int {erasing};"
            f"CREATE FUNCTION erase_any(victim, VARIADIC x int[] DEFAULT '{{}}') RETURNS int {erasing};"
            f"CREATE FUNCTION erase_two(int, int) RETURNS int {erasing};"
            "CREATE FUNCTION stale() RETURNS int STABLE LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';"
            "CREATE AGGREGATE erasing(int) (SFUNC = erase_two, STYPE = int);"
            "CREATE OPERATOR <-> (LEFTARG = int, RIGHTARG = int, FUNCTION = erase_two);"
            "CREATE TYPE mood AS (a int);"
            "CREATE FUNCTION to_mood(text) RETURNS mood LANGUAGE sql AS 'DELETE FROM victim RETURNING row(1)::mood';"
            "CREATE CAST (text AS mood) WITH FUNCTION to_mood(text);"
            "CREATE FUNCTION erase_if(int) RETURNS bool LANGUAGE sql AS 'DELETE FROM victim RETURNING true';"
            "CREATE DOMAIN wary AS int CHECK (erase_if(VALUE));"
            "CREATE TYPE pair AS (a wary, b int); CREATE TYPE pairs AS (p pair[]);"
            "CREATE TYPE span AS RANGE (subtype = wary); CREATE TABLE kept (g wary, n int);"
            "CREATE DOMAIN moody AS mood; CREATE TYPE moods AS (m mood);"
            f"CREATE FUNCTION {LONG}() RETURNS int {erasing};"
            f"CREATE DOMAIN {LONG_TYPE} AS int CHECK (erase_if(VALUE))"
        )
        for extension in ("tablefunc", "xml2", "pg_trgm", "hstore", "uuid-ossp", "citext", "pgcrypto"):
            if bench.sql(f"SELECT 1 FROM pg_available_extensions WHERE name = '{extension}'"):
                bench.sql(f'CREATE EXTENSION "{extension}"')
        bench.sql("CREATE TABLE made_before AS SELECT relname FROM pg_class")
        if bench.sql("SELECT 1 FROM pg_available_extensions WHERE name = 'dblink'"):
            bench.sql("CREATE EXTENSION dblink")
        yield bench


def state(bench):
    return bench.sql(
        "SELECT (SELECT array_agg(id ORDER BY id) FROM victim), (SELECT last_value FROM counter), "
        "(SELECT is_called FROM counter), (SELECT count(*) FROM pg_class WHERE relname = 'made'), "
        "(SELECT count(*) FROM pg_largeobject_metadata), "
        "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"
    )


@pytest.mark.parametrize("sql", [*ATTACKS, *UNCALLED])
def test_an_attack_is_refused_and_changes_nothing(besieged, tmp_path, sql):
    before = state(besieged)
    file = tmp_path / "made"
    tmp_path.chmod(0o777)
    dsn = besieged.server.dsn(database=besieged.database)
    with pytest.raises(DriverError) as caught:
        besieged.read("extractor", query=sql.replace("{file}", str(file)).replace("{dsn}", dsn) or " ")
    assert caught.value.code in ("OSR-PG-020", "OSR-PG-021", "OSR-PG-026", "OSR-PG-027", "OSR-PG-023")
    assert state(besieged) == before
    assert not file.exists()


@pytest.mark.parametrize("sql", [*UNCALLED, "SELECT stale()", "SELECT * FROM connectby('a', 'b', 'c', '1', 0)"])
def test_functions_are_refused_before_the_server_runs_them(besieged, sql):
    with pytest.raises(DriverError, match=r"more than compute|OPERATOR\(…\)"):
        besieged.read("extractor", query=sql)


@pytest.mark.parametrize(
    "condition", ["true) OR (true", "true; DELETE FROM victim", "true -- x", "erase_all() = 1", "(", ")"]
)
def test_a_condition_is_one_condition_that_reads(besieged, condition):
    if condition == "true -- x":
        assert len(besieged.rows("extractor", table="victim", where=condition)) == 2
        return
    with pytest.raises(DriverError) as caught:
        besieged.read("extractor", table="victim", where=condition)
    assert caught.value.code in ("OSR-PG-020", "OSR-PG-026")


@pytest.mark.parametrize("table", ["pg_authid", "pg_shadow", "pg_settings", "pg_user_mapping"])
def test_what_the_server_keeps_of_others_is_refused_by_table_too(besieged, table):
    with pytest.raises(DriverError, match="which holds what no pipeline needs") as caught:
        besieged.read("extractor", table=table, schema="pg_catalog")
    assert caught.value.code == "OSR-PG-020"


@pytest.mark.parametrize("sql", LEGAL)
def test_a_query_that_reads_is_let_through(besieged, sql):
    params = {"low": -1, "text": "a'; DELETE FROM victim; --"} if ":low" in sql else {}
    found = besieged.read("extractor", query=sql, query_params=params)
    assert found.num_rows > 0


EXTENDED = [
    ("pg_trgm", "SELECT similarity('a', 'b') AS a, 'a' % 'b' AS b"),
    ("hstore", "SELECT hstore('a', 'b') -> 'a' AS a"),
    ("uuid-ossp", "SELECT uuid_generate_v4() AS a"),
    ("citext", "SELECT 'A'::citext = 'a'::citext AS a"),
    ("pgcrypto", "SELECT digest('a', 'sha256') AS a"),
]


@pytest.mark.parametrize(("extension", "sql"), EXTENDED)
def test_the_functions_of_known_extensions_are_let_through(besieged, extension, sql):
    if not besieged.sql(f"SELECT 1 FROM pg_extension WHERE extname = '{extension}'"):
        pytest.skip("the server does not have the extension")
    assert besieged.read("extractor", query=sql).num_rows == 1


@pytest.mark.parametrize("name", ["stale", "public.Stale"])
def test_a_person_may_allow_a_function_on_the_connection(besieged, name):
    with pytest.raises(DriverError) as caught:
        besieged.read("extractor", query="SELECT stale() AS a")
    assert "allow_functions" in caught.value.hint
    besieged.use(allow_functions=[name])
    try:
        assert besieged.rows("extractor", query="SELECT stale() AS a") == [(1,)]
        with pytest.raises(DriverError):
            besieged.read("extractor", query="SELECT erase_all() AS a")
    finally:
        besieged.use()


@pytest.mark.parametrize("name", ["crosstab", "pg_reload_conf", "dblink_exec"])
def test_what_the_server_brings_and_what_runs_text_cannot_be_allowed(besieged, name):
    besieged.use(allow_functions=[name])
    try:
        with pytest.raises(DriverError) as caught:
            besieged.read("extractor", query=f"SELECT {name}() AS a")
    finally:
        besieged.use()
    assert (caught.value.code, caught.value.hint) == ("OSR-PG-026", None)


def test_without_the_parser_the_server_alone_refuses_what_writes(besieged):
    """The fences behind the first: one statement, within COPY, in a read-only transaction."""
    from osiris_supabase.postgres.begin import begin
    from osiris_supabase.postgres.extractor import reading_session
    from osiris_supabase.postgres.failures import ServerFailure

    before = state(besieged)
    for sql in ("SELECT 1) TO STDOUT; COMMIT; DELETE FROM victim; --", "DELETE FROM victim RETURNING 1",
                "SELECT erase_all()", "SELECT nextval('counter')", "SELECT * FROM victim FOR UPDATE"):  # fmt: skip
        session = reading_session(besieged.context("extractor"))
        try:
            begin(session, besieged.connection, read_only=True)
            with pytest.raises(ServerFailure):
                list(session.copy_out(f"COPY (\n{sql}\n) TO STDOUT"))
        finally:
            session.close()
    assert state(besieged) == before


def test_a_statement_that_takes_too_long_is_ended(besieged):
    besieged.use(statement_timeout=1.0)
    try:
        with pytest.raises(OsirisError) as caught:
            besieged.read(
                "extractor", query="SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b"
            )
    finally:
        besieged.use()
    assert caught.value.code == "OSR-PG-009"
