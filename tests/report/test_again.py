"""What is said of running a manifest again is what the chain does."""

from __future__ import annotations

import shutil

import pytest

from osiris_core.api import Session
from osiris_core.report.again import OPEN, resumes
from osiris_core.report.aiop.control import actions_of
from osiris_core.report.html.findings import standing
from osiris_core.report.reader import STATUSES, read_session
from osiris_core.run.chain import join_chain
from tests.report.records import record
from tests.run.workshop import numbers, remote_shop, store

__all__ = ["remote_shop"]

MANIFEST = "m" * 64


@pytest.mark.parametrize("status", STATUSES)
def test_what_the_next_run_resumes(tmp_path, status):
    first = record(tmp_path, status=status)
    join_chain(tmp_path, MANIFEST, first.name, fresh=False)
    assert read_session(first).status == status
    resumed = join_chain(tmp_path, MANIFEST, record(tmp_path).name, fresh=False).token == first.name
    assert resumes(read_session(first)) is resumed


@pytest.mark.parametrize("since", [{"status": "succeeded"}, {"status": "failed", "fresh": True}])
def test_what_it_resumes_no_longer(tmp_path, since):
    """The condition that stands beside each promise."""
    first = record(tmp_path, status="failed")
    join_chain(tmp_path, MANIFEST, first.name, fresh=False)
    second = record(tmp_path, status=since["status"])
    join_chain(tmp_path, MANIFEST, second.name, fresh=since.get("fresh", False))
    assert join_chain(tmp_path, MANIFEST, record(tmp_path).name, fresh=False).token != first.name


def test_a_package_and_a_page_promise_no_more(remote_shop, tmp_path):
    shop = remote_shop
    shop.write(numbers(rows=3), store())
    assert shop.osiris("run", "p.yaml").returncode == 0
    (made,) = shop.records()
    for status in ("interrupted", "crashed", "damaged"):
        folder = record(tmp_path / status, status=status)
        shutil.copytree(made / "manifest", folder / "manifest")
        session = Session(folder)
        actions = {action["name"]: action for action in actions_of(session)}
        assert OPEN in actions["resume"]["preconditions"]
        assert "run-again" not in actions
        assert OPEN in standing(session)[1]
    assert "resume" not in [action["name"] for action in actions_of(Session(made))]
