"""How fast do rows leave and enter MySQL and PostgreSQL? Beside the server's own client, and beside other tools.

Servers are private ones, started for the benchmark on this machine. The limit of an extract is the server's own client
writing to nowhere; that of a load is the server's own load from a file that it reads itself, and that of an upsert the
same and one statement that merges. Other tools are measured where ``OSIRIS_BENCH_PEERS`` names an environment that has
them: dlt with connectorx, pandas with SQLAlchemy and pyarrow, the packages of sling and ingestr that carry their
programs.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import data
import project
import pytest
from measure import Command, Series, rounds

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the servers of the tests

from tests.servers import mariadb, postgres  # noqa: E402

MOST_FOR_SLOW_PEERS: Final = 0.2
"""The scale up to which dlt's default way, and SQLAlchemy with pandas, are measured too: minutes for a million rows."""
TITLE: Final = "## Servers: beside their own clients"
COLUMNS: Final = (
    ("l_orderkey", "BIGINT"), ("l_partkey", "BIGINT"), ("l_suppkey", "BIGINT"), ("l_linenumber", "INTEGER"),
    ("l_quantity", "DECIMAL(15,2)"), ("l_extendedprice", "DECIMAL(15,2)"), ("l_discount", "DECIMAL(15,2)"),
    ("l_tax", "DECIMAL(15,2)"), ("l_returnflag", "VARCHAR(1)"), ("l_linestatus", "VARCHAR(1)"),
    ("l_shipdate", "DATE"), ("l_commitdate", "DATE"), ("l_receiptdate", "DATE"), ("l_shipinstruct", "VARCHAR(25)"),
    ("l_shipmode", "VARCHAR(10)"), ("l_comment", "VARCHAR(44)"),
)  # fmt: skip
TABLE: Final = (
    ", ".join(f"{name} {kind} NOT NULL" for name, kind in COLUMNS) + ", PRIMARY KEY (l_orderkey, l_linenumber)"
)


@attrs.frozen(kw_only=True)
class Job:
    """One direction: our command, the limit, and the peers, which all do the same."""

    name: str
    ours: Command
    limit: Command
    peers: tuple[Command, ...] = ()


@attrs.frozen(kw_only=True)
class Servers:
    """The two servers, each with a database that holds lineitem."""

    my: Any
    my_database: str
    pg: Any
    files: Path

    def mysql(self, *statements: str) -> Callable[[], None]:
        """What runs statements on MySQL."""
        return lambda: self.my.execute(*statements, database=self.my_database) and None

    def postgres(self, *statements: str) -> Callable[[], None]:
        """What runs statements on PostgreSQL."""
        return lambda: self.pg.execute("; ".join(statements)) and None

    @property
    def env(self) -> dict[str, str]:
        """The environment in which the servers' own clients find their passwords."""
        return {**os.environ, "MYSQL_PWD": self.my.password, "PGPASSWORD": self.pg.password}

    def client(self, name: str, program: str, sql: str, before: Callable[[], None] | None = None) -> Command:
        """A server's own client running ``sql``, what it prints thrown away."""
        place = f"-h 127.0.0.1 -P {self.my.port} -u {self.my.user} {self.my_database} -qNB -e"
        if program == "psql":
            place = f"-X -q -h 127.0.0.1 -p {self.pg.port} -U {self.pg.user} {self.pg.database} -c"
        return Command(
            name=name, argv=("sh", "-c", f'exec {program} {place} "$1" > /dev/null', "sh", sql), cwd=self.files,
            before=before, env=self.env,
        )  # fmt: skip


def measure(scale: float, count: int) -> str:
    """The section of the report."""
    parquet, csv = data.lineitem(scale)
    try:
        return _measured(scale, count, parquet, csv)
    except pytest.skip.Exception as reason:  # what the servers of the tests say where they are not installed
        return f"{TITLE}\n\nNot measured: {reason}."


