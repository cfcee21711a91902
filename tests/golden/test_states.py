"""The state of an incremental load in each destination that keeps one: moved by one run at a time, and gone with its table."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager

import pytest

from osiris_core.api import DriverError, Follows, LoadState, SecretStr
from tests.bench import Bench

FAMILIES = ["duckdb", "filesystem", "mysql", "supabase"]


@contextmanager
def destination(family, path, request):
    """A bench of that family, the config of its writer, and what counts the rows that are there."""
    with ExitStack() as stack:
        bench = Bench(path, family)
        config = {"table": "t", "mode": "append"}
        count = "SELECT count(*) FROM t"
        if family == "duckdb":
            bench.connect(path="t.duckdb")
            yield bench, "writer", config, lambda: bench.rows("extractor", query=count)[0][0]
        elif family == "filesystem":
            bench.connect(root=".")
            config = {"path": "t", "mode": "append", "layout": "folder"}
            yield bench, "parquet_writer", config, lambda: len(bench.rows("parquet_extractor", path="t"))
        elif family == "mysql":
            server = request.getfixturevalue("mariadb")
            name = stack.enter_context(server.database())
            bench.connect(**server.connection(database=name))
            yield bench, "writer", config, lambda: server.execute(count, database=name)[0][0]
        else:
            server = request.getfixturevalue("postgres_server")
            name = stack.enter_context(server.new_database("osiris_states"))
            bench.connect(dsn=SecretStr(server.dsn(database=name)))
            yield bench, "writer", config, lambda: server.execute(count, name)[0][0]


@pytest.mark.parametrize("family", FAMILIES)
def test_of_two_loads_that_overlap_one_is_published(family, tmp_path, request):
    with destination(family, tmp_path, request) as (bench, component, config, count):

        def load(value, after, **more):
            state = LoadState(key="k", text=f'{{"at": {value}}}', follows=Follows(after))
            bench.write(component, f"SELECT {value} AS id", state=state, **config, **more)

        load(1, None)
        with pytest.raises(DriverError) as caught:
            # Both went on from 1; the other one is published while this one is about to.
            load(3, '{"at": 1}', confirm=lambda: load(2, '{"at": 1}'))
        assert caught.value.code in {"OSR-RUN-087", "OSR-FS-054"}  # a folder is one load's from its beginning
        assert count() == (1 if family == "filesystem" else 2)
        load(4, '{"at": 1}' if family == "filesystem" else '{"at": 2}')
        with pytest.raises(DriverError) as caught:
            load(5, '{"at": 1}')
        assert caught.value.code == "OSR-RUN-087"


@pytest.mark.parametrize("family", ["duckdb", "mysql", "supabase"])
def test_all_states_of_a_table_go_with_it(family, tmp_path, request):
    """A second pipeline into a table that was dropped must not go on from where the dropped one was."""
    with destination(family, tmp_path, request) as (bench, component, config, count):

        def load(key):
            state = LoadState(key=key, text="{}", follows=Follows(None))
            bench.write(component, "SELECT 1 AS id", state=state, **config)

        def known(key):
            value = bench.configured(component, config)
            ctx = bench.context(component)
            return bench.driver(component).read_state(step_id="step", config=value, key=key, ctx=ctx)

        load("eu")
        load("us")
        assert (known("eu"), known("us"), count()) == ("{}", "{}", 2)
        if family == "duckdb":
            import duckdb

            with duckdb.connect(str(tmp_path / "t.duckdb")) as connection:
                connection.execute("DROP TABLE t")
        elif family == "mysql":
            request.getfixturevalue("mariadb").execute("DROP TABLE t", database=bench.connection.database)
        else:
            name = bench.connection.dsn.reveal().rpartition("/")[2]
            request.getfixturevalue("postgres_server").execute("DROP TABLE t", name)
        load("eu")
        assert (known("eu"), known("us"), count()) == ("{}", None, 1)
