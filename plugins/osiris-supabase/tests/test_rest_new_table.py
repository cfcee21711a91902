"""A table or columns that are new: the Data API learns of them a moment later, whether a load has made them or a person."""

from __future__ import annotations

import pytest

from osiris_core.api import DriverError, SecretStr
from osiris_supabase.rest import awaiting, catalog
from tests.servers.rest_bench import SECRET, rest, standin, standin_database

__all__ = ["rest", "standin", "standin_database"]

NEVER = 10**9
ROWS = "SELECT 1::BIGINT AS id, 'one' AS name"
EVENT = "supabase.unknown_to_data_api"


@pytest.fixture
def both(rest):
    """A connection to the database that has the Data API beside it."""
    rest.connect(dsn=SecretStr(rest.server.dsn(database=rest.database)), url=rest.standin.url, key=SecretStr(SECRET))
    return rest


def asked(bench):
    """The tables that were asked for."""
    paths = [path.partition("?")[0] for _, path, _, _ in bench.standin.requests]
    return [path.removeprefix("/rest/v1/") for path in paths if path != "/rest/v1/"]


def make(bench, **config):
    return bench.write("writer", ROWS, **{"table": "t", "mode": "append", "grants": ["service_role"], **config})


def test_a_load_that_makes_a_table_ends_when_the_data_api_knows_it(both):
    both.standin.hidden["t"] = 2
    assert make(both).rows == 1
    assert asked(both) == ["t", "t", "t"]
    assert both.events(EVENT) == []


def test_a_load_that_makes_a_table_tells_the_data_api_to_look_again(both):
    both.standin.remember(lag=2)
    make(both)
    assert len(asked(both)) >= 3
    assert both.events(EVENT) == []


def test_a_table_that_is_there_is_not_waited_for(both):
    make(both)
    both.standin.requests.clear()
    make(both)
    make(both, mode="replace")
    assert both.standin.requests == []


def test_a_table_that_nobody_was_granted_is_known(both):
    make(both, grants=None)
    assert asked(both) == ["t"]
    assert both.events(EVENT) == []


def test_without_the_data_api_nothing_is_asked(both):
    both.connect(dsn=SecretStr(both.server.dsn(database=both.database)))
    make(both)
    assert both.standin.requests == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "status", "status": 503}, "OSR-SUPA-106"),
        ({"kind": "html"}, "OSR-SUPA-105"),
        ({"kind": "reset_before"}, "OSR-SUPA-101"),
        ({"kind": "redirect", "to": "https://elsewhere.example"}, "OSR-SUPA-104"),
    ],
)
def test_a_data_api_that_does_not_answer_is_recorded_and_fails_nothing(both, fault, code):
    both.standin.fail(**fault)
    assert make(both).rows == 1
    assert asked(both) == ["t"]
    (event,) = both.events(EVENT)
    assert (event["table"], event["code"]) == ("public.t", code)
    assert both.sql("SELECT count(*) FROM t") == [(1,)]
    assert SECRET not in str(event)


def test_a_cache_that_never_learns_is_recorded_and_fails_nothing(both, monkeypatch):
    monkeypatch.setattr(awaiting, "_SECONDS", 0.3)
    both.standin.hidden["t"] = NEVER
    assert make(both).rows == 1
    (event,) = both.events(EVENT)
    assert event["code"] == "OSR-SUPA-110"
    assert "schema cache" in event["because"]


def test_a_schema_that_is_not_exposed_is_recorded_at_once(both):
    make(both, schema="hidden")
    (event,) = both.events(EVENT)
    assert (event["table"], event["code"]) == ("hidden.t", "OSR-SUPA-109")
    assert asked(both) == ["t"]


def test_a_run_that_is_cancelled_meanwhile_has_made_its_load(both):
    both.standin.hidden["t"] = NEVER
    both.standin.before = lambda _: both.token.cancel(DriverError("OSR-RUN-002", "for a test"))
    assert make(both).rows == 1
    assert len(both.events(EVENT)) == 1
    assert len(both.events("write_published")) == 1
    assert both.sql("SELECT count(*) FROM t") == [(1,)]


def add(bench, **config):
    """A load that adds the column ``new`` to a table."""
    rows = "SELECT 2::BIGINT AS id, 'two' AS name, true AS new"
    return bench.write("writer", rows, **{"table": "t", "mode": "append", "on_schema_change": "add_columns", **config})


def looked(bench):
    """How often the description of all tables was asked for."""
    return sum(path == "/rest/v1/" for _, path, _, _ in bench.standin.requests)


@pytest.fixture
def known(both):
    """A table, in the schema cache of a Data API that is told of changes."""
    make(both)
    both.standin.requests.clear()
    return both


def by_data_api(bench):
    """Write the column by the Data API, whose cache must have it."""
    bench.use()
    return bench.upsert("SELECT 3::BIGINT AS id, 'three' AS name, false AS new").rows