def _measured(scale: float, count: int, parquet: Path, csv: Path) -> str:
    with _servers(csv) as servers:
        jobs = list(_jobs(servers, parquet, slow_peers=scale <= MOST_FOR_SLOW_PEERS))
        lines = [
            TITLE,
            "",
            f"TPC-H lineitem at scale {scale:g}, 16 columns, primary key of two. *osiris* is `osiris run` as a whole:",
            "start, compile, run record, checksum. A peak below that of the process that starts the others,",
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3:.0f} MB, cannot be told.",
            "*limit* is the server's own client writing to nowhere, or the server's own load from a file into the same",
            "empty table. CPU and memory are the client's; the servers run on the same machine.",
            f"{count} interleaved rounds; minimum (median).",
            "",
            "| job | | wall s | CPU s | peak MB |",
            "|---|---|---|---|---|",
        ]
        ratios = []
        for job in jobs:
            print(f"  {job.name}", file=sys.stderr, flush=True)
            series = rounds([job.ours, job.limit], count)
            # A slow peer's second round says nothing that its first did not.
            series = {**series, **rounds(job.peers, 1)}
            ours, limit = series[job.ours.name], series[job.limit.name]
            lines += [
                _row(job.name, one.name.removeprefix(f"{job.name} "), series[one.name])
                for one in (job.ours, job.limit, *job.peers)
            ]
            ratios.append(f"- {job.name}: **{ours.best('wall') / limit.best('wall'):.2f}×** the limit's wall time")
            ratios += [_beside(job.name, ours, series[peer.name]) for peer in job.peers]
    return "\n".join([*lines, "", *ratios])


def _beside(job: str, ours: Series, theirs: Series) -> str:
    wall, cpu, memory = (theirs.best(what) / ours.best(what) for what in ("wall", "cpu", "peak_mb"))
    name = theirs.name.removeprefix(f"{job} ")
    return f"  - {name} needs {wall:.1f}× our wall time, {cpu:.1f}× our CPU, {memory:.1f}× our memory"


def _row(job: str, who: str, series: Series) -> str:
    wall, cpu = (f"{series.best(what):.2f} ({series.median(what):.2f})" for what in ("wall", "cpu"))
    return f"| {job} | {who} | {wall} | {cpu} | {series.best('peak_mb'):.0f} |"


@contextmanager
def _servers(csv: Path) -> Iterator[Servers]:
    with ExitStack() as stack:
        my = stack.enter_context(
            mariadb.private_mariadb("--innodb-buffer-pool-size=2G", "--innodb-log-file-size=2G", "--secure-file-priv=")
        )
        pg = stack.enter_context(postgres.running(settings="shared_buffers = 1GB\nmax_wal_size = 8GB\n"))
        files = data.DATA / "servers"
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir(parents=True)
        # The servers read a file of their own: PostgreSQL's account sees its own folder only.
        own = {"my": my.folder / "lineitem.csv", "pg": pg.folder / "lineitem.csv"}
        for target in own.values():
            shutil.copyfile(csv, target)
            target.chmod(0o644)
        servers = Servers(my=my, my_database=stack.enter_context(my.database()), pg=pg, files=files)
        servers.mysql(f"CREATE TABLE lineitem ({TABLE})", _load_data(servers, "lineitem"), "ANALYZE TABLE lineitem")()
        servers.postgres(f"CREATE TABLE lineitem ({TABLE})", _copy(servers, "lineitem"), "ANALYZE lineitem")()
        yield servers


def _load_data(servers: Servers, table: str) -> str:
    return (
        f"LOAD DATA INFILE '{servers.my.folder / 'lineitem.csv'}' INTO TABLE {table} CHARACTER SET utf8mb4 "
        "FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY '\\n' IGNORE 1 LINES"
    )


def _copy(servers: Servers, table: str) -> str:
    return f"COPY {table} FROM '{servers.pg.folder / 'lineitem.csv'}' (FORMAT csv, HEADER)"


