"""What a server says becomes part of an error: its advice and its details, and neither rows nor secrets."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from osiris_core.api import DriverError
from osiris_core.cli import osiris

ROWS = "SELECT * FROM (VALUES (1, 'canary (one)'), (2, 'canary (two)')) AS t(id, name)"


@pytest.mark.parametrize(
    ("query", "advice"),
    [
        ("SELECT t.nam FROM t", 'Perhaps you meant to reference the column "t.name".'),
        ("SELECT abs('2020-01-01'::date) AS a", "No function matches the given name and argument types."),
        ("SELECT id + name AS a FROM t", "You might need to add explicit type casts."),
        ("SELECT t.id FROM t AS x", 'Perhaps you meant to reference the table alias "x".'),
    ],
)
def test_the_servers_advice_is_given_on(bench, query, advice):
    bench.sql("CREATE TABLE t (id int4, name text)")
    with pytest.raises(DriverError) as caught:
        bench.read("extractor", query=query)
    assert caught.value.code == "OSR-PG-021"
    assert advice in caught.value.hint


def test_what_is_told_about_the_query_is_given_on(bench):
    with pytest.raises(DriverError) as caught:
        bench.read("extractor", query="SELECT '{\"a\": oops}'::json AS a")
    assert 'Token "oops" is invalid.' in caught.value.message


TRIGGER = (
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "RAISE EXCEPTION 'not now' USING DETAIL = 'it is {secret}', HINT = 'log in with {secret} tomorrow'; END $$; "
    "CREATE TRIGGER refusing BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()"
)

MAKE = "CREATE TABLE t (id int4, name text"
HELD = "; INSERT INTO t VALUES (7, 'canary (two)')"
KEY = {"mode": "upsert", "primary_key": ["id"]}
BROKEN = [
    (f"{MAKE} CHECK (name NOT LIKE '%two%'))", {}, "Failing row contains (…).", "COPY t, line 2"),
    (f"{MAKE} UNIQUE){HELD}", {}, "Key (name)=(…) already exists.", "COPY t, line 2"),
    (
        f"{MAKE}); CREATE UNIQUE INDEX ON t (lower(name), (id * 0)){HELD}",
        {},
        "Key (…) already exists.",
        "COPY t, line 2",
    ),
    (f"{MAKE}, EXCLUDE USING btree (name WITH =)){HELD}", {}, "Key (name)=(…)", "COPY t, line 2"),
    (f"{MAKE} REFERENCES known)", {}, 'Key (name)=(…) is not present in table "known".', ""),
    (f"{MAKE} UNIQUE, PRIMARY KEY (id)){HELD}", KEY, "Key (name)=(…) already exists.", ""),
    (f"{MAKE}) PARTITION BY LIST (name)", {}, "Partition key of the failing row contains (…).", ""),
]


@pytest.mark.parametrize(("made", "config", "detail", "line"), BROKEN)
def test_a_rule_that_is_broken_is_told_without_the_row(bench, made, config, detail, line):
    bench.sql(f"CREATE TABLE known (name text PRIMARY KEY); {made}")
    with pytest.raises(DriverError) as caught:
        bench.write("writer", ROWS, table="t", **{"mode": "append", **config})
    assert caught.value.code == "OSR-PG-040"
    assert detail in caught.value.message
    assert line in caught.value.message
    assert "canary" not in f"{caught.value.message} {caught.value.hint}"


def test_a_secret_in_what_the_server_says_is_not_shown(postgres_server, tmp_path, monkeypatch):
    secret = "s3cr3t-canary"  # pragma: allowlist secret
    monkeypatch.chdir(tmp_path)
    postgres_server.execute("DROP ROLE IF EXISTS teller")
    with postgres_server.new_database("osiris_failures") as name:
        postgres_server.execute(f"CREATE ROLE teller SUPERUSER LOGIN PASSWORD '{secret}'")
        postgres_server.execute(f"CREATE TABLE t (id int4); {TRIGGER.format(secret=secret)}", name)
        monkeypatch.setenv("DSN", postgres_server.dsn(database=name, user="teller", password=secret))
        (tmp_path / "osiris.yaml").write_text("")
        (tmp_path / "osiris_connections.yaml").write_text('connections: {supabase: {shop: {dsn: "${DSN}"}}}')
        read = {"connection": "@supabase.shop", "query": "SELECT 1 AS id"}
        write = {"connection": "@supabase.shop", "table": "t", "mode": "append"}
        steps = [
            {"id": "read", "component": "supabase.extractor", "mode": "read", "config": read},
            {"id": "load", "component": "supabase.writer", "mode": "write", "needs": ["read"], "config": write},
        ]
        (tmp_path / "p.yaml").write_text(json.dumps({"oml_version": "0.1.0", "name": "p", "steps": steps}))
        done = CliRunner().invoke(osiris, ["run", "p.yaml"])
    postgres_server.execute("DROP ROLE teller")
    assert done.exit_code == 1
    assert "not now (it is ***)" in done.output
    assert "log in with *** tomorrow" in done.output
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"log in with *** tomorrow" in left
    assert secret not in done.output
    assert secret.encode() not in left
