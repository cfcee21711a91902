"""Extract SQL only reads: what the parser refuses, what the server's fences stop besides, and what passes."""

from __future__ import annotations

import pytest

from osiris_core.api import DriverError, OsirisError
from osiris_mysql.extractor import reading_session
from osiris_mysql.functions import RULES
from osiris_mysql.private import folded
from osiris_mysql.result import prepare
from osiris_sql.readonly import MOST_BYTES, Refused, read_only

pytestmark = pytest.mark.matrix

OUT = "/tmp/osiris-attack"  # never written

ATTACKS = [
    # files and the system
    f"select * from t into outfile '{OUT}'",
    f"select 1 into outfile '{OUT}'",
    f"select 1 into dumpfile '{OUT}'",
    f"(select 1) into outfile '{OUT}'",
    f"select 1 /*! into outfile '{OUT}' */",
    f"select 1 /*!50000 into outfile '{OUT}' */",
    f"select 1 /*M! into outfile '{OUT}' */",
    f"select 1 /*M!100100 into outfile '{OUT}' */",
    f"select 1 union select 2 into outfile '{OUT}'",
    "select load_file('/etc/passwd')",
    "select LOAD_FILE ('/etc/passwd')",
    "select `load_file`('/etc/passwd')",
    "select load_file/**/('/etc/passwd')",
    "select 1--load_file('/etc/passwd')",
    "select 1--(select load_file('/etc/passwd'))",
    "select 'a' 'b', load_file(0x2f6574632f706173737764)",
    "select * from t where a = load_file('/etc/passwd')",
    "select (select (select load_file('/etc/passwd')))",
    "with x as (select load_file('/etc/passwd') f) select * from x",
    "select sys_exec('id')",
    "select sys_eval('id')",
    "load data infile '/etc/passwd' into table t",
    "load data local infile '/etc/passwd' into table t",
    # time and locks
    "select sleep(60)",
    "select SLEEP (60)",
    "select `sleep`(60)",
    "select * from t where sleep(60)",
    "select benchmark(1e9, md5('x'))",
    "select get_lock('x', 60)",
    "select release_lock('x')",
    "select release_all_locks()",
    "select master_pos_wait('x', 1)",
    "select master_gtid_wait('0-1-1')",
    "select source_pos_wait('x', 1)",
    "select wait_for_executed_gtid_set('x')",
    "select * from t for update",
    "select * from t for update skip locked",
    "select * from t for share",
    "select * from t lock in share mode",
    "select * from (select * from t for update) x",
    "select a from t union select a from t for update",
    "lock tables t write",
    "flush tables with read lock",
    # state
    "select 1 into @v",
    "select a into @v from t",
    "select @v := 1",
    "select a, @n := @n + 1 from t",
    "select @v",
    "set @v = 1",
    "set global general_log = 1",
    "set session transaction read write",
    "set statement max_statement_time = 0 for select 1",
    "select /*+ SET_VAR(max_execution_time = 0) */ 1",
    "select /*+ MAX_EXECUTION_TIME(0) */ 1",
    "select nextval(s)",
    "select next value for s",
    "select setval(s, 5)",
    "select last_insert_id(7)",
    "select uuid_short()",
    # more than one statement, or another kind
    "select 1; delete from t",
    "select 1; select 2",
    "select 1;; drop table t",
    "select ';' ; drop table t -- '",
    "delete from t",
    "delete from t returning a",
    "with x as (select 1) delete from t",
    "with x as (select 1) update t set a = 1",
    "insert into t values (1)",
    "insert into t select 1",
    "insert into t values (1) returning a",
    "replace into t values (1)",
    "update t set a = 1",
    "truncate table t",
    "drop table t",
    "create table u as select 1",
    "create temporary table u as select 1",
    "alter table t add b int",
    "rename table t to u",
    "grant all on *.* to x",
    "call p()",
    "do sleep(1)",
    "handler t open",
    "handler t read first",
    "prepare x from 'delete from t'",
    "execute immediate 'delete from t'",
    "begin not atomic delete from t; end",
    "start transaction",
    "commit",
    "kill 1",
    "shutdown",
    "install plugin x soname 'x.so'",
    "analyze table t",
    "optimize table t",
    "explain delete from t",
    "explain select 1",
    "describe t",
    "show tables",
    "use mysql",
    "xa start 'x'",
    "backup stage start",
    "select * from t procedure analyse()",
    # functions nobody knows
    "select my_function(1)",
    "select other.my_function(1)",
    "select other.lower('x')",
    "select sys.execute_prepared_stmt('delete from t')",
    "select spider_direct_sql('x', 'y', 'z')",
    "select http_get('http://127.0.0.1')",
    # functions that the parser knows and the server does not: stored ones
    "select initcap(b) from t",
    "select INITCAP (b) from t",
    "select `initcap`(b) from t",
    "select other.initcap(b) from t",
    "select distinct initcap(b) from t",
    "select sql_no_cache initcap(b) from t",
    "select max(initcap(b)) from t",
    "select a from t where a = any (select initcap(b) from t)",
    "select a from t order by initcap(b)",
    "select convert(initcap(b), char) from t",
    "select convert((select initcap(b)), char) from t",
    "with initcap(n) as (select 1) select initcap(n) from initcap",
    "select safe_divide(a, 2) from t",
    "select array_size(b) from t",
    "select datetime(b) from t",
    "select `in`(1)",
    "select `any`(select 1)",
    "select any(1)",
    # text the parser and the server might see differently
    'select "a" "; drop table t; select " ; drop table t',
    "select 1 /* /* */ ; drop table t */",
    "select 1 # x\n; drop table t",
    "select 1 -- x\n; drop table t",
    "select 1 -- x\r; drop table t\n; drop table t",
    "select 1 /* open",
    "select 'open",
    "select `open",
    "select \x00 1",
    "select 1 \x1a; drop table t",
    "",
    "-- nothing",
    ";",
    "(" * 400 + "select 1" + ")" * 400,
    "select " + "(" * 400 + "1" + ")" * 400,
    "select '" + "x" * MOST_BYTES + "'",
]

