"""Incremental loads that are killed, and sources that change at will: no row is lost, none is there twice."""

from __future__ import annotations

import os
import signal

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.run.test_incremental import Ledger
from tests.run.workshop import remote_shop, shop, step

__all__ = ["remote_shop", "shop"]

POINTS = ("mid_write", "before_publish", "duckdb.before_commit", "duckdb.after_commit", "after_publish")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "point"),
    [
        ("append", "before_publish"),
        ("append", "duckdb.after_commit"),
        ("append", "after_publish"),
        ("append", "before_status"),
        ("upsert", "before_publish"),
        ("upsert", "after_publish"),
    ],
)
def test_a_killed_load_is_taken_up_where_it_was(remote_shop, mode, point):
    ledger = Ledger(remote_shop)
    ledger.mode = mode
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"))
    remote_shop.write(*ledger.steps())
    assert remote_shop.osiris("run", "p.yaml").returncode == 0
    ledger.insert((3, 2, "tie"), (4, 3, "c"))
    # before_status is the run's own point, no step's.
    at = point if point == "before_status" else f"{point}@load"
    killed = remote_shop.osiris("run", "p.yaml", env={"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": f"{at}:kill"})
    assert killed.returncode == -signal.SIGKILL
    ledger.insert((5, 3, "after the kill"))
    for _ in range(2):  # the first run after it may find that the load was published, and leave the rest to the next
        done = remote_shop.osiris("run", "p.yaml")
        assert done.returncode == 0, done.stderr
    assert [row[0] for row in ledger.target()] == [1, 2, 3, 4, 5]
    assert ledger.states()[-1]["value"] == "3"


@pytest.mark.slow
@pytest.mark.parametrize("point", ["parts_placed", "recorded"])
def test_a_killed_load_of_parts_is_taken_up_where_it_was(remote_shop, point):
    ledger = Ledger(remote_shop)
    ledger.make("INTEGER", (1, 1, "a"), (2, 2, "b"))
    load = step("load", "filesystem.parquet_writer", ["read"], path="copy", layout="folder", mode="append")
    remote_shop.write(*ledger.steps()[:1], load)
    assert remote_shop.osiris("run", "p.yaml").returncode == 0
    ledger.insert((3, 2, "tie"), (4, 3, "c"))
    killed = remote_shop.osiris(
        "run", "p.yaml", env={"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": f"{point}@load:kill"}
    )
    assert killed.returncode == -signal.SIGKILL
    for _ in range(2):
        assert remote_shop.osiris("run", "p.yaml").returncode == 0
    found = duckdb.sql(f"SELECT id FROM '{remote_shop.folder}/copy/*.parquet' ORDER BY id").fetchall()
    assert found == [(1,), (2,), (3,), (4,)]


ROW = st.integers(1, 6)
STEP = st.one_of(
    st.tuples(st.just("insert"), st.integers(1, 3)),
    st.tuples(st.just("update"), ROW),
    st.tuples(st.just("delete"), ROW),
    st.tuples(st.just("tick"), st.just(1)),
    st.tuples(st.just("lag"), st.sampled_from([None, 1, 2, 3])),
    st.tuples(st.just("run"), st.sampled_from([None, *POINTS])),
)


class Model:
    """The source's rows, and what an append must have: each version of a row that some load has seen."""

    def __init__(self):
        self.rows = {}
        self.clock = 1
        self.next = 1
        self.versions = set()
        self.change = 0

    def apply(self, what, value):
        self.change += 1
        if what == "insert":
            for _ in range(value):
                self.rows[self.next] = (self.clock, f"v{self.change}")
                self.next += 1
        elif what == "update" and value in self.rows:
            self.rows[value] = (self.clock, f"v{self.change}")
        elif what == "delete":
            self.rows.pop(value, None)
        elif what == "tick":
            self.clock += 1


def loads(ledger):
    """How many loads the destination has."""
    if not (ledger.shop.folder / "target.duckdb").exists():
        return 0
    if ("_osiris_loads",) not in ledger.target("SELECT table_name FROM duckdb_tables()"):
        return 0
    return ledger.target("SELECT count(*) FROM _osiris_loads")[0][0]


@pytest.mark.slow
@settings(
    max_examples=10,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(mode=st.sampled_from(["append", "upsert", "delete_insert"]), steps=st.lists(STEP, min_size=4, max_size=14))  # fmt: skip
def test_whatever_happens_the_destination_ends_as_the_source(shop, mode, steps):
    for name in ("source.duckdb", "target.duckdb"):
        (shop.folder / name).unlink(missing_ok=True)
    ledger, model = Ledger(shop), Model()
    ledger.mode = mode
    ledger.make()

    def run(point):
        ledger.source("DELETE FROM orders")
        if model.rows:
            ledger.insert(*((key, *row) for key, row in model.rows.items()))
        os.environ |= {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": f"{point}@load:raise" if point else ""}
        before = loads(ledger)
        ran = ledger.load()
        del os.environ["OSIRIS_TEST_FAILPOINTS"], os.environ["OSIRIS_FAILPOINT"]
        if loads(ledger) > before:
            model.versions |= {(key, row[0]) for key, row in model.rows.items()}
        return ran

    for what, value in steps:
        if what == "run":
            run(value)
        elif what == "lag":
            ledger.incremental = {"cursor": "ts", "primary_key": ["id"], **({"lag": value} if value else {})}
        else:
            model.apply(what, value)
    for _ in range(2):
        ran = run(None)
        assert ran.outcome.error is None, ran.outcome.error
    found = ledger.target()
    if mode == "append":
        assert sorted(row[:2] for row in found) == sorted(model.versions)
        return
    if mode == "upsert":
        assert len({row[0] for row in found}) == len(found)
    # What was deleted at the source stays, which the cursor knows nothing of; so does a row's old version under the
    # replace key of its old time.
    assert {(key, *row) for key, row in model.rows.items()} <= set(found)
    assert len(set(found)) == len(found)