def _jobs(servers: Servers, parquet: Path, *, slow_peers: bool) -> Iterator[Job]:
    def osiris(
        name: str, source: Mapping[str, Any], target: Mapping[str, Any], before: Callable[[], None] | None = None
    ) -> Command:
        steps = [project.step("read", mode="extract", **source), project.step("store", "", "write", {}, "read")]
        steps[1] |= {"component": target["component"], "config": target["config"]}
        folder = project.project(data.DATA / "servers" / name.replace(" ", "-"), {"job": steps})
        (folder / "lineitem.parquet").hardlink_to(parquet)
        (folder / "osiris_connections.yaml").write_text(json.dumps(_connections(servers)))
        (folder / ".env").write_text(f"MY='{servers.my.password}'\nPG='{servers.pg.dsn()}'\n")
        command = project.run(folder, "job", f"{name} osiris")
        return attrs.evolve(command, before=_both(command.before, before))

    from_my = {"component": "mysql.extractor", "config": {"connection": "@mysql.bench", "table": "lineitem"}}
    from_pg = {"component": "supabase.extractor", "config": {"connection": "@supabase.bench", "table": "lineitem"}}
    from_file = {"component": "filesystem.parquet_extractor", "config": {"path": "lineitem.parquet"}}
    to_parquet = {"component": "filesystem.parquet_writer", "config": {"path": "out/lineitem.parquet"}}
    to_csv = {"component": "filesystem.csv_writer", "config": {"path": "out/lineitem.csv"}}
    to_my = {
        "component": "mysql.writer",
        "config": {"connection": "@mysql.bench", "table": "loaded", "mode": "replace"},
    }
    to_pg = {
        "component": "supabase.writer",
        "config": {"connection": "@supabase.bench", "table": "loaded", "mode": "replace"},
    }
    fresh = ("DROP TABLE IF EXISTS loaded", f"CREATE TABLE loaded ({TABLE})")
    fresh_my, fresh_pg = servers.mysql(*fresh), servers.postgres(*fresh)
    read_my, read_pg = "SELECT * FROM lineitem", "COPY (SELECT * FROM lineitem) TO STDOUT"
    peers = _Peers(servers, slow=slow_peers)
    reads = (
        ("MySQL to Parquet", "mysql", from_my, to_parquet, "parquet"),
        ("MySQL to CSV", "mysql", from_my, to_csv, "csv"),
        ("Postgres to Parquet", "postgres", from_pg, to_parquet, "parquet"),
    )
    for name, system, source, target, kind in reads:
        program, sql = ("mariadb", read_my) if system == "mysql" else ("psql", read_pg)
        yield Job(
            name=name,
            ours=osiris(name, source, target),
            limit=servers.client(f"{name} limit", program, sql),
            peers=peers.read(name, system, kind),
        )
    name = "Parquet to MySQL"
    limit = servers.client(f"{name} limit", "mariadb", _load_data(servers, "loaded"), fresh_my)
    yield Job(name=name, ours=osiris(name, from_file, to_my, fresh_my), limit=limit)
    name = "Parquet to Postgres"
    limit = servers.client(f"{name} limit", "psql", _copy(servers, "loaded"), fresh_pg)
    yield Job(name=name, ours=osiris(name, from_file, to_pg, fresh_pg), limit=limit)
    name = "MySQL to Postgres"
    limit = servers.client(f"{name} limit", "psql", _copy(servers, "loaded"), fresh_pg)
    yield Job(name=name, ours=osiris(name, from_my, to_pg, fresh_pg), limit=limit, peers=peers.copy(name))
    yield from _upserts(servers, osiris, parquet)