LEGAL = [
    "select * from t",
    "SELECT a, b FROM t WHERE a > 1 ORDER BY b DESC LIMIT 5 OFFSET 1",
    "select a from t limit 1, 2",
    "select 1 + 1 as two -- a comment\n",
    "select 1 as one # a comment",
    "select /* a comment */ 1 as one;",
    "select 'a--b' as x, '/* no comment */' as y, \"double # quoted\" as z, '#' as w",
    "select 'it''s' as x, 'back\\'slash' as y, 'a;b' as z",
    "select '\\' ; drop table t; -- ' as x",
    "select a - -1 as x from t",
    "select count(*) as n, count(distinct b) as d, sum(a) as s, avg(a) as m, min(b) as lo, max(b) as hi from t",
    "select b, count(*) as n from t group by b having count(*) >= 1 order by n desc, b",
    "select b, sum(a) as s from t group by b with rollup",
    "select distinct b from t",
    "select t.a, u.a as ua from t join t as u on u.a = t.a + 1",
    "select t.a, u.a as ua from t left join t u using (a)",
    "select x.a from t x, t y where x.a = y.a",
    "select x.a from t x cross join t y",
    "select straight_join x.a from t x join t y on x.a = y.a",
    "select a from t union all select a from t",
    "select a from t union select a from t order by a limit 3",
    "select a from t intersect select a from t",
    "select a from t except select 1",
    "(select a from t limit 1) union all (select a from t limit 1)",
    "with x as (select a from t) select * from x",
    "with recursive c(n) as (select 1 union all select n + 1 from c where n < 5) select n from c",
    "select * from (select a, b from t) as x where x.a in (select a from t)",
    "select a from t where exists (select 1 from t u where u.a = t.a)",
    "select (select max(a) from t) as m",
    "select a, row_number() over (order by a) as n, lag(a) over w as p from t window w as (order by a)",
    "select a, sum(a) over (partition by b order by a rows between 1 preceding and current row) as s from t",
    "select rank() over (order by b) as r, dense_rank() over (order by b) as d, ntile(2) over (order by a) as q from t",
    "select case when a > 1 then 'big' else 'small' end as size, if(a > 1, 1, 0) as f, ifnull(b, '') as i from t",
    "select coalesce(b, 'x') as c, nullif(b, 'x') as n, greatest(a, 2) as g, least(a, 2) as l from t",
    "select concat(b, '-', a) as c, concat_ws(',', a, b) as w, upper(b) as u, lower(b) as l, length(b) as n from t",
    "select substring(b, 1, 2) as s, left(b, 1) as l, right(b, 1) as r, trim(both 'x' from b) as t, replace(b, 'x', 'y') as y from t",
    "select lpad(a, 5, '0') as l, rpad(b, 5, '.') as r, repeat('ab', 3) as p, reverse(b) as v, hex(b) as h from t",
    "select b from t where b like 'x%' and b not like '%--%' and b regexp '^[a-z]' and b rlike 'x'",
    "select regexp_replace(b, '[0-9]', '') as x, locate('x', b) as l, instr(b, 'x') as i, substring_index(b, ',', 1) as s from t",
    "select d, date(d) as day, year(d) as y, month(d) as m, dayofweek(d) as w, extract(hour from d) as h from t",
    "select date_add(d, interval 1 day) as x, d - interval 2 hour as y, datediff(now(), d) as n from t",
    "select date_format(d, '%Y-%m') as ym, str_to_date('2024-01-02', '%Y-%m-%d') as s, last_day(d) as l from t",
    "select timestampdiff(day, d, '2030-01-01') as n, unix_timestamp(d) as u, from_unixtime(0) as f, convert_tz(d, '+00:00', '+02:00') as z from t",
    "select d from t where d between '2020-01-01' and '2030-01-01' and d is not null",
    "select cast(a as char) as c, cast(b as binary) as y, convert(a, decimal(10,2)) as n, cast('7' as unsigned) as u, cast('-7' as signed) as s from t",
    "select convert(b using utf8mb4) as c, b collate utf8mb4_bin as k, _utf8mb4'x' as i from t",
    "select round(a / 3, 2) as r, floor(a / 2) as f, ceil(a / 2) as c, mod(a, 2) as m, a div 2 as d, a % 2 as p, abs(-a) as x, power(a, 2) as w from t",
    "select json_extract(j, '$.k') as e, json_unquote(json_extract(j, '$.k')) as u, json_object('a', a) as o, json_array(a, b) as r from t",
    "select json_valid(j) as v, json_length(j) as n, json_value(j, '$.k') as k from t",
    "select jt.x from t, json_table('[1,2]', '$[*]' columns (x int path '$')) as jt",
    "select group_concat(distinct b order by b separator '; ') as g from t",
    "select json_arrayagg(a) as r from t",
    "select md5(b) as m, sha2(b, 256) as s, crc32(b) as c, to_base64(b) as x from t",
    "select st_astext(point(1, 2)) as p, st_x(point(1, 2)) as x",
    "select inet_ntoa(2130706433) as i, bin(5) as b, conv('ff', 16, 10) as c, format(1234.5, 1) as f",
    "select a from t use index (primary) where a <=> 1",
    "select `a` as `odd ``name`` #1`, b as `select` from `t`",
    "select 0x41 as x, x'42' as y, b'101' as z, 1e3 as e, .5 as p, true as t, null as n",
    "select a from t where (a, b) in (select a, b from t)",
    "select a from t where a in (1, 2, 3) and not (b = 'y' or b is null) xor false",
    "select std(a) as s, variance(a) as v, bit_or(a) as o from t",
    "select field(b, 'x', 'y') as f, elt(1, 'x') as e, find_in_set('x', 'x,y') as s, strcmp('a', 'b') as c from t",
    "select database() as d, current_user() as u, version() as v, connection_id() as c, @@sql_mode as m",
    "select uuid() as u, rand(1) as r, utc_timestamp() as t, current_timestamp as c",
    "select 1 as one from dual",
    "select cast(d as datetime(6)) as x, convert(d, datetime(6)) as y, convert(d, time(3)) as z from t",
    "select jt.x from json_table('[null]', '$[*]' columns (x datetime(6) path '$', n decimal(4,1) path '$')) as jt",
    "select a from t where a = any (select a from t) or a > all (select a from t)",
    "select count(distinct(a)) as n from t use index for order by (primary)",
    "with x(n, m) as (select a, b from t), y (k) as (select n from x) select n, k from x, y",
    "select localtime() as l, case (a) when (1) then (2) else (3) end as c from t where not(a) or (a) in (1)",
    "values (1, 2), (3, 4)",
    "select * from (values (1, 2), (3, 4)) as v",
    "table t",
]


