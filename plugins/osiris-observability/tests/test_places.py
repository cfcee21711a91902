"""How what a step reads or writes is called: by OpenLineage's naming, and by OpenTelemetry's conventions."""

from __future__ import annotations

from pathlib import Path

import pytest
from openlineage.client.naming.dataset import LocalFileSystem, MySQL, Postgres

from osiris_core.compile.manifest import ConnectionUse, ManifestStep
from osiris_observability.places import place_of, system_of

ROOT = Path("/srv/shop")
SHOP = {"host": "db.example.org", "port": 3307, "database": "shop", "user": "me", "unix_socket": None}


def step(component, config, alias=None, **identity):
    family = component.partition(".")[0]
    use = ConnectionUse(family=family, alias=alias, identity=identity, overrides={}) if alias else None
    return ManifestStep(id="s", component=component, mode="extract", needs=(), config=config, connection=use)


@pytest.mark.parametrize(
    ("read", "naming"),
    [
        (
            step("mysql.extractor", {"table": "orders", "query": None}, "main", **SHOP),
            MySQL(host="db.example.org", port="3307", database="shop", table="orders"),
        ),
        (
            step("mysql.writer", {"table": "with.dot"}, "main", **{**SHOP, "host": "::1"}),
            MySQL(host="[::1]", port="3307", database="shop", table="with.dot"),
        ),
        (
            step("mysql.writer", {"table": "orders"}, "main", **{**SHOP, "unix_socket": "/run/mysqld.sock"}),
            MySQL(host="localhost", port="3307", database="shop", table="orders"),
        ),
        (
            step("supabase.writer", {"table": "t", "schema": None}, "main", url="https://abc.supabase.co", schema="dw"),
            Postgres(host="db.abc.supabase.co", port="5432", database="postgres", schema="dw", table="t"),
        ),
        (
            step("supabase.writer", {"table": "t", "schema": "other"}, "main", url="https://abc.supabase.co/"),
            Postgres(host="db.abc.supabase.co", port="5432", database="postgres", schema="other", table="t"),
        ),
        (step("filesystem.csv_extractor", {"path": "in/a.csv"}), LocalFileSystem(path="/srv/shop/in/a.csv")),
        (
            step("filesystem.csv_extractor", {"path": "a/../b.csv"}, "here", root="data"),
            LocalFileSystem(path="/srv/shop/data/b.csv"),
        ),
        (
            step("filesystem.csv_extractor", {"path": "b.csv"}, "there", root="/mnt/share"),
            LocalFileSystem(path="/mnt/share/b.csv"),
        ),
        (step("filesystem.csv_extractor", {"path": "in/2026-*/x.csv"}), LocalFileSystem(path="/srv/shop/in")),
        (step("filesystem.csv_extractor", {"path": "*.csv"}), LocalFileSystem(path="/srv/shop")),
    ],
)
def test_names_are_those_of_the_specification(read, naming):
    place = place_of(read, ROOT)
    assert (place.namespace, place.name) == (naming.get_namespace(), naming.get_name())


PASSWORD_IN_URL = "https://me:pw@db.example.org"  # pragma: allowlist secret


@pytest.mark.parametrize(
    ("read", "namespace", "name"),
    [
        # The database's address is part of a secret.
        (step("supabase.extractor", {"table": "t"}, "main", url=None, schema="public"), "osiris://supabase.main", "t"),
        (step("supabase.extractor", {"table": "t"}, "main", url=PASSWORD_IN_URL), None, "t"),
        (step("supabase.extractor", {"table": "t"}, "main", url="http://[bad"), "osiris://supabase.main", "t"),
        (step("mysql.extractor", {"table": "t"}, "main", **{**SHOP, "host": "${NOT_SET_ANYWHERE}"}), None, "t"),
        (step("mysql.extractor", {"table": "t"}, "main", **{**SHOP, "host": "me:pw@db"}), "osiris://mysql.main", "t"),
        (step("oracle.extractor", {"table": "t", "schema": "s"}, "erp"), "osiris://oracle.erp", "s.t"),
        (step("s3.extractor", {"path": "a/b"}, "lake"), "osiris://s3.lake", "a/b"),
        (step("duckdb.writer", {"table": "t", "schema": "main"}, "dw", path="dw.duckdb"), None, "main.t"),
    ],
)
def test_what_has_no_name_there_is_called_after_its_connection(read, namespace, name):
    place = place_of(read, ROOT)
    family = read.component.partition(".")[0]
    expected = "duckdb:///srv/shop/dw.duckdb" if family == "duckdb" else f"osiris://{family}.{read.connection.alias}"
    assert (place.namespace, place.name) == (namespace or expected, name)
    assert "pw" not in place.namespace + place.name + place.uri


def test_a_host_may_stand_in_a_variable(monkeypatch):
    monkeypatch.setenv("SHOP_HOST", "db7.example.org")
    read = step("mysql.extractor", {"table": "t"}, "main", **{**SHOP, "host": "${SHOP_HOST}"})
    assert place_of(read, ROOT).namespace == "mysql://db7.example.org:3307"


def test_a_query_has_a_system_and_no_place():
    read = step("mysql.extractor", {"query": "SELECT 1", "table": None}, "main", **SHOP)
    assert place_of(read, ROOT) is None
    assert system_of(read, ROOT).attributes == {
        "db.system.name": "mysql",
        "server.address": "db.example.org",
        "server.port": 3307,
    }


def test_attributes_are_those_of_the_conventions():
    mysql = place_of(step("mysql.extractor", {"table": "t"}, "main", **SHOP), ROOT).attributes
    assert (mysql["db.namespace"], mysql["db.collection.name"]) == ("shop", "t")
    read = step("supabase.extractor", {"table": "t"}, "main", url="https://abc.supabase.co", schema="dw")
    postgres = place_of(read, ROOT).attributes
    assert postgres["db.system.name"] == "postgresql"
    assert (postgres["db.namespace"], postgres["db.collection.name"]) == ("postgres|dw", "t")
    assert place_of(step("oracle.extractor", {"table": "t"}, "erp"), ROOT).attributes == {}