def _upserts(servers: Servers, osiris: Any, parquet: Path) -> Iterator[Job]:
    """A sixth of the rows, half of them with new keys, into all of them; the limit is the server's own load of them
    from a file into a table without keys, and one statement that merges it.
    """
    changed = "CASE WHEN l_linenumber % 2 = 0 THEN -l_orderkey ELSE l_orderkey END"
    changes = servers.files / "changes.parquet"
    make = [sys.executable, str(HERE / "changes.py"), str(parquet), str(changes), changed]
    rows = int(subprocess.run(make, check=True, capture_output=True, text=True).stdout)
    into = (
        "DROP TABLE IF EXISTS loaded",
        f"CREATE TABLE loaded ({TABLE})",
        "INSERT INTO loaded SELECT * FROM lineitem",
    )
    others = ", ".join(name for name, _ in COLUMNS[1:])
    picked = f"SELECT {changed} AS l_orderkey, {others} FROM lineitem LIMIT {rows}"
    files = {"my": servers.my.folder / "changes.tsv", "pg": servers.pg.folder / "changes.tsv"}
    servers.mysql(f"{picked} INTO OUTFILE '{files['my']}'")()
    servers.postgres(f"COPY ({picked}) TO '{files['pg']}'")()
    empty = ("DROP TABLE IF EXISTS changes", "CREATE TABLE changes AS SELECT * FROM lineitem LIMIT 0")
    set_my = ", ".join(f"{name} = VALUES({name})" for name, _ in COLUMNS[1:])
    set_pg = ", ".join(f"{name} = excluded.{name}" for name, _ in COLUMNS[1:])
    load_my, load_pg = f"LOAD DATA INFILE '{files['my']}' INTO TABLE changes", f"COPY changes FROM '{files['pg']}'"
    merge_my = f"{load_my}; INSERT INTO loaded SELECT * FROM changes ON DUPLICATE KEY UPDATE {set_my}"
    merge_pg = (
        f"{load_pg}; INSERT INTO loaded SELECT * FROM changes "
        f"ON CONFLICT (l_orderkey, l_linenumber) DO UPDATE SET {set_pg}"
    )
    source = {"component": "filesystem.parquet_extractor", "config": {"path": "changes.parquet"}}
    for name, family, before, program, merge in (
        ("upsert into MySQL", "mysql", servers.mysql, "mariadb", merge_my),
        ("upsert into Postgres", "supabase", servers.postgres, "psql", merge_pg),
    ):
        config = {"connection": f"@{family}.bench", "table": "loaded", "mode": "upsert"}
        target = {"component": f"{family}.writer", "config": config | {"primary_key": ["l_orderkey", "l_linenumber"]}}
        ours = osiris(name, source, target, before(*into))
        (ours.cwd / "changes.parquet").hardlink_to(changes)
        yield Job(name=name, ours=ours, limit=servers.client(f"{name} limit", program, merge, before(*empty, *into)))


def _connections(servers: Servers) -> Mapping[str, Any]:
    my = {"host": "127.0.0.1", "port": servers.my.port, "user": servers.my.user, "password": "${MY}"}
    return {
        "version": 1,
        "connections": {
            "mysql": {"bench": {**my, "database": servers.my_database}},
            "supabase": {"bench": {"dsn": "${PG}", "tls": "disable"}},
        },
    }


def _both(*actions: Callable[[], None] | None) -> Callable[[], None]:
    def act() -> None:
        for action in actions:
            if action is not None:
                action()

    return act