@pytest.mark.parametrize("sql", ATTACKS)
def test_the_parser_refuses(sql):
    with pytest.raises(Refused) as caught:
        read_only(sql, RULES)
    assert 0 < len(str(caught.value)) < 300


def test_there_are_enough_attacks_and_queries():
    assert len(set(ATTACKS)) >= 141
    assert len(set(LEGAL)) >= 74


@pytest.fixture
def table(bench):
    bench.sql(
        "CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(20), d DATETIME, j JSON)",
        "INSERT INTO t VALUES (1, 'x', '2024-05-06 07:08:09', '{\"k\": 1}'), (2, 'y', NULL, NULL), (3, NULL, NULL, '{}')",
        "CREATE SEQUENCE s",
        "CREATE FUNCTION my_function(x INT) RETURNS INT DETERMINISTIC RETURN x + 1",
        "CREATE FUNCTION writes(x INT) RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM t; RETURN x; END",
    )
    return bench


def test_no_attack_changes_anything(table, tmp_path):
    before = table.content("t")
    for sql in ATTACKS:
        if sql:
            with pytest.raises(DriverError) as caught:
                table.rows("extractor", query=sql)
            assert caught.value.code == "OSR-MYSQL-021", sql
    assert table.content("t") == before
    assert table.sql("SELECT next_not_cached_value FROM s") == ((1,),)


