"""Text of every character set, by table and by query: what is there, or an error that names its column; never a '?'."""

from __future__ import annotations

import shutil

import pyarrow as pa
import pytest

from osiris_core.api import DriverError, Window

BY = {"table": {"table": "t", "columns": ["c"]}, "query": {"query": "SELECT c FROM t"}}
both = pytest.mark.parametrize("how", BY)


def made(bench, columns, *rows):
    """A table ``t`` of these columns and rows (SQL texts)."""
    bench.sql(
        "DROP TABLE IF EXISTS t",
        f"CREATE TABLE t (k INT AUTO_INCREMENT PRIMARY KEY, {columns})",
        *(f"INSERT INTO t VALUES (NULL, {row})" for row in rows),
    )


def cells(bench, **config):
    """The values of the only column, which is of text."""
    table = bench.read("extractor", **config)
    assert pa.field(table.schema.field(0)).type == pa.string()
    return table.column(0).to_pylist()


def refused(bench, said, **config):
    with pytest.raises(DriverError, match=said) as caught:
        bench.read("extractor", **config)
    assert caught.value.code == "OSR-MYSQL-023"
    return caught.value


EXACT = [
    ("VARCHAR(9) CHARACTER SET latin1", "CONCAT(_latin1 x'81', 'é€?')", "\x81é€?"),
    ("CHAR(9) CHARACTER SET latin1 COLLATE latin1_bin", "'é ?'", "é ?"),
    ("ENUM('a','é?') CHARACTER SET latin1", "'é?'", "é?"),
    ("SET('a','é','€') CHARACTER SET latin1", "'a,€'", "a,€"),
    ("TEXT CHARACTER SET utf8mb3", "'日?é'", "日?é"),
    ("ENUM('日','é') CHARACTER SET utf8mb3 COLLATE utf8mb3_bin", "'日'", "日"),
    ("VARCHAR(9) CHARACTER SET ascii", "'a?'", "a?"),
    ("VARCHAR(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin", "'😀?'", "😀?"),
    ("VARCHAR(9) CHARACTER SET cp1251", "'ш?'", "ш?"),
    ("ENUM('a','ш') CHARACTER SET cp1251", "'ш'", "ш"),
    ("SET('a','ш','ю') CHARACTER SET cp1251", "'a,ю'", "a,ю"),
    # A private character of Unicode for one of the set's own.
    ("LONGTEXT CHARACTER SET cp932", "_cp932 x'F040835C3F'", "\ue000ソ?"),
    ("VARCHAR(9) CHARACTER SET sjis", "_sjis x'8160835C'", "〜ソ"),
    ("VARCHAR(9) CHARACTER SET eucjpms", "_eucjpms x'F5A18FA2AF'", "\ue000˘"),
    ("SET('语','言') CHARACTER SET gbk", "'语,言'", "语,言"),
    ("VARCHAR(9) CHARACTER SET big5", "'許功蓋'", "許功蓋"),
    ("VARCHAR(9) CHARACTER SET tis620", "'ไทย'", "ไทย"),
    ("VARCHAR(9) CHARACTER SET ucs2", "'日?'", "日?"),
    ("VARCHAR(9) CHARACTER SET utf16", "'日😀?'", "日😀?"),
    ("VARCHAR(9) CHARACTER SET utf16le", "'日😀?'", "日😀?"),
    ("ENUM('日','😀') CHARACTER SET utf32", "'😀'", "😀"),
]


@pytest.mark.matrix
@both
@pytest.mark.parametrize(("declared", "cell", "wanted"), EXACT, ids=lambda value: value if "SET" in value else "")
def test_characters_arrive(bench, how, declared, cell, wanted):
    made(bench, f"c {declared}", cell, "NULL")
    assert cells(bench, **BY[how]) == [wanted, None]
    assert cells(bench, **BY[how], incremental={"cursor": "c"} if declared.startswith("VARCHAR") else None) == [
        wanted,
        None,
    ]


