"""The session that keeps the snapshot of a read in parts: it ends with the read, however that ends."""

from __future__ import annotations

import pytest

from osiris_core.api import Cancelled, DriverError
from osiris_core.run.cstream import Pull

ROWS = 40_000
BAD = "1 / (id - 39999) IS NOT NULL"
"""Fails in the last part, while its rows are sent."""


@pytest.fixture
def large(bench):
    bench.sql(f"CREATE TABLE large AS SELECT i AS id, repeat('x', 500) AS pad FROM generate_series(1, {ROWS}) AS i")
    return bench


class Parts:
    """A table that is about to be read in three parts."""

    def __init__(self, bench, **config):
        self.bench, self.driver, self.ctx = bench, bench.driver("extractor"), bench.context("extractor")
        self.config = bench.configured("extractor", {"table": "large", **config})
        self.splits = self.driver.splits(config=self.config, count=3, ctx=self.ctx)
        assert len(self.splits) == 3
        assert sessions(bench) == 1

    def start(self, part):
        outputs = self.driver.run_split(step_id="s", config=self.config, split=self.splits[part], ctx=self.ctx)
        return outputs["df"]


def sessions(bench):
    ((count,),) = bench.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'osiris' AND datname = current_database()"
    )
    return count


def ended(bench):
    """Whether every session ends; the server notices a moment after it was told."""
    return any(sessions(bench) == 0 for _ in range(2000))


def test_when_every_part_has_begun(large):
    parts = Parts(large)
    begun = [parts.start(part) for part in range(3)]
    assert any(sessions(large) == 3 for _ in range(2000))  # those of the parts, which go on without it
    assert sum(batch.num_rows for stream in begun for batch in Pull(stream)) == ROWS
    assert ended(large)


def test_when_a_part_fails_amid_its_rows_and_the_others_never_begin(large):
    parts = Parts(large, where=BAD)
    with pytest.raises(DriverError, match="division by zero"):
        list(Pull(parts.start(2)))
    assert ended(large)


def test_when_a_part_cannot_begin_and_the_others_never_do(large):
    parts = Parts(large)
    parts.config = large.configured("extractor", {"table": "large", "columns": ["nothing"]})
    with pytest.raises(DriverError, match="nothing"):
        parts.start(0)
    assert ended(large)


def test_when_nobody_wants_the_rows_of_a_part_any_more(large):
    batches = Parts(large).start(0).batches()
    next(batches)
    batches.close()
    assert ended(large)


def test_when_the_run_is_cancelled_before_any_part_begins(large):
    parts = Parts(large)
    large.token.cancel(Cancelled("OSR-RUN-001", "stopped"))
    assert ended(large)
    with pytest.raises(Cancelled):
        parts.start(0)


def test_when_the_run_is_cancelled_amid_the_rows(large):
    parts = Parts(large)
    batches = parts.start(0).batches()
    next(batches)
    large.token.cancel(Cancelled("OSR-RUN-001", "stopped"))
    with pytest.raises(Cancelled):
        list(batches)
    assert ended(large)


@pytest.mark.parametrize("bad", [BAD, "1 / (id - 2) IS NOT NULL"])
def test_when_one_of_the_parts_fails_in_a_run(large, bad):
    with pytest.raises(DriverError, match="division by zero"):
        large.read("extractor", table="large", where=bad, parts=3)
    assert ended(large)