def test_every_legal_query_runs(table):
    refused = {}
    for sql in LEGAL:
        try:
            table.read("extractor", query=sql)
        except OsirisError as error:
            refused[sql] = str(error)
    # These two are the server's: MariaDB has no TABLE statement, and its VALUES names columns by their first values.
    allowed = {"table t", "values (1, 2), (3, 4)"}
    assert {sql: why for sql, why in refused.items() if sql not in allowed} == {}


WRITES = [
    "delete from t",
    "insert into t (a) values (9)",
    "update t set a = a + 10",
    "select writes(1)",
    "create table u (a int)",
    "create temporary table u (a int)",
    "drop table t",
    "truncate table t",
    "select nextval(s)",
    "select * from t for update",
]


@pytest.mark.parametrize("sql", WRITES)
def test_the_transaction_stops_what_the_parser_would_not(table, sql):
    """The second and third fence by themselves: a statement that the server prepares, in a read-only transaction."""
    before = table.content("t")
    config = table.configured("extractor", {"table": "t"})
    session = reading_session(config, table.context("extractor"))
    try:
        with pytest.raises(OsirisError) as caught:
            session.run(sql)
        assert caught.value.code == "OSR-MYSQL-021"
    finally:
        session.close()
    assert table.content("t") == before


@pytest.mark.parametrize("sql", ["select 1; select 2", "select 1; delete from t", "delete from t", "do 1"])
def test_the_server_prepares_one_query_only(table, sql):
    session = reading_session(table.configured("extractor", {"table": "t"}), table.context("extractor"))
    try:
        with pytest.raises(DriverError) as caught:
            prepare(session, sql, "the query")
        assert caught.value.code in {"OSR-MYSQL-021", "OSR-MYSQL-022"}
    finally:
        session.close()
    assert len(table.content("t")) == 3


def test_a_stored_function_needs_to_be_named(table):
    query = "SELECT my_function(a) AS x FROM t ORDER BY a"
    with pytest.raises(DriverError) as caught:
        table.rows("extractor", query=query)
    assert (caught.value.code, "allow_functions" in caught.value.hint) == ("OSR-MYSQL-021", True)
    table.use(allow_functions=["My_Function"])
    assert table.rows("extractor", query=query) == [(2,), (3,), (4,)]
    qualified = f"SELECT {table.database}.my_function(1) AS x"
    with pytest.raises(DriverError):
        table.rows("extractor", query=qualified)
    table.use(allow_functions=[f"{table.database}.my_function"])
    assert table.rows("extractor", query=qualified) == [(2,)]


def test_a_stored_function_whose_name_the_parser_knows_needs_to_be_named_too(table):
    table.sql("CREATE FUNCTION initcap(x TEXT) RETURNS TEXT RETURN CONCAT('stored ', x)")
    query = "SELECT initcap(b) AS x FROM t WHERE a = 1"
    with pytest.raises(DriverError) as caught:
        table.rows("extractor", query=query)
    assert (caught.value.code, "allow_functions" in caught.value.hint) == ("OSR-MYSQL-021", True)
    with pytest.raises(DriverError):
        table.rows("extractor", table="t", where="initcap(b) = 'x'")
    table.use(allow_functions=["initcap"])
    assert table.rows("extractor", query=query) == [("stored x",)]


