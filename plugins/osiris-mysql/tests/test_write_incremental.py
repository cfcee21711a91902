"""An incremental load from table to table by genuine runs: the state lies beside the rows, and they cannot part."""

from __future__ import annotations

import json
import os

import pytest

from tests.commands import osiris as command

pytestmark = pytest.mark.slow

PIPELINE = """\
oml_version: "0.1.0"
name: copy
steps:
  - id: read
    component: mysql.extractor
    mode: read
    config: {connection: "@mysql.main", table: source, incremental: {cursor: changed, primary_key: [id]}}
  - id: load
    component: mysql.writer
    mode: write
    config: {connection: "@mysql.main", table: copy, MODE}
"""


def osiris(folder, bench, *argv, failpoint=None):
    environ = {k: v for k, v in os.environ.items() if not k.startswith("OSIRIS_")}
    environ["MYSQL_PASSWORD"] = bench.server.password
    if failpoint:
        environ |= {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": failpoint}
    return command(*argv, cwd=folder, env=environ)


@pytest.mark.parametrize("mode", ["mode: append", "mode: upsert, primary_key: [id]"])
def test_only_what_is_new_is_read(bench, tmp_path, mode):
    server = bench.server
    fields = f"host: {server.host}, port: {server.port}, user: {server.user}, database: {bench.database}"
    (tmp_path / "osiris.yaml").write_text("{}\n")
    (tmp_path / "osiris_connections.yaml").write_text(
        f'connections:\n  mysql:\n    main: {{{fields}, password: "${{MYSQL_PASSWORD}}"}}\n'
    )
    (tmp_path / "copy.yaml").write_text(PIPELINE.replace("MODE", mode))
    bench.sql(
        "CREATE TABLE source (id INT PRIMARY KEY, changed DATETIME(6), v INT)",
        "INSERT INTO source VALUES (1, '2024-01-01', 1), (2, '2024-01-02 00:00:00.000001', 1)",
    )

    def run(failpoint=None):
        return osiris(tmp_path, bench, "run", "copy.yaml", failpoint=failpoint)

    first = run()
    assert first.returncode == 0, first.stderr
    assert len(bench.content("copy")) == 2
    # A row at the very moment of the last one, and a later one.
    bench.sql("INSERT INTO source VALUES (3, '2024-01-02 00:00:00.000001', 1), (4, '2024-01-03', 1)")
    assert run("mysql.before_commit:kill").returncode == -9
    assert len(bench.content("copy")) == 2
    assert run("mysql.after_commit:kill").returncode == -9
    assert [row[0] for row in bench.content("copy")] == [1, 2, 3, 4]
    for _ in range(2):
        again = run()
        assert again.returncode == 0, again.stderr
        assert [row[0] for row in bench.content("copy")] == [1, 2, 3, 4]
    states = bench.sql("SELECT state FROM _osiris_loads WHERE state IS NOT NULL ORDER BY seq")
    assert "2024-01-03" in json.dumps(states[-1])
    assert bench.tables() == ["_osiris_loads", "copy", "source"]
