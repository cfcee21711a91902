"""What the doctor says of a Data API."""

from __future__ import annotations

import socket

from osiris_supabase.doctor import SupabaseDoctor
from tests.servers.rest_bench import ANON, SECRET, SERVICE, rest, standin, standin_database

__all__ = ["rest", "standin", "standin_database"]


def check(bench, *, timeout=10, **config):
    return SupabaseDoctor().check(bench.use(**config), project_root=bench.path, timeout=timeout)


def test_a_data_api_that_answers(rest):
    rest.make("CREATE TABLE t (id int PRIMARY KEY)")
    health = check(rest)
    assert (health.ok, health.category, health.hint) == (True, "ok", None)
    assert health.details == {"role": "secret", "tables": 1}
    assert check(rest, key=SERVICE).details["role"] == "secret"


def test_a_key_that_row_level_security_binds_is_told_of(rest):
    for key in (ANON, "sb_publishable_abc"):
        health = check(rest, key=key)
        assert health.ok
        assert "'anon'" in health.message
        assert "row level security" in health.hint


def test_what_is_wrong_has_a_category(rest):
    wrong = check(rest, key="sb_secret_wrong")  # pragma: allowlist secret
    assert (wrong.ok, wrong.category) == (False, "auth")
    assert check(rest, schema="hidden").category == "missing"
    rest.standin.openapi = False
    assert check(rest).category == "config"
    rest.standin.openapi = True
    rest.standin.fail("html", times=9)
    assert check(rest).category == "config"
    rest.standin.clear()
    rest.standin.fail("redirect", to="http://127.0.0.1:9", times=9)
    assert check(rest).category == "config"
    assert SECRET not in check(rest).message


def test_a_server_that_does_not_answer_takes_no_longer_than_the_timeout(rest):
    rest.standin.fail("hang", times=9)
    assert check(rest, timeout=0.5).category == "timeout"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        health = check(rest, timeout=0.5, url=f"http://127.0.0.1:{closed.getsockname()[1]}")
    assert health.category in ("network", "timeout")
    assert not health.ok