@pytest.mark.parametrize("call", ["roles_graphml()", "ROLES_GRAPHML ()", "`roles_graphml`()"])
def test_a_stored_function_with_a_name_of_other_servers_needs_to_be_named_too(table, call):
    """MySQL has this function, MariaDB has not."""
    table.sql("CREATE FUNCTION roles_graphml() RETURNS INT RETURN GET_LOCK('osiris-attack', 0)")
    query = f"SELECT {call} AS x"
    with pytest.raises(DriverError) as caught:
        table.rows("extractor", query=query)
    assert (caught.value.code, "allow_functions" in caught.value.hint) == ("OSR-MYSQL-021", True)
    with pytest.raises(DriverError):
        table.rows("extractor", table="t", where=f"{call} = 1")
    table.use(allow_functions=["Roles_GraphML"])
    assert table.rows("extractor", query=query) == [(1,)]


def test_what_is_denied_cannot_be_allowed(table):
    table.use(allow_functions=["sleep", "load_file", "sys_exec"])
    for query in ("SELECT sleep(1) AS x", "SELECT load_file('/etc/passwd') AS x", "SELECT sys_exec('id') AS x"):
        with pytest.raises(DriverError) as caught:
            table.rows("extractor", query=query)
        assert caught.value.code == "OSR-MYSQL-021"


def test_a_stored_function_that_writes_is_stopped_by_the_server(table):
    table.use(allow_functions=["writes"])
    with pytest.raises(DriverError) as caught:
        table.rows("extractor", query="SELECT writes(1) AS x")
    assert caught.value.code == "OSR-MYSQL-021"
    assert len(table.content("t")) == 3


PRIVATE = [
    # the server's own databases: passwords, other sessions, other servers, paths
    "select * from mysql.user",
    "select User, authentication_string from mysql.user",
    "select * from mysql.global_priv",
    "select * from mysql.proxies_priv",
    "select * from mysql.servers",
    "select * from mysql.general_log",
    "select * from mysql.slow_log",
    "select * from mysql.proc",
    "select * from mysql.column_stats",
    "select * from `mysql`.`global_priv`",
    "select * from `mysql`.global_priv",
    "select * from mysql . global_priv",
    "select * from mysql/**/./**/global_priv",
    "select * from mysql -- x\n.\nglobal_priv",
    "select * from MySQL.Global_Priv",
    "select * from mysql.global_priv as t",
    "select p.Priv from mysql.global_priv p",
    "select mysql.global_priv.Priv from mysql.global_priv",
    "select t.a, p.Priv from t, mysql.global_priv p",
    "select t.a, p.Priv from t join mysql.global_priv p on true",
    "select t.a from t left join (mysql.global_priv as p) on p.User = t.b",
    "select * from (mysql.global_priv)",
    "select * from (t, mysql.global_priv)",
    "select * from (select * from mysql.global_priv) as x",
    "select (select max(Priv) from mysql.global_priv) as x",
    "select a from t where exists (select 1 from mysql.global_priv where Priv like '%*A%')",
    "select a from t where b in (table mysql.global_priv)",
    "select a from t order by (select max(Priv) from mysql.global_priv)",
    "select a from t union select Priv from mysql.global_priv",
    "with x as (select * from mysql.global_priv) select * from x",
    "with mysql as (select 1) select * from mysql.global_priv",
    "with t as (select 1 as b) select * from t where b in (select User from mysql.global_priv)",
    "table mysql.global_priv",
    "(table mysql.global_priv)",
    "select * from mysql.global_priv use index (primary)",
    "select * from performance_schema.threads",
    "select * from performance_schema.processlist",
    "select * from performance_schema.events_statements_history",
    "select * from performance_schema.events_statements_summary_by_digest",
    "select * from performance_schema.user_variables_by_thread",
    "select * from performance_schema.setup_actors",
    "select * from performance_schema.prepared_statements_instances",
    "select * from performance_schema.session_connect_attrs",
    "select * from performance_schema.file_instances",
    "select * from performance_schema.global_variables",
    "select * from performance_schema.replication_connection_configuration",
    "select * from performance_schema.not_made_yet",
    "select * from sys.processlist",
    "select * from sys.session",
    "select * from sys.x$statement_analysis",
    "select * from sys.schema_table_lock_waits",
    "select * from information_schema.processlist",
    "select * from INFORMATION_SCHEMA.PROCESSLIST",
    "select info from `information_schema` . `ProcessList` as x",
    "select * from İnformation_schema.processlist",
    "select * from information_schema.global_variables",
    "select * from information_schema.system_variables",
    "select * from information_schema.innodb_trx",
    "select * from information_schema.innodb_locks",
    "select * from information_schema.innodb_ft_index_table",
    "select * from information_schema.files",
    "select * from information_schema.column_statistics",
    # variables
    "select @@datadir",
    "select @@DataDir",
    "select @@global.datadir",
    "select @@secure_file_priv",
    "select @@`datadir`",
    "select @@global.`datadir`",
    "select @@local.datadir",
    "select @@session . datadir",
    "select @@basedir, @@sql_mode",
    "select @@ssl_key",
    "select @@init_connect",
    "select @@default.key_buffer_size",
    "select a from t where b = @@datadir",
    "with x as (select @@datadir as d) select d from x",
]

