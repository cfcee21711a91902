"""What befalls a load, and what is then in the database: the table as before or as after, and nothing half-way.

In all cells running again gives the rows that one run would have given (an append neither
lost nor doubled), nothing staged stays, and the commit row is there once.
"""

from __future__ import annotations

import json
import os
import signal
import threading

import attrs
import pytest

from osiris_core.errors import ConnectionUnusable, DriverError, OsirisError
from tests.commands import osiris as command
from tests.servers.cutproxy import CutProxy
from tests.servers.mariadb import PASSWORD

pytestmark = pytest.mark.slow

OLD = [(1, "old"), (2, "old")]
NEW = [(2, "new"), (3, "new")]
NEW_SQL = "SELECT * FROM (VALUES (2, 'new'), (3, 'new')) t(id, name)"
KEPT = [(1, "old"), (2, "new"), (3, "new")]
TRIGGER = "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW SET @seen = NEW.id"


@attrs.frozen(kw_only=True)
class Way:
    """A mode on a table (or none), the rows it leaves, and the named points that its load passes."""

    name: str
    config: dict
    after: list
    points: tuple[str, ...]
    fresh: bool = False
    trigger: bool = False

    @property
    def before(self):
        return None if self.fresh else OLD

    def seed(self, bench):
        if not self.fresh:
            bench.sql("CREATE TABLE t (id INT, name VARCHAR(50))", "INSERT INTO t VALUES (1, 'old'), (2, 'old')")
        if self.trigger:
            bench.sql(TRIGGER)


UPSERT = {"mode": "upsert", "primary_key": ["id"]}
BY_ID = {"mode": "delete_insert", "replace_keys": ["id"]}
LOADED = ("mysql.begun", "begin", "mid_write", "mysql.sending", "staged", "before_publish")
PUBLISHED = ("after_publish", "before_status")
BY_COMMIT = (*LOADED, "mysql.before_commit", "mysql.after_commit", *PUBLISHED)
BY_RENAME = (*LOADED, "mysql.prepared", "mysql.renamed", "mysql.after_commit", *PUBLISHED)
APPEND = Way(name="append", config={"mode": "append"}, after=[*OLD, *NEW], points=BY_COMMIT)
REPLACE = Way(name="replace", config={"mode": "replace"}, after=NEW, points=BY_RENAME)
UPSERTED = Way(name="upsert", config=UPSERT, after=KEPT, points=BY_COMMIT)
DELETED = Way(name="delete_insert", config=BY_ID, after=KEPT, points=BY_COMMIT)
CREATED = Way(name="append, new table", config={"mode": "append"}, after=NEW, points=BY_RENAME, fresh=True)
WAYS = (
    APPEND,
    REPLACE,
    Way(name="replace, trigger", config={"mode": "replace"}, after=NEW, points=BY_COMMIT, trigger=True),
    UPSERTED,
    DELETED,
    CREATED,
    Way(name="replace, new table", config={"mode": "replace"}, after=NEW, points=BY_RENAME, fresh=True),
    Way(name="upsert, new table", config=UPSERT, after=NEW, points=BY_RENAME, fresh=True),
    Way(name="delete_insert, new table", config=BY_ID, after=NEW, points=BY_RENAME, fresh=True),
)
DONE = {*PUBLISHED, "mysql.after_commit", "mysql.renamed"}


def found(bench):
    """The rows of the table, None when there is none."""
    return sorted(bench.content()) if "t" in bench.tables() else None


def settle(bench, way, *, load_id):
    """Run the same load again; the destination is then as after one."""
    again = bench.write("writer", NEW_SQL, table="t", load_id=load_id, **way.config)
    assert found(bench) == sorted(way.after)
    assert bench.tables() == ["_osiris_loads", "t"]
    assert bench.sql("SELECT load_id, status, `rows` FROM _osiris_loads") == ((load_id, "committed", 2),)
    return again


# kill -9, in a genuine run


def lay_out(folder, bench, way):
    server = bench.server
    (folder / "osiris.yaml").write_text("{}\n")
    fields = f"host: {server.host}, port: {server.port}, user: {server.user}, database: {bench.database}"
    (folder / "osiris_connections.yaml").write_text(
        f'connections:\n  mysql:\n    main: {{{fields}, password: "${{MYSQL_PASSWORD}}"}}\n'
    )
    (folder / "in.csv").write_text("id,name\n" + "".join(f"{i},{n}\n" for i, n in NEW))
    config = ", ".join(f"{key}: {json.dumps(value)}" for key, value in way.config.items())
    (folder / "load.yaml").write_text(
        'oml_version: "0.1.0"\nname: load\nsteps:\n'
        "  - {id: read, component: filesystem.csv_extractor, mode: read, config: {path: in.csv, "
        "types: {id: INTEGER, name: VARCHAR}}}\n"
        '  - {id: load, component: mysql.writer, mode: write, config: {connection: "@mysql.main", table: t, '
        f"{config}}}}}\n"
    )


