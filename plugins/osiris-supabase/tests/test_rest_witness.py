"""The stand-in as the genuine ``supabase`` client sees it: a second witness that it speaks PostgREST's protocol."""

from __future__ import annotations

import warnings
from functools import partial

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the package's own use of what is deprecated
    import httpx
    from postgrest import CountMethod, ReturnMethod
    from postgrest.exceptions import APIError
    from supabase import ClientOptions, create_client

from tests.servers.rest_bench import ANON, SERVICE, rest, standin, standin_database

__all__ = ["rest", "standin", "standin_database"]


@pytest.fixture
def client(rest):
    """The client in the role of the service key; ``as_role`` makes others."""
    opened = []

    def as_role(key, schema="public"):
        http = httpx.Client(trust_env=False)
        opened.append(http)
        return create_client(rest.standin.url, key, ClientOptions(httpx_client=http, schema=schema))

    rest.as_role = as_role
    rest.make(
        "CREATE TABLE t (id bigint PRIMARY KEY, code text UNIQUE NOT NULL, name text, qty int DEFAULT 7, "
        "price numeric(20,10), at timestamptz, tags text[], extra jsonb)"
    )
    rest.sql(
        "INSERT INTO t SELECT n, 'c' || n, CASE WHEN n % 10 = 0 THEN NULL ELSE 'name ' || n END, n % 5, n * 0.1, "
        "timestamptz '2026-01-01 00:00:00+00' + n * interval '1 h', array['a', 'b,c'], jsonb_build_object('n', n) "
        "FROM generate_series(1, 2500) n"
    )
    yield as_role(SERVICE)
    for http in opened:
        http.close()


def ids(found):
    return [row["id"] for row in found.data]


def refused(call):
    with pytest.raises(APIError) as caught:
        call()
    return caught.value


def test_reading(client):
    table = partial(client.table, "t")
    assert len(table().select("*").execute().data) == 1000  # the cap, and nothing that says so
    assert table().select("id", count=CountMethod.exact).execute().count == 2500
    assert table().select("id", count=CountMethod.exact, head=True).execute().count == 2500
    assert ids(table().select("id").order("id", desc=True).limit(2).execute()) == [2500, 2499]
    assert ids(table().select("id").order("id").range(10, 12).execute()) == [11, 12, 13]
    assert ids(table().select("id").eq("id", 7).execute()) == [7]
    assert ids(table().select("id").lt("id", 3).order("id").execute()) == [1, 2]
    assert ids(table().select("id").gte("id", 2499).order("id").execute()) == [2499, 2500]
    assert ids(table().select("id").gt("id", 2498).neq("id", 2499).execute()) == [2500]
    assert ids(table().select("id").lte("id", 2).order("id").execute()) == [1, 2]
    assert ids(table().select("id").in_("code", ["c5", "c6", 'no"such']).order("id").execute()) == [5, 6]
    assert ids(table().select("id").is_("name", "null").order("id").limit(2).execute()) == [10, 20]
    assert ids(table().select("id").not_.is_("name", "null").order("id").limit(1).execute()) == [1]
    assert ids(table().select("id").like("name", "%e 24_9").order("id").execute())[:2] == [2409, 2419]
    assert ids(table().select("id").ilike("name", "NAME 77").execute()) == [77]
    assert ids(table().select("id").or_("id.eq.1,and(id.gt.2497,id.lt.2499)").order("id").execute()) == [1, 2498]
    assert ids(table().select("id").order("qty").order("id").limit(2).execute()) == [5, 10]
    assert ids(table().select("id").order("name", nullsfirst=True).order("id").limit(1).execute()) == [10]
    renamed = table().select("number:id,price::text,extra,tags").eq("id", 3).execute().data
    assert renamed == [{"number": 3, "price": "0.3000000000", "extra": {"n": 3}, "tags": ["a", "b,c"]}]
    assert table().select("*").eq("id", -1).execute().data == []