PUBLIC = [
    "select table_name, table_rows from information_schema.tables where table_schema = database()",
    "select column_name from INFORMATION_SCHEMA.COLUMNS where table_name = 't'",
    "select c.column_name as n from `information_schema`.`columns` c join information_schema.tables t using (table_name)",
    "select information_schema.tables.table_name as n from information_schema.tables",
    "select * from information_schema.statistics",
    "select * from information_schema.key_column_usage",
    "select * from information_schema.referential_constraints",
    "select * from information_schema.views",
    "select schema_name from information_schema.schemata",
    "select variable_name as n, variable_value as v from information_schema.global_status",
    "select name from mysql.time_zone_name",
    "select name from mysql.help_topic limit 1",
    "select object_name from performance_schema.table_io_waits_summary_by_table",
    "select * from performance_schema.global_status",
    "select user as u, host as h from (select 'a' as user, 'b' as host) as servers",
    "select `user`.a as x, threads.b as y from t as `user`, t as threads",
    "select 'mysql.global_priv' as x, \"information_schema.processlist\" as y, 'user@@datadir' as z -- mysql.user @@datadir",
    "with processlist as (select 1 as one) select processlist.one from processlist",
    "select @@sql_mode as m, @@session.time_zone as z, @@global.max_allowed_packet as p, @@version as v, @@server_id as s",
]


@pytest.mark.parametrize("sql", PRIVATE)
def test_what_the_server_keeps_of_others_is_refused(table, sql):
    """By name, and before the server is asked; only where the parser does not read it, it says so instead."""
    with pytest.raises(DriverError, match=r"no pipeline needs|cannot be parsed|begins with 'table'") as caught:
        table.read("extractor", query=sql)
    assert caught.value.code == "OSR-MYSQL-021"
    with pytest.raises(DriverError) as caught:
        table.read("extractor", table="t", columns=["a"], where=f"exists ({sql})")
    assert caught.value.code == "OSR-MYSQL-021"


def test_it_is_the_name_that_is_refused():
    """What of it all the parser does not read is little."""
    unread = []
    for sql in PRIVATE:
        try:
            read_only(sql, RULES)
        except Refused:
            unread.append(sql)
    assert set(unread) <= {"table mysql.global_priv", "select @@global.`datadir`", "select @@default.key_buffer_size"}


@pytest.mark.parametrize("sql", PUBLIC)
def test_the_catalog_and_the_counters_may_be_read(table, sql):
    assert table.read("extractor", query=sql).num_columns > 0


@pytest.mark.parametrize(
    ("database", "hidden"),
    [("mysql", "global_priv"), ("MYSQL", "global_priv"), ("performance_schema", "threads"), ("sys", "session"),
     ("information_schema", "processlist"), ("information_schema", "PROCESSLIST")],
)  # fmt: skip
def test_a_table_of_the_servers_own_is_refused_by_table_too(table, database, hidden):
    with pytest.raises(DriverError, match="which holds what no pipeline needs") as caught:
        table.read("extractor", table=hidden, database=database)
    assert caught.value.code == "OSR-MYSQL-021"
    with pytest.raises(DriverError, match="which holds what no pipeline needs"):
        table.read("extractor", table=hidden, database=database, partition_on="Host", parts=2)


