"""Incremental loads from table to table of one server, as somebody types them: runs, backfills and ``osiris state``.

The command runs in this process; that a killed one is taken up where it was is shown by each plugin's own tests.
"""

from __future__ import annotations

import json

import attrs
import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris

FAMILIES = ("mysql", "supabase")
UPSERT = {"mode": "upsert", "primary_key": ["id"]}
NEWEST = "2026-03-02 10:00:00.000001"


@attrs.frozen(kw_only=True)
class Place:
    """A database: its connection as a project has it, the type of a time of change, and who asks it directly."""

    connection: str
    time: str
    zone: str
    execute: object

    def at(self, moment):
        """A time as a literal of the server's."""
        return f"'{self.shown(moment)}'"

    def shown(self, moment):
        """A time as ``osiris state`` shows it, and as it is given to the command."""
        return moment + self.zone


class Orders:
    """A project that copies ``orders`` to ``copy`` by the time of change, and the command in it."""

    def __init__(self, folder, family, place):
        self.folder, self.family, self.place = folder, family, place
        (folder / "osiris.yaml").write_text("{}\n")
        (folder / "osiris_connections.yaml").write_text(f"connections: {{{family}: {{main: {place.connection}}}}}\n")
        self.incremental = {"cursor": "changed", "primary_key": ["id"]}
        self.write(**UPSERT)
        place.execute(f"CREATE TABLE orders (id INT PRIMARY KEY, changed {place.time} NOT NULL, v INT)")
        self.put((1, "2026-03-01 10:00:00", 1), (2, NEWEST, 1))

    def write(self, **mode):
        """The pipeline, whose writer has these settings."""
        connection = f"@{self.family}.main"
        read = {"connection": connection, "table": "orders", "incremental": self.incremental}
        steps = [
            {"id": "read", "component": f"{self.family}.extractor", "mode": "read", "config": read},
            {
                "id": "load",
                "component": f"{self.family}.writer",
                "mode": "write",
                "needs": ["read"],
                "config": {"connection": connection, "table": "copy", **mode},
            },
        ]
        document = {"oml_version": "0.1.0", "name": "p", "steps": steps}
        (self.folder / "p.yaml").write_text(json.dumps(document))

    def put(self, *rows):
        values = ", ".join(f"({key}, {self.place.at(changed)}, {v})" for key, changed, v in rows)
        self.place.execute(f"INSERT INTO orders VALUES {values}")

    def change(self, statement):
        self.place.execute(f"UPDATE orders SET {statement}")

    def osiris(self, *arguments, status=0):
        done = CliRunner().invoke(osiris, [*arguments, "--json"])
        assert done.exit_code == status, done.output
        return json.loads(done.stdout)

    def run(self, *options):
        """Run the pipeline; how many rows its writer was given."""
        steps = {step["id"]: step for step in self.osiris("run", "p.yaml", *options)["steps"]}
        return steps["load"]["rows_written"]

    def refused(self, *arguments, status):
        return self.osiris(*arguments, status=status)["error"]

    def state(self):
        """The one state as it is shown."""
        (one,) = self.osiris("state", "show", "p.yaml")["states"]
        return one

    def value(self):
        return self.state()["value"]

    def content(self, table="copy"):
        return [tuple(row) for row in self.place.execute(f"SELECT id, changed, v FROM {table} ORDER BY id, changed")]

    def versions(self):
        """The last column of the copy by key."""
        return {key: v for key, _, v in self.content()}

    def loads(self):
        """The commit rows, oldest first."""
        rows = "`rows`" if self.family == "mysql" else "rows"
        return [tuple(row) for row in self.place.execute(f"SELECT mode, {rows} FROM _osiris_loads ORDER BY loaded_at")]


@pytest.fixture(params=FAMILIES)
def orders(request, tmp_path, monkeypatch):
    """Two rows at the source, none loaded."""
    monkeypatch.chdir(tmp_path)
    if request.param == "mysql":
        server = request.getfixturevalue("mariadb")
        monkeypatch.setenv("SHOP_SECRET", server.password)
        with server.database() as name:
            fields = {"host": server.host, "port": server.port, "user": server.user, "database": name}
            yield Orders(
                tmp_path,
                request.param,
                Place(
                    connection=json.dumps({**fields, "password": "${SHOP_SECRET}"}),
                    time="DATETIME(6)",
                    zone="",
                    execute=lambda sql: server.execute(sql, database=name),
                ),
            )
        return
    server = request.getfixturevalue("postgres_server")
    with server.new_database("osiris_orders") as name:
        monkeypatch.setenv("SHOP_SECRET", server.dsn(database=name))
        yield Orders(
            tmp_path,
            request.param,
            Place(
                connection=json.dumps({"dsn": "${SHOP_SECRET}", "tls": "disable"}),
                time="TIMESTAMPTZ",
                zone="+00:00",
                execute=lambda sql: server.execute(sql, name),
            ),
        )