@pytest.mark.parametrize("mode", ["append", "replace", "delete_insert", "upsert"])
def test_a_load_that_adds_columns_ends_when_the_data_api_knows_them(known, mode):
    known.sql("ALTER TABLE t ADD PRIMARY KEY (id)")
    known.standin.remember(lag=3)
    keys = {"upsert": {"primary_key": ["id"]}, "delete_insert": {"replace_keys": ["id"]}}.get(mode, {})
    assert add(known, mode=mode, **keys).rows == 1
    assert looked(known) >= 4
    assert known.events(EVENT) == []
    (event,) = known.events("write_published")
    assert event["details"]["added"] == ["new"]
    assert by_data_api(known) == 1


def test_a_cache_that_never_learns_of_columns_is_recorded_and_fails_nothing(known, monkeypatch):
    monkeypatch.setattr(awaiting, "_SECONDS", 0.3)
    known.sql("ALTER TABLE t ADD PRIMARY KEY (id)")
    known.standin.remember(deaf=True)
    assert add(known).rows == 1
    (event,) = known.events(EVENT)
    assert (event["table"], event["columns"], event["code"]) == ("public.t", ["new"], "OSR-SUPA-111")
    assert "'new' in the schema cache" in event["because"]
    assert known.sql("SELECT new FROM t WHERE id = 2") == [(True,)]
    with pytest.raises(DriverError) as caught:  # what the waiting is for
        by_data_api(known)
    assert caught.value.code == "OSR-SUPA-121"


def test_columns_that_are_there_are_not_waited_for(known):
    known.standin.remember()
    add(known)
    known.standin.requests.clear()
    add(known)
    make(known, on_schema_change="ignore")
    assert known.standin.requests == []


def test_columns_of_a_table_that_nobody_was_granted_are_not_waited_for(known):
    known.sql("REVOKE ALL ON t FROM service_role")
    known.standin.remember(deaf=True)
    add(known)
    assert (looked(known), asked(known)) == (1, ["t"])
    assert known.events(EVENT) == []


def test_columns_of_a_table_that_the_data_api_does_not_know_either(known):
    known.standin.remember(lag=4)
    known.sql("DROP TABLE t; CREATE TABLE t (id bigint, name text); GRANT ALL ON t TO service_role")
    known.standin.hidden["t"] = 3
    add(known)
    assert asked(known)
    assert known.events(EVENT) == []


def test_a_data_api_that_describes_nothing_is_recorded_at_once(known):
    known.standin.openapi = False
    add(known)
    (event,) = known.events(EVENT)
    assert event["code"] == "OSR-SUPA-114"
    assert looked(known) == 1


@pytest.mark.parametrize(
    ("fault", "code"), [({"kind": "status", "status": 503}, "OSR-SUPA-106"), ({"kind": "truncated"}, "OSR-SUPA-105")]
)
def test_a_data_api_that_does_not_answer_about_columns_is_recorded(known, fault, code):
    known.standin.fail(**fault)
    assert add(known).rows == 1
    (event,) = known.events(EVENT)
    assert event["code"] == code
    assert SECRET not in str(event)


def test_a_run_that_is_cancelled_while_columns_are_waited_for_has_made_its_load(known):
    known.standin.remember(deaf=True)
    known.standin.before = lambda _: known.token.cancel(DriverError("OSR-RUN-002", "for a test"))
    assert add(known).rows == 1
    assert len(known.events(EVENT)) == 1
    assert known.sql("SELECT count(*) FROM t WHERE new") == [(1,)]


@pytest.fixture
def patient(monkeypatch):
    """No limit that a slow machine could reach."""
    monkeypatch.setattr(catalog, "_NEW_SECONDS", 600.0)


def test_a_reader_waits_for_a_table_of_a_moment_ago(rest, patient):
    rest.make("CREATE TABLE t (id bigint PRIMARY KEY, name text); INSERT INTO t VALUES (1, 'one')")
    rest.standin.hidden["t"] = 3
    assert rest.rows("extractor", table="t") == [(1, "one")]


def test_a_writer_waits_for_a_table_of_a_moment_ago(rest, patient):
    rest.make("CREATE TABLE t (id bigint PRIMARY KEY, name text)")
    rest.standin.hidden["t"] = 3
    assert rest.upsert(ROWS).rows == 1
    assert rest.sql("SELECT * FROM t") == [(1, "one")]


def test_a_table_that_the_server_has_not_is_not_waited_for(rest):
    rest.standin.fail("status", skip=1, status=404, body=b'{"code":"42P01","message":"no such relation"}')
    with pytest.raises(DriverError) as caught:
        rest.rows("extractor", table="tt")
    assert caught.value.code == "OSR-SUPA-110"
    assert asked(rest) == ["tt"]
