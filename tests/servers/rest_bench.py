"""A bench on the stand-in of Supabase's Data API, in a database of its own."""

from __future__ import annotations

import base64
import json

import pytest

from osiris_core.api import SecretStr
from tests.bench import Bench
from tests.servers.postgrest import Standin


def jwt(role):
    """A key of the old form: three parts, of which nobody here checks the last."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256"}, {"role": role, "iss": "supabase"})]
    return ".".join([base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts] + ["c2lnbmF0dXJl"])


SECRET = "sb_secret_CANARY7f3a9"  # pragma: allowlist secret
SERVICE, ANON = jwt("service_role"), jwt("anon")
PUBLISHABLE = "sb_publishable_abc"
KEYS = dict.fromkeys((SECRET, SERVICE), "service_role") | dict.fromkeys((ANON, PUBLISHABLE), "anon")
ROLES = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'anon') THEN CREATE ROLE anon NOLOGIN; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'service_role') THEN CREATE ROLE service_role NOLOGIN BYPASSRLS; END IF;
END $$
"""
FRESH = """
DROP SCHEMA IF EXISTS public CASCADE; DROP SCHEMA IF EXISTS other CASCADE; DROP SCHEMA IF EXISTS hidden CASCADE;
CREATE SCHEMA public; CREATE SCHEMA other; CREATE SCHEMA hidden;
GRANT USAGE ON SCHEMA public, other, hidden TO anon, service_role;
"""
LOADS = """
CREATE TABLE _osiris_loads (load_id text PRIMARY KEY, manifest_hash text NOT NULL, step text NOT NULL,
  target text NOT NULL, mode text NOT NULL, rows bigint NOT NULL, checksum text,
  loaded_at timestamptz NOT NULL DEFAULT now(), state_key text, state text);
GRANT SELECT, INSERT, UPDATE ON _osiris_loads TO service_role;
"""


class RestBench(Bench):
    """Components on the Data API; ``sql`` asks the database behind it."""

    def __init__(self, path, standin, server, database):
        super().__init__(path, "supabase")
        self.standin, self.server, self.database = standin, server, database
        (path / "scratch").mkdir(exist_ok=True)
        self.use()

    def use(self, key=SECRET, url=None, **config):
        """Connect with another key or settings."""
        return self.connect(url=url or self.standin.url, key=SecretStr(key), **config)

    def sql(self, statement):
        return self.server.execute(statement, self.database)

    def make(self, statement, *, table="t"):
        """A table, granted to the role of the secret key as a person would."""
        self.sql(f"{statement}; GRANT ALL ON {table} TO service_role; GRANT SELECT ON {table} TO anon")

    def upsert(self, sql, *, table="t", key=("id",), **config):
        """Write rows; the time that a retry waits is drawn, so no test looks at it."""
        return self.write("writer", sql, mode="upsert", table=table, primary_key=list(key), **config)


@pytest.fixture(scope="session")
def standin_database(postgres_server):
    with postgres_server.new_database("osiris_rest") as name:
        postgres_server.execute(ROLES, name)
        yield name


@pytest.fixture(scope="session")
def standin(postgres_server, standin_database):
    server = Standin(postgres_server.dsn(database=standin_database), KEYS, schemas=("public", "other"))
    yield server
    server.close()


@pytest.fixture
def rest(tmp_path, standin, postgres_server, standin_database):
    """Empty schemas, and no faults."""
    standin.clear()
    postgres_server.execute(FRESH, standin_database)
    yield RestBench(tmp_path, standin, postgres_server, standin_database)
    standin.clear()