def test_runs_load_what_is_new_and_what_has_changed(orders):
    before = orders.state()
    assert (before["value"], before["origin"], before["lower"]) == (None, "beginning", None)
    assert orders.run() == 2
    assert orders.content() == orders.content("orders")
    assert orders.value() == orders.place.shown(NEWEST)

    assert orders.run() == 1  # the row at the last value, which changes nothing
    assert orders.content() == orders.content("orders")
    assert orders.value() == orders.place.shown(NEWEST)

    orders.change(f"v = 2, changed = {orders.place.at('2026-03-03 00:00:00')} WHERE id = 1")
    orders.put((3, NEWEST, 1), (4, "2026-03-03 00:00:00", 1))
    assert orders.run() == 4  # ids 2 and 3 at the last value, and 1 and 4
    assert orders.content() == orders.content("orders")
    assert orders.value() == orders.place.shown("2026-03-03 00:00:00")
    assert orders.loads() == [("upsert", 2), ("upsert", 1), ("upsert", 4)]


def test_rows_that_come_late_are_read_within_the_lag(orders):
    orders.incremental["lag"] = 3600
    orders.write(**UPSERT)
    orders.run()
    # An hour before the last value, to the microsecond; and one microsecond earlier.
    orders.put((3, "2026-03-02 09:00:00.000001", 1), (4, "2026-03-02 09:00:00", 1))
    assert orders.state()["lower"] == orders.place.shown("2026-03-02 09:00:00.000001")
    assert orders.run() == 2
    assert orders.versions() == {1: 1, 2: 1, 3: 1}
    orders.change("v = 2")  # read once more and replaced, none there twice
    orders.run()
    assert [(key, v) for key, _, v in orders.content()] == [(1, 1), (2, 2), (3, 2)]
    assert orders.value() == orders.place.shown(NEWEST)


def test_a_full_refresh_reads_everything_and_sets_the_state(orders):
    orders.run()
    orders.change("v = 2 WHERE id = 1")  # without the cursor: not seen
    orders.place.execute("DELETE FROM orders WHERE id = 2")
    assert orders.run() == 0
    assert orders.versions() == {1: 1, 2: 1}
    assert orders.value() == orders.place.shown(NEWEST)
    assert orders.run("--full-refresh") == 1
    assert orders.versions() == {1: 2, 2: 1}
    assert orders.value() == orders.place.shown("2026-03-01 10:00:00")


def test_a_backfill_reads_its_part_and_leaves_the_state(orders):
    shown = orders.place.shown
    orders.put((3, "2026-03-02 00:00:00", 1))
    orders.run()
    before = orders.value()
    orders.change("v = 2")
    # From the bound on, and up to the other but not with it.
    bounds = ("--since", shown("2026-03-01 10:00:00"), "--until", shown("2026-03-02 00:00:00"))
    assert orders.run(*bounds) == 1
    assert orders.versions() == {1: 2, 2: 1, 3: 1}
    assert orders.value() == before
    orders.put((4, "2026-03-04 00:00:00", 1))
    assert orders.run("--since", shown("2026-03-04 00:00:00")) == 1  # beyond the state, which stays all the same
    assert orders.value() == before
    assert orders.run() == 2
    assert orders.versions() == {1: 2, 2: 2, 3: 1, 4: 1}
    assert orders.value() == shown("2026-03-04 00:00:00")


def test_a_state_is_set_and_reset_and_no_row_is_touched(orders):
    # The state belongs to a table that is there.
    assert "there is no table" in orders.refused("state", "set", "p.yaml", "2026-03-01", status=1)["message"]
    orders.run()
    orders.change("v = 2")
    content = orders.content()
    assert orders.refused("state", "set", "p.yaml", "yesterday", status=2)["code"] == "OSR-RUN-090"
    orders.osiris("state", "set", "p.yaml", "2026-03-02 00:00:00")
    shown = orders.state()
    assert (shown["value"], shown["origin"]) == (orders.place.shown("2026-03-02 00:00:00"), "state")
    assert orders.content() == content
    assert orders.run() == 1
    assert orders.versions() == {1: 1, 2: 2}

    content = orders.content()
    (reset,) = orders.osiris("state", "reset", "p.yaml")["states"]
    assert (reset["value"], reset["origin"]) == (None, "beginning")
    assert orders.content() == content
    assert orders.run() == 2
    assert orders.versions() == {1: 2, 2: 2}
    assert orders.value() == orders.place.shown(NEWEST)
    assert orders.loads() == [("upsert", 2), ("state", 0), ("upsert", 1), ("state", 0), ("upsert", 2)]


def test_an_append_has_each_version_of_a_row_once(orders):
    orders.write(mode="append")
    orders.run()
    assert orders.run() == 0  # the row at the last value is known
    orders.change(f"v = 2, changed = {orders.place.at('2026-03-03 00:00:00')} WHERE id = 1")
    orders.put((3, NEWEST, 1))
    assert orders.run() == 2
    assert [(key, v) for key, _, v in orders.content()] == [(1, 1), (1, 2), (2, 1), (3, 1)]
    for option in (("--full-refresh",), ("--since", "2026-03-01")):
        assert orders.refused("run", "p.yaml", *option, status=2)["code"] == "OSR-RUN-072"
    assert len(orders.content()) == 4


def test_a_table_that_was_dropped_is_loaded_from_the_beginning(orders):
    orders.run()
    orders.place.execute("DROP TABLE copy")
    assert orders.state()["value"] is None
    assert orders.run() == 2
    assert orders.content() == orders.content("orders")
