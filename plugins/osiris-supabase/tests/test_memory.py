"""Memory does not grow with the rows, whichever way they come and go: the peak of a whole run, of few rows and of more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.rest_bench import SECRET, rest, standin, standin_database

__all__ = ["rest", "standin", "standin_database"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc"),
]

PIPELINE = """\
oml_version: 0.1.0
name: copy
steps:
  - id: read
    component: supabase.extractor
    mode: extract
    config: {connection: "@supabase.COME", table: t}
  - id: load
    component: supabase.writer
    mode: write
    config: {connection: "@supabase.GO", table: u, mode: upsert, primary_key: [id]}
"""
CONNECTIONS = """\
version: 1
connections:
  supabase:
    database: {dsn: "${PROJECT_DSN}"}
    web: {url: "URL", key: "${PROJECT_KEY}"}
"""
# Not the resource usage of this process: its peak begins with that of the process which started it.
MEASURED = """
from pathlib import Path
from osiris_core.cli import osiris
code = osiris(["run", "p.yaml", "--fresh"], standalone_mode=False)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) // 1024)
raise SystemExit(code)
"""


@pytest.fixture
def peak(rest):
    """Megabytes that a run takes at most which copies so many rows."""
    rest.make("CREATE TABLE t (id bigint PRIMARY KEY, k int, name text)")
    rest.make("CREATE TABLE u (id bigint PRIMARY KEY, k int, name text)", table="u")
    folder = rest.path / "project"
    folder.mkdir()
    (folder / "osiris.yaml").write_text("run: {memory_limit: 256MB}\n")
    (folder / "osiris_connections.yaml").write_text(CONNECTIONS.replace("URL", rest.standin.url))

    def measured(rows, come, go):
        rest.sql(f"TRUNCATE t, u; INSERT INTO t SELECT n, n % 7, 'row ' || n FROM generate_series(1, {rows}) n")
        (folder / "p.yaml").write_text(PIPELINE.replace("COME", come).replace("GO", go))
        environ = {name: value for name, value in os.environ.items() if not name.startswith("OSIRIS_")}
        environ |= {"PROJECT_KEY": SECRET, "PROJECT_DSN": rest.server.dsn(database=rest.database)}
        done = subprocess.run(
            [sys.executable, "-c", MEASURED], cwd=folder, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert rest.sql("SELECT count(*), count(DISTINCT id) FROM u") == [(rows, rows)]
        return int(done.stdout.split()[-1])

    return measured


@pytest.mark.parametrize(
    ("come", "go", "few", "more", "megabytes"),
    [
        pytest.param("database", "database", 300_000, 1_300_000, 20, marks=pytest.mark.extra),
        ("web", "database", 50_000, 500_000, 15),
        # Rows are staged in a file, of which the step's share of the memory keeps a part.
        pytest.param("database", "web", 500_000, 1_500_000, 45, marks=pytest.mark.extra),
    ],
)
def test_more_rows_take_no_more_memory(peak, come, go, few, more, megabytes):
    """What is held of each row beyond the first ones would be seen: the rows that are more take more than that."""
    assert peak(more, come, go) - peak(few, come, go) < megabytes
