"""Discoverers of other people's plugins that fail, dawdle or return nonsense."""

from __future__ import annotations

import json

import pytest

PLUGIN = '''\
from osiris_core.api import (
    ColumnInfo, ConnectionSpec, ConnectionUnusable, DiscovererSpec, DriverError, Sample, Table, TableProfile, config, field,
    hookimpl,
)

OSIRIS_API = "1.0"


@config
class Odd:
    """An odd connection."""

    how: str = field(doc="What its discoverer does.", identity=True)


def nothing_is_here(*arguments, **more):
    raise ZeroDivisionError("nothing\\nis here")


class Reader:
    def __init__(self, how):
        self.how = how

    def fingerprint(self):
        if self.how == "late":
            raise TimeoutError
        print("printed by the plugin")
        return self.how

    def tables(self):
        if self.how == "none in time":
            raise TimeoutError
        for name in ("a", "b"):
            yield Table(name=name, kind="table", columns=(ColumnInfo(name="c", type="text"),))
        if self.how == "some in time":
            raise TimeoutError
        if self.how == "no table":
            yield {"name": "c"}

    def profile(self, table, *, basis):
        if self.how == "refused":
            raise DriverError("OSR-ODD-001", "not allowed")
        if self.how == "lost":
            raise ConnectionUnusable("OSR-ODD-002", "the line is dead")
        return TableProfile(basis=basis, columns=())

    def sample(self, table, *, rows):
        if self.how == "exit":
            raise SystemExit(7)
        return Sample(columns=(), rows=())

    def overlap(self, table, column, other, other_column, *, values):
        return None

    def close(self):
        raise RuntimeError("not even closing works")


class Discoverer:
    def open(self, connection, *, project_root, deadline):
        if connection.how == "open":
            nothing_is_here()
        return Reader(connection.how)


@hookimpl
def osiris_connections():
    return [ConnectionSpec(family="odd", config=Odd, summary="Odd.")]


@hookimpl
def osiris_discoverers():
    return [DiscovererSpec(family="odd", ref="osiris_odd:Discoverer")]
'''


@pytest.fixture
def odd(shop, on_path):
    on_path.install("osiris-odd", {"odd": "osiris_odd"}, sources={"osiris_odd.py": PLUGIN})

    def connected(how):
        shop.connections(f"odd: {{x: {{how: {how}}}}}")
        return shop

    return connected


def test_a_defect_names_the_family_and_what_happened(odd):
    error = odd("open").found("@odd.x", code=2)["error"]
    assert error["code"] == "OSR-DSC-003"
    assert error["message"] == "the discoverer of family 'odd' failed: ZeroDivisionError: nothing\\nis here"
    assert odd("no table").found("@odd.x", code=2)["error"]["code"] == "OSR-DSC-003"
    assert odd("exit").found("@odd.x", "--sample", "1", code=2)["error"]["code"] == "OSR-DSC-003"


@pytest.mark.parametrize("how", ["late", "none in time"])
def test_no_answer_in_time_is_a_connection_that_does_not_work(odd, how):
    error = odd(how).found("@odd.x", "--timeout", "7", code=5)["error"]
    assert (error["code"], error["message"]) == ("OSR-DSC-002", "@odd.x did not answer within 7 seconds")


def test_some_tables_in_time_are_shown_and_not_kept(odd):
    shop = odd("some in time")
    found = shop.found("@odd.x", "--timeout", "7")
    assert [one["name"] for one in found["tables"]] == ["a", "b"]
    assert found["complete"] is False
    assert shop.found("@odd.x")["cached"] is False
    assert "not all tables could be read within 7 seconds" in shop.run("@odd.x", "--timeout", "7").output
    error = shop.found("@odd.x", "--table", "z", "--timeout", "7", code=2)["error"]
    assert error["message"] == "@odd.x has no table 'z' among those that were read within 7 seconds"


def test_a_table_that_cannot_be_profiled_stops_no_other_and_a_lost_connection_stops_all(odd):
    found = odd("refused").found("@odd.x", "--profile")
    assert [one["stopped"] for one in found["tables"]] == ["OSR-ODD-001: not allowed"] * 2
    assert odd("lost").found("@odd.x", "--profile", code=5)["error"]["code"] == "OSR-ODD-002"


def test_what_a_discoverer_prints_stays_off_standard_output(odd):
    done = odd("fine").run("@odd.x", "--json")
    assert json.loads(done.stdout)["ok"] is True
    assert "printed by the plugin" in done.stderr