WITHOUT = [
    ("cp1251", "98"),
    ("cp1250", "81"),
    ("greek", "FF"),
    ("gbk", "A2A0"),
    ("gb2312", "A2A1"),
    ("euckr", "A2E8"),
    ("sjis", "81AD"),
    ("cp932", "81AD"),
    ("ujis", "A2AF"),
    ("eucjpms", "A2AF"),
    ("big5", "A3C1"),
    # The server makes these U+FFFD, whoever converts.
    ("big5", "A15A"),
    ("tis620", "DB"),
]


@pytest.mark.extra
@pytest.mark.matrix
@both
@pytest.mark.parametrize("declared", ["VARCHAR(9)", "ENUM('ok',0x{})", "SET('ok',0x{})"])
@pytest.mark.parametrize(("charset", "code"), WITHOUT)
def test_characters_that_unicode_has_not(bench, how, declared, charset, code):
    is_string = declared.startswith("VARCHAR")
    made(
        bench,
        f"c {declared.format(code)} CHARACTER SET {charset}",
        "'ok'",
        f"_{charset} x'{code}'" if is_string else "2",
        "'ok'",
    )
    error = refused(bench, f"column 'c' of {charset}", **BY[how])
    assert "CAST(… AS BINARY)" in f"{error.message} {error.hint}"
    if is_string:
        refused(bench, f"column 'c' of {charset}", **BY[how], incremental={"cursor": "c"})
    good = {"table": "t", "columns": ["c"], "where": "k <> 2"} if how == "table" else {"query": QUERY + "k <> 2"}
    assert cells(bench, **good) == ["ok", "ok"]
    assert bench.rows("extractor", query="SELECT CAST(c AS BINARY) AS c FROM t WHERE k = 2") == [(bytes.fromhex(code),)]
    if code not in ("A15A", "DB"):
        refused(bench, "Cannot convert", query="SELECT CONVERT(c USING utf8mb4) AS c FROM t")


QUERY = "SELECT c FROM t WHERE "

WHOLE = [
    "cp850",
    "cp852",
    "cp866",
    "keybcs2",
    "koi8r",
    "koi8u",
    "latin1",
    "latin2",
    "latin5",
    "latin7",
    "macce",
    "macroman",
]


@both
@pytest.mark.parametrize("charset", WHOLE)
def test_every_byte_of_a_whole_character_set(bench, how, charset):
    """What the server sends of itself is what CONVERT makes, without a warning, and is no '?'."""
    made(bench, f"c CHAR(1) CHARACTER SET {charset}", *(f"_{charset} x'{byte:02X}'" for byte in range(256)))
    found = cells(bench, **BY[how])
    converted = "SELECT CONVERT(c USING utf8mb4) AS c FROM t ORDER BY k"
    assert found == cells(bench, query=converted)
    assert bench.events("mysql.warnings") == []
    # A CHAR loses the space at its end.
    assert (len(set(found)), found.index("?"), found.index("")) == (256, 0x3F, 0x20)


def test_columns_of_several_character_sets(bench):
    """Each is made Unicode only where it must be, whatever the others are."""
    made(
        bench,
        "l VARCHAR(9) CHARACTER SET latin1, u3 VARCHAR(9) CHARACTER SET utf8mb3, r VARCHAR(9) CHARACTER SET cp1251, "
        "n TINYINT(1), j JSON, b VARBINARY(9), u UUID, e ENUM('é') CHARACTER SET latin1, `x ``y` TEXT CHARACTER SET gbk",
        "'é', '日', 'ш', 1, '{\"a\": \"é\"}', x'FF98', '12345678-1234-1234-1234-123456789abc', 'é', '语'",
    )
    row = ("é", "日", "ш", 1, '{"a": "é"}', b"\xff\x98", "12345678-1234-1234-1234-123456789abc", "é", "语")
    assert bench.rows("extractor", query="SELECT * FROM t") == [(1, *row)]
    assert bench.rows("extractor", table="t") == [(1, *row)]
    for columns in ("u3, n, b, j", "l, n, b, u, e", "l, u3, u", "r, b, j", "`x ``y`, l"):
        (found,) = bench.rows("extractor", query=f"SELECT {columns} FROM t")
        names = ["l", "u3", "r", "n", "j", "b", "u", "e", "`x ``y`"]
        assert found == tuple(row[names.index(one)] for one in columns.split(", "))
    texts = (
        "CONCAT(l, 'x') AS a, CONCAT('日', u3) AS b, DATABASE() AS c, CONCAT(r, u3) AS d, HEX(r) AS e, UPPER(r) AS f"
    )
    assert bench.rows("extractor", query=f"SELECT {texts} FROM t") == [("éx", "日日", bench.database, "ш日", "F8", "Ш")]
    assert bench.rows("extractor", query="SELECT 'ш日?' AS a, _latin1 x'81' AS b, _cp1251 x'F8' AS c") == [
        ("ш日?", "\x81", "ш")
    ]