@pytest.mark.parametrize(
    ("database", "hidden", "open_"),
    [("mysql", "global_priv", "time_zone_name"), ("performance_schema", "threads", "global_status"),
     ("information_schema", "processlist", "tables")],
)  # fmt: skip
def test_a_connection_to_the_servers_own_database_hides_as_much(table, database, hidden, open_):
    table.use(database=database)
    refused = [
        f"select * from {hidden}",
        f"select * from `{hidden.upper() if database == 'information_schema' else hidden}`",
        f"select x.* from {hidden} as x",
        f"(table {hidden})",
        f"select 1 as x from {open_} where 1 in (select 1 from {hidden})",
        f"with x as (select * from {hidden}) select * from x",
        f"with {hidden} as (select * from {hidden}) select * from {hidden}",
        f"select * from {hidden} where 1 in (with {hidden} as (select 1 as x) select x from {hidden})",
    ]
    for sql in refused:
        with pytest.raises(DriverError, match="which holds what no pipeline needs"):
            table.read("extractor", query=sql)
    with pytest.raises(DriverError, match="which holds what no pipeline needs"):
        table.read("extractor", table=hidden)
    assert table.read("extractor", query=f"select count(*) as n from {open_}").num_rows == 1
    assert table.read("extractor", table=open_, limit=1).num_columns > 0
    assert table.rows("extractor", query="with mine as (select 1 as one) select one from mine") == [(1,)]


def test_names_of_databases_are_compared_as_a_server_might(bench):
    """Every character that a collation of names takes for an ASCII letter is taken for it here too."""
    bench.sql("CREATE TABLE c (n INT, c CHAR(1) CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci)")
    codes = [code for code in range(0x80, 0x10000) if not 0xD800 <= code < 0xE000]
    for at in range(0, len(codes), 5000):
        rows = ", ".join(f"({code}, _utf8mb3 x'{chr(code).encode().hex()}')" for code in codes[at : at + 5000])
        bench.sql(f"INSERT INTO c VALUES {rows}")
    alike = bench.sql(
        "SELECT n, l FROM c, (SELECT DISTINCT CHAR(97 + n % 26 USING utf8mb3) AS l FROM c) AS letters "
        "WHERE c = l OR LOWER(c) = l OR UPPER(c) = UPPER(l)"
    )
    assert len(alike) > 200
    assert [(chr(code), letter) for code, letter in alike if folded(chr(code)) != letter] == []


@pytest.mark.parametrize(
    "where",
    [
        "1 = 1) UNION SELECT 1, 2, 3, 4 -- ",
        "1 = 1) OR (sleep(1)",
        "a = 1; DELETE FROM t",
        "a = load_file('/etc/passwd')",
        "(a = 1",
        "a = 1)",
        "a = 1 /* open",
        "a = 1 FOR UPDATE",
        "a = 1 LIMIT 1",
        "a = 1 UNION SELECT 1",
    ],
)
def test_a_condition_is_a_condition(table, where):
    with pytest.raises(DriverError) as caught:
        table.rows("extractor", table="t", where=where)
    assert caught.value.code == "OSR-MYSQL-021"


def test_a_condition_may_say_what_a_condition_can(table):
    where = "a >= :least -- a comment\n AND (b = 'x)' OR b IS NULL OR a IN (SELECT max(a) FROM t))"
    found = table.rows("extractor", table="t", columns=["a"], where=where, query_params={"least": 1})
    assert found == [(3,)]


def test_the_servers_own_sql_mode_does_not_matter(table, own_mariadb):
    """What is a string, and what ends it, must be to the server what it is to the parser."""
    ((before,),) = own_mariadb.execute("SELECT @@global.sql_mode")
    own_mariadb.execute("SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT'")
    try:
        query = "SELECT \"a\" AS x, 'b\\' OR 1 -- ' AS y, :z AS z, 1 || 0 AS o"
        assert table.rows("extractor", query=query, query_params={"z": "c\\' -- "}) == [
            ("a", "b' OR 1 -- ", "c\\' -- ", 1)
        ]
    finally:
        own_mariadb.execute(f"SET GLOBAL sql_mode = '{before}'")