def osiris(folder, bench, failpoint=None):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("OSIRIS_")}
    environ["MYSQL_PASSWORD"] = bench.server.password
    if failpoint:
        environ |= {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": failpoint}
    return command("run", "load.yaml", cwd=folder, env=environ)


@pytest.mark.extra
@pytest.mark.parametrize(
    ("way", "point"), [pytest.param(way, point, id=f"{way.name}-{point}") for way in WAYS for point in way.points]
)
def test_killed(bench, tmp_path, way, point, cell):
    way.seed(bench)
    lay_out(tmp_path, bench, way)
    killed = osiris(tmp_path, bench, f"{point}:kill")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    state = found(bench)
    assert state == (sorted(way.after) if point in DONE else way.before)
    again = osiris(tmp_path, bench)
    assert again.returncode == 0, again.stderr
    assert found(bench) == sorted(way.after)
    assert bench.tables() == ["_osiris_loads", "t"]
    assert set(bench.sql("SELECT status, COUNT(*) FROM _osiris_loads")) == {("committed", 1)}
    cell("mysql", way.name, f"kill -9 at {point}", "after" if point in DONE else "before")


@pytest.mark.extra
@pytest.mark.parametrize("way", [APPEND, REPLACE], ids=lambda way: way.name)
@pytest.mark.parametrize("action", ["interrupt", "full", "retry"])
def test_failed(bench, tmp_path, way, action, cell):
    way.seed(bench)
    lay_out(tmp_path, bench, way)
    point = "mysql.before_commit" if way is APPEND else "mysql.prepared"
    done = osiris(tmp_path, bench, f"{point}:{action}")
    assert "Traceback" not in done.stderr
    assert PASSWORD not in done.stderr + done.stdout
    if action != "retry":
        assert done.returncode == (130 if action == "interrupt" else 1), done.stderr
        assert found(bench) == way.before
        assert [name for name in bench.tables() if name not in ("t", "_osiris_loads")] == []
        done = osiris(tmp_path, bench)
    assert done.returncode == 0, done.stderr
    assert found(bench) == sorted(way.after)
    assert bench.tables() == ["_osiris_loads", "t"]
    cell("mysql", way.name, f"{action} at {point}", "after" if action == "retry" else "before")


# the network


@pytest.fixture
def proxy(bench):
    with CutProxy(bench.server.host, bench.server.port) as made:
        bench.use(host="127.0.0.1", port=made.port, read_timeout=2.0, connect_timeout=5.0)
        yield made


MANY = "SELECT i::INT AS id, repeat('x', 40) AS name FROM range(4000) r(i)"


@pytest.mark.parametrize("way", [APPEND, REPLACE, UPSERTED, DELETED], ids=lambda way: way.name)
def test_cut_at_ten_offsets(bench, proxy, way, cell):
    way.seed(bench)
    bench.write("writer", MANY, **{**way.config, "table": "probe"})
    total = proxy.sent
    bench.sql("DROP TABLE probe", "DROP TABLE _osiris_loads")
    after = None
    states = []
    for at in range(10):
        load_id = f"{at:032x}"
        bench.sql("DROP TABLE IF EXISTS t")
        way.seed(bench)
        proxy.reset()
        proxy.cut(up=total * at // 10 + 90)
        try:
            bench.write("writer", MANY, table="t", load_id=load_id, **way.config)
        except OsirisError as error:
            assert error.retriable, error
            assert isinstance(error, ConnectionUnusable)
        assert proxy.happened.is_set()
        count = len(found(bench))
        states.append(count)
        again = bench.write("writer", MANY, table="t", load_id=load_id, **way.config)
        after = len(found(bench))
        assert count in (2, after)
        assert again.already is (count == after)
        assert after == (4002 if way is APPEND else 4000)
        assert bench.tables() == ["_osiris_loads", "t"]
        cell("mysql", way.name, f"TCP cut at {at * 10}% of the bytes", "before" if count == 2 else "after")
    assert 2 in states


@pytest.mark.parametrize(
    ("way", "statement"),
    [
        (APPEND, b"COMMIT"),
        (UPSERTED, b"COMMIT"),
        (DELETED, b"COMMIT"),
        (REPLACE, b"RENAME TABLE"),
        (REPLACE, b"SET status = 'committed'"),
        (CREATED, b"RENAME TABLE"),
    ],
    ids=lambda value: value.name if isinstance(value, Way) else value.decode().split()[0],
)
def test_lost_acknowledgement(bench, proxy, way, statement, cell):
    way.seed(bench)
    proxy.swallow(statement)
    with pytest.raises(ConnectionUnusable) as caught:
        bench.write("writer", NEW_SQL, table="t", load_id="c" * 32, **way.config)
    assert caught.value.retriable
    assert proxy.happened.is_set()
    assert found(bench) == sorted(way.after)
    assert settle(bench, way, load_id="c" * 32).already is True
    cell("mysql", way.name, f"no answer to {statement.decode()}", "after")


@pytest.mark.parametrize("way", [APPEND, REPLACE, UPSERTED], ids=lambda way: way.name)
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_black_hole(bench, proxy, way, share, cell):
    way.seed(bench)
    bench.write("writer", MANY, **{**way.config, "table": "probe"})
    total = proxy.sent
    bench.sql("DROP TABLE probe", "DROP TABLE _osiris_loads")
    proxy.reset()
    proxy.black_hole(up=int(total * share))
    with pytest.raises(ConnectionUnusable) as caught:
        bench.write("writer", MANY, table="t", load_id="d" * 32, **way.config)
    assert caught.value.code == "OSR-MYSQL-007"
    assert caught.value.retriable
    assert found(bench) == way.before
    assert [name for name in bench.tables() if name not in ("t", "_osiris_loads")] == []
    assert settle(bench, way, load_id="d" * 32).already is False
    cell("mysql", way.name, f"black hole at {share:.0%} of the bytes", "before")


def test_a_server_that_asks_for_a_file_gets_none(bench, proxy):
    """PyMySQL would send whatever file a server names."""
    APPEND.seed(bench)
    # The name of the stage begins with as many letters; what follows is the token, which no path can have.
    proxy.rewrite(b"\xfb_osiris_stage_", b"\xfb/etc/././././.")
    with pytest.raises(DriverError, match="asked for a file of this machine") as caught:
        bench.write("writer", NEW_SQL, table="t", load_id="e" * 32, mode="append")
    assert caught.value.code == "OSR-MYSQL-059"
    assert proxy.happened.is_set()
    assert found(bench) == OLD
    settle(bench, APPEND, load_id="e" * 32)


# the server


def test_a_server_that_is_restarted(mortal_bench, cell):
    """Killed while rows are sent, and shut down when all are staged; one server for all modes, as making one is slow."""
    bench, server = mortal_bench, mortal_bench.server
    for way in (APPEND, REPLACE, UPSERTED, DELETED):
        driver, config = bench.driver("writer"), bench.configured("writer", {"table": "t", **way.config})

        def begin(rows, load_id, driver=driver, config=config):
            return driver.begin(step_id="s", config=config, schema=rows.schema, ctx=bench.context("writer", load_id))

        way.seed(bench)
        rows = _Rows(NEW_SQL, server.kill)
        stage = begin(rows, "a" * 32)
        with pytest.raises(ConnectionUnusable) as caught:
            driver.write(stage, 0, rows)
        assert caught.value.retriable
        with pytest.raises(ConnectionUnusable):
            driver.abort(stage)
        server.start()
        assert found(bench) == OLD
        assert settle(bench, way, load_id="a" * 32).already is False
        cell("mysql", way.name, "the server is killed while rows are sent", "before")

        bench.sql("DROP TABLE t, _osiris_loads")
        way.seed(bench)
        rows = _Rows(NEW_SQL)
        stage = begin(rows, "b" * 32)
        receipt = driver.write(stage, 0, rows)
        server.stop()
        server.start()
        with pytest.raises(ConnectionUnusable) as caught:
            driver.publish(stage, [receipt])
        assert caught.value.retriable
        driver.abort(stage)
        assert found(bench) == OLD
        assert settle(bench, way, load_id="b" * 32).already is False
        cell("mysql", way.name, "the server is restarted before publishing", "before")
        bench.sql("DROP TABLE t, _osiris_loads")


@pytest.mark.parametrize("way", [APPEND, REPLACE, UPSERTED, DELETED], ids=lambda way: way.name)
def test_a_disk_that_is_full(mortal_bench, small_disk, way, cell):
    """The folder of the database is a disk of its own."""
    bench = mortal_bench
    filler = small_disk(bench.server.folder / "data" / bench.database)
    way.seed(bench)
    many = MANY.replace("4000", "15000")
    with pytest.raises(DriverError, match="is full") as caught:
        bench.write("writer", many, table="t", load_id="b" * 32, **way.config)
    assert caught.value.code == "OSR-MYSQL-010"
    assert found(bench) == OLD
    assert [name for name in bench.tables() if name not in ("t", "_osiris_loads")] == []
    filler.unlink()
    assert not bench.write("writer", many, table="t", load_id="b" * 32, **way.config).already
    assert len(found(bench)) == (15002 if way is APPEND else 15000)
    assert bench.tables() == ["_osiris_loads", "t"]
    cell("mysql", way.name, "the disk is full", "before")


class _Rows:
    """The rows of a query as a driver receives them; with ``then``, which is called after the last, they come again."""

    def __init__(self, sql, then=None):
        import duckdb
        from arro3.core import Table

        with duckdb.connect(config={"python_enable_replacements": False}) as connection:
            self._table = Table.from_arrow(connection.sql(sql))
        self.schema = self._table.schema
        self._then = then

    def batches(self):
        yield from self._table.to_batches()
        if self._then is not None:
            self._then()
            yield from self._table.to_batches()


def test_deadlock(bench, cell, numbers):
    """The other transaction has changed more, so the load's is the one that is undone."""
    way = UPSERTED
    bench.sql(
        "CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(50))",
        "INSERT INTO t VALUES (1, 'old'), (2, 'old'), (3, 'old')",
        f"INSERT INTO t SELECT seq, 'heavy' FROM {numbers(2000)} WHERE seq >= 100",
    )
    other = bench.server.connect(bench.database, autocommit=False)
    cursor = other.cursor()
    failed = []

    def load():
        try:
            bench.write("writer", NEW_SQL, table="t", load_id="a" * 32, **way.config)
        except OsirisError as error:
            failed.append(error)

    try:
        cursor.execute("UPDATE t SET name = 'other' WHERE id >= 100 OR id = 3")
        thread = threading.Thread(target=load)
        thread.start()
        waiting = "SELECT 1 FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'"
        pause = threading.Event()  # the server renews this table only when it is not asked for it all the time
        while not bench.sql(waiting):
            assert thread.is_alive(), failed
            pause.wait(0.2)
        cursor.execute("UPDATE t SET name = 'other' WHERE id = 2")
        thread.join(60)
        other.commit()
    finally:
        other.close()
    (error,) = failed
    assert (error.code, error.retriable) == ("OSR-MYSQL-009", True)
    assert bench.sql("SELECT name FROM t WHERE id <= 3 ORDER BY id") == (("old",), ("other",), ("other",))
    bench.write("writer", NEW_SQL, table="t", load_id="a" * 32, **way.config)
    assert bench.sql("SELECT name FROM t WHERE id <= 3 ORDER BY id") == (("old",), ("new",), ("new",))
    cell("mysql", "upsert", "deadlock", "before")


def test_statement_timeout(bench, own_mariadb, cell):
    way = UPSERTED
    way.seed(bench)
    other = bench.server.connect(bench.database, autocommit=False)
    own_mariadb.execute("SET GLOBAL max_statement_time = 0.5")
    try:
        other.cursor().execute("SELECT * FROM t FOR UPDATE")
        with pytest.raises(DriverError) as caught:
            bench.write("writer", NEW_SQL, table="t", load_id="a" * 32, **way.config)
    finally:
        own_mariadb.execute("SET GLOBAL max_statement_time = 0")
        other.close()
    assert caught.value.code == "OSR-MYSQL-025"
    assert found(bench) == OLD
    settle(bench, way, load_id="a" * 32)
    cell("mysql", "upsert", "statement timeout", "before")


@pytest.mark.parametrize("way", [APPEND, REPLACE, UPSERTED], ids=lambda way: way.name)
def test_a_lock_that_is_not_given_up(bench, way, cell):
    """Rows for an upsert, the whole table for others: what the server waits for is not ours to break."""
    way.seed(bench)
    bench.use(read_timeout=3.0)
    other = bench.server.connect(bench.database, autocommit=False)
    try:
        other.cursor().execute("SELECT * FROM t FOR UPDATE" if way.name == "upsert" else "LOCK TABLES t WRITE")
        with pytest.raises(DriverError) as caught:
            bench.write("writer", NEW_SQL, table="t", load_id="a" * 32, **way.config)
    finally:
        other.close()
    assert (caught.value.code, caught.value.retriable) == ("OSR-MYSQL-009", True)
    assert found(bench) == OLD
    assert [name for name in bench.tables() if name not in ("t", "_osiris_loads")] == []
    settle(bench, way, load_id="a" * 32)
    cell("mysql", way.name, "a lock that is not given up", "before")