UCA1400 = "SELECT 1 FROM information_schema.COLLATIONS WHERE COLLATION_NAME = 'uca1400_ai_ci'"
COLLATIONS = [
    ("utf8mb4_bin", "CHAR"),
    ("utf8mb4_croatian_ci", "CHAR"),
    ("utf8mb4_uca1400_ai_ci", "CHAR"),
    ("latin1_swedish_ci", "CHAR"),
    ("utf8mb3_uca1400_ai_ci", "CHAR"),
    ("cp1251_bin", "VARCHAR"),
    ("utf16_uca1400_as_cs", "VARCHAR"),
]


@pytest.mark.parametrize(("collation", "announced"), COLLATIONS)
def test_only_what_must_be_is_made_unicode(bench, collation, announced):
    """A CHAR that is made Unicode is no CHAR any more."""
    if "uca1400" in collation and not bench.sql(UCA1400):
        pytest.skip("the server has none")
    made(bench, f"c CHAR(9) CHARACTER SET {collation.split('_')[0]} COLLATE {collation}", "'a'")
    assert cells(bench, query="SELECT c FROM t") == ["a"]
    (plan,) = bench.events("mysql.read_plan")
    assert [column["type"] for column in plan["columns"]] == [announced]


ORDERED = [
    "SELECT k, c FROM t ORDER BY k",
    "SELECT k, c FROM t ORDER BY k DESC LIMIT 40",
    "SELECT k, c FROM t ORDER BY k LIMIT 40 OFFSET 7",
    "(SELECT k, c FROM t ORDER BY k)",
    "((SELECT k, c FROM t ORDER BY c, k))",
    "(SELECT k, c FROM t LIMIT 100) ORDER BY k",
    "SELECT MIN(k) AS k, c FROM t GROUP BY c ORDER BY k -- by the first",
    "SELECT k, c FROM t UNION ALL SELECT k + 1000, c FROM t ORDER BY k DESC, c;",
    "WITH w AS (SELECT * FROM t) SELECT a.k, b.c FROM w AS a JOIN w AS b ON a.c = b.c ORDER BY a.k, b.k",
]


@pytest.mark.matrix
@pytest.mark.parametrize("query", ORDERED)
def test_the_order_of_a_query_that_is_made_unicode(bench, query):
    """It is that of the same query of a table of utf8mb4."""
    ways = {}
    for charset in ("utf8mb4", "cp1251"):
        made(bench, f"c VARCHAR(9) CHARACTER SET {charset} COLLATE {charset}_bin")
        bench.sql("INSERT INTO t SELECT 300 - seq * 7 % 251, CHAR(97 + seq % 19) FROM seq_1_to_250")
        bench.sql("UPDATE t SET c = CONCAT(c, 'ш')")
        ways[charset] = [bench.rows("extractor", query=query, limit=limit) for limit in (None, 5)]
    assert ways["cp1251"] == ways["utf8mb4"]
    assert [len(rows) > 5 for rows in ways["cp1251"]] == [True, False]