class _Peers:
    """Other tools doing the same, where an environment has them."""

    def __init__(self, servers: Servers, *, slow: bool) -> None:
        self._servers = servers
        self._slow = slow
        named = os.environ.get("OSIRIS_BENCH_PEERS")
        self._bin = Path(named) / "bin" if named else None

    def read(self, job: str, system: str, kind: str) -> tuple[Command, ...]:
        """dlt with its fastest backend, and who else writes files of that kind; the slow ones where few rows are."""
        found = self._dlt(job, system, "connectorx", kind)
        if kind == "csv":  # sling writes Parquet by a program that it would download, ingestr does not
            target = f"file://{self._servers.files}/by_sling.csv"
            found += self._sling(job, "--tgt-object", target)
            found += self._ingestr(job, "csv", f"csv://{self._servers.files}/by_ingestr.csv", "main.lineitem")
        if self._slow:
            found += self._dlt(job, system, "sqlalchemy", kind) + self._pandas(job, system, kind)
        return found

    def copy(self, job: str) -> tuple[Command, ...]:
        """dlt, sling and ingestr from one server to the other."""
        found = self._dlt(job, "mysql", "connectorx", "postgres")
        found += self._sling(job, "--tgt-conn", "PG", "--tgt-object", "public.by_sling")
        found += self._ingestr(job, "postgres", f"{self._url('postgres')}?sslmode=disable", "public.by_ingestr")
        return found + (self._dlt(job, "mysql", "sqlalchemy", "postgres") if self._slow else ())

    def _pandas(self, job: str, system: str, kind: str) -> tuple[Command, ...]:
        if self._bin is None:
            return ()
        command = Command(
            name=f"{job} SQLAlchemy + pandas",
            argv=(self._bin / "python", HERE / "pandas_copy.py", kind),
            cwd=self._servers.files,
            env={**os.environ, "OSIRIS_BENCH_SOURCE": self._url(system)},
        )
        return (command,)

    def _ingestr(self, job: str, kind: str, target: str, table: str) -> tuple[Command, ...]:
        if self._bin is None or not (self._bin / "ingestr").exists():
            return ()
        source = f"{self._servers.my_database}.lineitem"
        options = ("--source-table", source, "--dest-table", table, "--progress", "log", "--yes")
        folder = self._servers.files / f"ingestr-{kind}"
        folder.mkdir(exist_ok=True)
        urls = {"SOURCE_URI": self._url("mysql", driver=""), "DESTINATION_URI": target}
        telemetry = {"INGESTR_DISABLE_TELEMETRY": "true", "DISABLE_TELEMETRY": "true"}
        command = Command(
            name=f"{job} ingestr",
            argv=(self._bin / "ingestr", "ingest", *options),
            cwd=folder,
            env=os.environ | urls | telemetry,
        )
        return (command,)

    def _dlt(self, job: str, system: str, backend: str, into: str) -> tuple[Command, ...]:
        if self._bin is None:
            return ()
        folder = self._servers.files / f"dlt-{system}-{backend}-{into}"
        folder.mkdir(exist_ok=True)
        env = {**os.environ, "OSIRIS_BENCH_SOURCE": self._url(system), "OSIRIS_BENCH_TARGET": self._url("postgres")}
        command = Command(
            name=f"{job} dlt {backend}",
            argv=(self._bin / "python", HERE / "dlt_copy.py", backend, into),
            cwd=folder,
            env={**env, "DLT_DATA_DIR": str(folder / "state"), "RUNTIME__DLTHUB_TELEMETRY": "false"},
            before=lambda: shutil.rmtree(folder / "state", ignore_errors=True),
        )
        return (command,)

    def _sling(self, job: str, *target: str) -> tuple[Command, ...]:
        if self._bin is None:
            return ()
        source = f"{self._servers.my_database}.lineitem"
        options = ("--src-conn", "MY", "--src-stream", source, *target)
        urls = {"MY": self._url("mysql", driver=""), "PG": f"{self._url('postgres')}?sslmode=disable"}
        return tuple(
            Command(
                name=f"{job} sling",
                argv=(binary, "run", *options, "--mode", "full-refresh"),
                cwd=self._servers.files,
                env=os.environ | urls,
            )
            for binary in self._bin.parent.glob("lib/python*/site-packages/sling_linux_amd64/bin/sling-linux-amd64")
        )

    def _url(self, system: str, *, driver: str = "+pymysql") -> str:
        if system == "postgres":
            return str(self._servers.pg.dsn())
        # PyMySQL, which these tools use, sends a password in another encoding than the server expects.
        reader = f"{mariadb.READER}:{mariadb.READER_PASSWORD}"
        return f"mysql{driver}://{reader}@127.0.0.1:{self._servers.my.port}/{self._servers.my_database}"