def test_writing(client, rest):
    table = partial(client.table, "t")
    assert table().insert({"id": 9001, "code": "new"}).execute().data[0]["qty"] == 7
    quiet = table().insert({"id": 9002, "code": "quiet"}, returning=ReturnMethod.minimal).execute()
    assert quiet.data == []
    merged = (
        table().upsert([{"id": 1, "code": "c1", "name": "merged"}, {"id": 9003, "code": "more", "name": "x"}]).execute()
    )
    assert sorted(ids(merged)) == [1, 9003]
    ignored = table().upsert([{"id": 1, "code": "c1"}, {"id": 9004, "code": "last"}], ignore_duplicates=True).execute()
    assert ids(ignored) == [9004]
    assert rest.sql("SELECT name FROM t WHERE id = 1") == [("merged",)]
    by_code = table().upsert({"id": 2, "code": "c2", "name": "by code"}, on_conflict="code").execute()
    assert by_code.data[0]["name"] == "by code"
    table().upsert([{"id": 9005, "code": "a", "qty": 1}, {"id": 9006, "code": "b"}], default_to_null=False).execute()
    assert rest.sql("SELECT qty FROM t WHERE id IN (9005, 9006) ORDER BY id") == [(1,), (7,)]
    table().insert([{"id": 9007, "code": "e", "qty": 1}, {"id": 9008, "code": "f"}]).execute()
    assert rest.sql("SELECT qty FROM t WHERE id = 9008") == [(None,)]
    assert ids(table().update({"name": "changed"}).eq("id", 3).execute()) == [3]
    assert ids(table().delete().eq("id", 4).execute()) == [4]
    assert rest.sql("SELECT count(*) FROM t WHERE id = 4 OR name = 'changed'") == [(1,)]


def test_refusals(client, rest):
    table = partial(client.table, "t")
    assert refused(lambda: client.table("none").select("*").execute()).code == "PGRST205"
    assert refused(lambda: table().select("none").execute()).code == "42703"
    assert refused(lambda: table().select("*").eq("none", 1).execute()).code == "42703"
    assert refused(lambda: table().insert({"id": 1, "none": 1}).execute()).code == "PGRST204"
    assert refused(lambda: table().insert({"id": 1, "code": "z"}).execute()).code == "23505"
    assert refused(lambda: table().insert({"id": 9, "code": None}).execute()).code in ("23502", "23505")
    assert refused(lambda: table().upsert({"id": 1, "code": "c1"}, on_conflict="name").execute()).code == "42P10"
    twice = [{"id": 1, "code": "c1"}, {"id": 1, "code": "c1"}]
    assert refused(lambda: table().upsert(twice).execute()).code == "21000"
    assert refused(lambda: table().insert({"id": "x", "code": "z"}).execute()).code == "22P02"
    assert refused(lambda: rest.as_role(SERVICE, "hidden").table("t").select("*").execute()).code == "PGRST106"
    rest.sql("CREATE TABLE mine (id int PRIMARY KEY)")
    assert refused(lambda: client.table("mine").select("*").execute()).code == "42501"
    anon = rest.as_role(ANON)
    assert refused(lambda: anon.table("t").insert({"id": 9100, "code": "no"}).execute()).code == "42501"
    rest.sql("ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    assert anon.table("t").select("*").execute().data == []
    beyond = table().select("id", count=CountMethod.exact).range(5000, 5001)
    assert refused(beyond.execute).code == "PGRST103"


def test_what_the_genuine_client_does_that_ours_must_not(client, rest):
    rest.standin.fail("html")
    assert isinstance(client.table("t").select("*").execute().data, str)  # a page for people, as if it were rows
    rest.standin.fail("truncated")
    assert isinstance(client.table("t").select("*").execute().data, str)
    exact = client.table("t").select("price").eq("id", 1).execute().data[0]["price"]
    assert isinstance(exact, float)