def test_a_window_of_a_query_that_is_made_unicode(bench):
    made(bench, "c VARCHAR(9) CHARACTER SET cp1251", "'а'", "'ш'", "_cp1251 x'98'", "'ю'")
    config = {"query": "SELECT k, c FROM t ORDER BY k", "incremental": {"cursor": "k"}}
    found = bench.read("extractor", window=Window(cursor="k", lower="4"), **config)
    assert found.column(1).to_pylist() == ["ю"]
    refused(bench, "column 'c' of cp1251", window=Window(cursor="k", lower="3"), **config)
    config = {"query": "SELECT c FROM t", "incremental": {"cursor": "c"}}
    # Text without Unicode has no place among bounds.
    refused(bench, "column 'c' of cp1251", window=Window(cursor="c", lower="б", upper="ю"), **config)
    bench.sql("DELETE FROM t WHERE k = 3")
    found = bench.read("extractor", window=Window(cursor="c", lower="б", upper="ю"), **config)
    assert found.column(0).to_pylist() == ["ш"]


def test_parts_by_text_of_an_old_character_set(bench, numbers):
    made(bench, "c VARCHAR(20) CHARACTER SET cp1251, e ENUM('a','ш') CHARACTER SET cp1251, KEY (c)")
    bench.sql(f"INSERT INTO t SELECT seq, CONCAT('ш', seq), 1 + seq % 2 FROM {numbers(40_000)}")
    config = {"table": "t", "partition_on": "c", "parts": 4}
    table = bench.read("extractor", **config)
    assert sorted(table.column(0).to_pylist()) == list(range(1, 40_001))
    assert set(table.column(2).to_pylist()) == {"a", "ш"}
    assert len(bench.events("mysql.read_plan")) > 1
    bench.sql("UPDATE t SET c = CONCAT(_cp1251 x'98', k) WHERE k % 3 = 0")
    assert bench.read("extractor", columns=["k"], **config).num_rows == 40_000
    refused(bench, "column 'c' or 'e' of cp1251", **config)


LIMITED = [
    {"query": "SELECT c FROM t ORDER BY k", "limit": 1},
    {"query": "SELECT c FROM t ORDER BY k", "limit": 3},
    {"query": "SELECT c FROM t ORDER BY k LIMIT 2", "limit": 1},
    {"query": "(SELECT c FROM t ORDER BY k LIMIT 2)", "limit": 1},
    {"query": "SELECT c FROM t ORDER BY k LIMIT 1", "limit": 2},
    {"query": "SELECT CAST(CONCAT('x', k) AS INT) AS n, c FROM t ORDER BY k", "limit": 1},
    {"query": "SELECT CONVERT(c USING utf8mb4) AS c FROM t ORDER BY k LIMIT 2", "limit": 1},
    {"table": "t", "limit": 1},
]


@pytest.mark.parametrize("config", LIMITED, ids=str)
def test_a_read_of_few_rows_is_looked_at_as_well(bench, config):
    made(bench, "c VARCHAR(9) CHARACTER SET cp1251", "_cp1251 x'98'", "'b'", "'c'")
    refused(bench, "cp1251", **config)
    bench.sql("DELETE FROM t WHERE k = 1")
    found = bench.read("extractor", **config).column("c").to_pylist()
    assert found == ["b", "c"][: min(config["limit"], 1 if "LIMIT 1" in config.get("query", "") else 3)]


# UNIONs of several character sets


@pytest.fixture
def mixed(bench):
    for table, charset, cell in (("a", "cp1251", "_cp1251 x'98'"), ("u", "utf8mb4", "'ш'"), ("l", "latin1", "'é'"),
                                 ("b", "big5", "_big5 x'A15A'"), ("three", "utf8mb3", "'日'")):  # fmt: skip
        bench.sql(
            f"CREATE TABLE {table} (k INT, c VARCHAR(9) CHARACTER SET {charset})",
            f"INSERT INTO {table} VALUES (1, 'ok'), (2, {cell})",
        )
    return bench


MIXED = [
    "SELECT c FROM a UNION ALL SELECT c FROM u",
    "SELECT c FROM u UNION SELECT c FROM a ORDER BY c LIMIT 5",
    "SELECT c AS x FROM a UNION ALL (SELECT c FROM u ORDER BY k LIMIT 1)",
    "SELECT c FROM u UNION ALL SELECT c FROM u UNION ALL SELECT c FROM a",
    "SELECT c FROM a UNION ALL SELECT c FROM a UNION ALL SELECT c FROM u",
    "SELECT k, c FROM a UNION ALL SELECT k, c FROM three",
    "SELECT c FROM a EXCEPT SELECT c FROM u",
    "SELECT c FROM u INTERSECT SELECT c FROM a",
    "SELECT * FROM (SELECT c FROM a UNION ALL SELECT c FROM u) AS x",
    "SELECT UPPER(c) AS c FROM (SELECT c FROM a UNION ALL SELECT c FROM u) AS x",
    "WITH x AS (SELECT c FROM a UNION ALL SELECT c FROM u) SELECT c FROM x",
    "WITH x AS (SELECT c FROM a), y AS (SELECT c FROM u) SELECT c FROM x UNION ALL SELECT c FROM y",
    "WITH x AS (SELECT c FROM a) SELECT * FROM (WITH y AS (SELECT c FROM u) SELECT c FROM x UNION SELECT c FROM y) AS z",
    "WITH RECURSIVE r AS (SELECT c, 1 AS n FROM a UNION ALL SELECT u.c, n + 1 FROM u, r WHERE n < 2) SELECT c FROM r",
    "SELECT k FROM u WHERE c IN (SELECT c FROM a UNION SELECT c FROM u)",
]


@pytest.mark.parametrize("query", MIXED)
def test_a_union_that_would_lose_characters_is_refused(mixed, query):
    error = refused(mixed, "a UNION makes column '[cx]' of cp1251 one of utf8", query=query)
    assert "CONVERT(column USING utf8mb4)" in error.hint


def test_a_union_that_cannot_be_looked_at_by_itself(mixed):
    query = "SELECT k FROM u WHERE c IN (SELECT {0}.c FROM {0} WHERE {0}.k = u.k UNION SELECT t.c FROM three AS t WHERE t.k = u.k)"
    refused(mixed, "column 'a.c' is of cp1251", query=query.format("a"))
    assert mixed.rows("extractor", query=query.format("three")) == [(1,)]
    refused(
        mixed,
        "column 'a.c' is of cp1251",
        query=query.format(f"{mixed.database}.a").replace(f"{mixed.database}.a.", "a."),
    )


UNMIXED = [
    ("SELECT CONVERT(c USING utf8mb4) AS c FROM a WHERE k = 1 UNION ALL SELECT c FROM u", ["ok", "ok", "ш"]),
    ("SELECT c FROM a WHERE k = 1 UNION ALL SELECT c FROM a WHERE k = 1", ["ok", "ok"]),
    ("SELECT c FROM l UNION ALL SELECT c FROM u", ["ok", "é", "ok", "ш"]),
    ("SELECT c FROM three UNION SELECT c FROM u", ["ok", "日", "ш"]),
    ("SELECT c FROM a WHERE k = 1 UNION ALL SELECT 5 UNION ALL SELECT NULL", ["ok", "5", None]),
    ("SELECT c FROM a WHERE k = 1 UNION ALL SELECT 'ш'", ["ok", "ш"]),
    ("SELECT CONCAT(a.c, u.c) AS c FROM a JOIN u USING (k) WHERE k = 1 UNION SELECT c FROM l", ["okok", "ok", "é"]),
    ("WITH RECURSIVE r AS (SELECT c, 1 AS n FROM a WHERE k = 1 UNION ALL SELECT c, n + 1 FROM r WHERE n < 3) SELECT c FROM r",
     ["ok", "ok", "ok"]),
]  # fmt: skip


@pytest.mark.parametrize(("query", "wanted"), UNMIXED)
def test_a_union_that_loses_nothing(mixed, query, wanted):
    assert cells(mixed, query=query) == wanted


def test_a_union_of_character_sets_that_the_server_refuses(mixed):
    for query in ("SELECT c FROM a UNION ALL SELECT '日'", "SELECT c FROM a UNION SELECT c FROM l"):
        with pytest.raises(DriverError, match="Illegal mix of collations") as caught:
            mixed.read("extractor", query=query)
        assert caught.value.code == "OSR-MYSQL-022"


def test_what_a_union_is_told_to_convert_is_exact(mixed):
    for query in (
        "SELECT CONVERT(c USING utf8mb4) AS c FROM a UNION ALL SELECT c FROM u",
        "SELECT c FROM a UNION SELECT c FROM a",
    ):
        refused(mixed, "cp1251", query=query)
    query = "SELECT CAST(c AS BINARY) AS c FROM a UNION ALL SELECT CAST(c AS BINARY) FROM u"
    assert mixed.rows("extractor", query=query) == [(b"ok",), (b"\x98",), (b"ok",), ("ш".encode(),)]


# bytes that are no text

NO_UTF8 = "column 'c' holds '.*', which is no UTF-8"
BROKEN = [
    *(("utf8mb4", text, NO_UTF8, NO_UTF8) for text in ("41FF42", "EDA080", "F4908080", "C080", "41C5", "BD")),
    ("utf8mb3", "41FF42", "'utf8mb3'|utf8mb3", NO_UTF8),
    # Beyond utf8mb3, but text: a query gives it as it is.
    ("utf8mb3", "F09F9880", "'utf8mb3'|utf8mb3", None),
    ("ascii", "41FF42", "'ascii'", NO_UTF8),
    ("ucs2", "D8000041", NO_UTF8, NO_UTF8),
    ("utf16", "D8000041", "column 'c' of utf16", "column 'c' of utf16"),
    ("sjis", "41FF42", "column 'c' of sjis", "column 'c' of sjis"),
]


@pytest.mark.parametrize(("charset", "stored", "said", "said_of_query"), BROKEN)
def test_bytes_that_are_no_text(own_mariadb, bench, charset, stored, said, said_of_query):
    """What older servers let in, and damaged files have: the rows of a table of bytes put under one of text."""
    ((width,),) = bench.sql(
        f"SELECT MAXLEN FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME = '{charset}'"
    )
    good = f"CONVERT('ok' USING {charset})"
    bench.sql(
        f"CREATE TABLE t (k INT, c VARCHAR(6) CHARACTER SET {charset}) ENGINE=MyISAM",
        f"CREATE TABLE bytes (k INT, c VARBINARY({6 * width})) ENGINE=MyISAM",
        f"INSERT INTO bytes VALUES (1, {good}), (2, NULL), (3, x'{stored}'), (4, {good})",
        "FLUSH TABLES t, bytes",
    )
    data = own_mariadb.folder / "data" / bench.database
    for kind in ("MYD", "MYI"):
        shutil.copy(data / f"bytes.{kind}", data / f"t.{kind}")
    assert cells(bench, table="t", columns=["c"], where="k <> 3") == ["ok", None, "ok"]
    assert cells(bench, query="SELECT c FROM t WHERE k <> 3") == ["ok", None, "ok"]
    assert "column 'c'" in refused(bench, said, table="t").message
    if said_of_query is None:
        assert cells(bench, query="SELECT c FROM t WHERE k = 3") == [bytes.fromhex(stored).decode()]
    else:
        refused(bench, said_of_query, query="SELECT c FROM t")
    # Beside text that the server has to convert.
    refused(bench, said, query="SELECT c, _latin1 x'E9' AS d FROM t")


def test_bytes_that_are_no_text_in_a_query(bench):
    """What a query makes Unicode is checked as well: a lone surrogate of UCS-2 is none."""
    made(bench, "c VARCHAR(9) CHARACTER SET ucs2", "_ucs2 x'D83D'", "'\\''")
    refused(bench, r"column 'it''?s' holds '\\xED\\xA0\\xBD', which is no UTF-8", query="SELECT c AS `it's` FROM t")
