"""What ``gc`` removes, and above all what it does not."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris_core.report.gc import Policy, plan, remove
from osiris_core.report.index import Query, find
from osiris_core.report.reader import session_names
from osiris_core.run.chain import join_chain
from tests.report.records import NOW, nested, record


def going(logs, **policy):
    return {one.record.id: one.rule for one in plan(logs, Policy(**policy), now=NOW).removals}


def collect(logs, scratch=None, **policy):
    planned = plan(logs, Policy(**policy), now=NOW)
    return list(remove(logs, planned.removals, scratch=scratch or logs / ".scratch"))


def test_nothing_said_nothing_goes(tmp_path):
    record(tmp_path, days=900, status="failed")
    assert going(tmp_path) == {}


def test_by_age(tmp_path):
    old, new = record(tmp_path, days=31), record(tmp_path, days=29)
    assert going(tmp_path, days=30) == {old.name: "days"}
    assert collect(tmp_path, days=30)[0][0].to_json()["session"] == old.name
    assert session_names(tmp_path) == [new.name]
    assert [one.id for one in find(tmp_path, Query())] == [new.name]


def test_by_size_the_oldest_first(tmp_path):
    folders = [record(tmp_path, days=day, size=400_000) for day in range(4)]
    assert going(tmp_path, max_gb=0.001) == {folders[3].name: "max_gb", folders[2].name: "max_gb"}
    assert going(tmp_path, max_gb=1) == {}
    assert plan(tmp_path, Policy(max_gb=1), now=NOW).size > 1_600_000


def test_all_but_the_last_of_each_pipeline(tmp_path):
    mine = [record(tmp_path, days=day, pipeline="mine") for day in range(4)]
    yours = [record(tmp_path, days=day, pipeline="yours") for day in range(2)]
    assert set(going(tmp_path, keep_last=2)) == {mine[2].name, mine[3].name}
    assert set(going(tmp_path, keep_last=0)) == {mine[1].name, mine[2].name, mine[3].name, yours[1].name}
    # with another rule it only protects
    assert set(going(tmp_path, days=0.5, keep_last=3)) == {mine[3].name}


def test_the_last_success_stays_however_old(tmp_path):
    success = record(tmp_path, days=400)
    older = record(tmp_path, days=500)
    failed = record(tmp_path, days=100, status="failed")
    assert set(going(tmp_path, days=30)) == {older.name, failed.name}
    assert plan(tmp_path, Policy(days=30), now=NOW).kept == {"the last success of its pipeline": 1}
    assert success.name not in going(tmp_path, days=0, max_gb=0, keep_last=0)


def test_what_runs_stays_and_what_crashed_goes_by_age_alone(tmp_path):
    running = record(tmp_path, days=900, status="running")
    crashed = record(tmp_path, days=40, status="crashed")
    damaged = record(tmp_path, days=40, status="odd")
    assert going(tmp_path, max_gb=0, keep_last=0) == {}
    assert set(going(tmp_path, days=30)) == {crashed.name, damaged.name}
    assert running.name not in going(tmp_path, days=0)


def test_a_crashed_run_takes_its_scratch_with_it(tmp_path):
    crashed = record(tmp_path / "logs", days=40, status="crashed")
    spilled = tmp_path / "scratch" / crashed.name
    spilled.mkdir(parents=True)
    (spilled / "x").touch()
    collect(tmp_path / "logs", tmp_path / "scratch", days=30)
    assert not spilled.exists()


def test_a_chain_is_not_broken(tmp_path):
    """A success that could not end its chain: without its record, the next run would take up what failed before."""
    first = record(tmp_path, days=60, status="failed")
    last = record(tmp_path, days=50)
    record(tmp_path, days=40)  # the last success is another manifest's
    assert join_chain(tmp_path, "m" * 64, first.name, fresh=False).token == first.name
    assert join_chain(tmp_path, "m" * 64, last.name, fresh=False).token == first.name
    assert going(tmp_path, days=30) == {first.name: "days"}
    collect(tmp_path, days=30)
    new = record(tmp_path)
    assert join_chain(tmp_path, "m" * 64, new.name, fresh=False).token == new.name


def test_an_open_chain_stays_open_and_its_runs_go_by_age_alone(tmp_path):
    failed = record(tmp_path, days=20, status="failed")
    join_chain(tmp_path, "m" * 64, failed.name, fresh=False)
    assert going(tmp_path, max_gb=0, keep_last=0) == {}
    collect(tmp_path, days=10)
    assert session_names(tmp_path) == []
    assert join_chain(tmp_path, "m" * 64, record(tmp_path).name, fresh=False).token == failed.name


@pytest.mark.parametrize("chain", ["{", "[1]", '{"session": 5, "token": ["x"]}'])
def test_a_damaged_chain_protects_nothing_and_stops_nothing(tmp_path, chain):
    folder = record(tmp_path, days=20, status="failed")
    (tmp_path / ".chains").mkdir()
    (tmp_path / ".chains" / "m.json").write_text(chain)
    assert set(going(tmp_path, keep_last=0)) == {folder.name}


def test_only_sessions_and_never_through_a_link(tmp_path):
    logs, outside = tmp_path / "logs", tmp_path / "outside"
    real = record(outside, days=50, status="failed")
    logs.mkdir()
    (logs / real.name).symlink_to(real)
    (logs / "important").mkdir()
    (logs / "run_20200101T000000000000Z_0123abcd").write_text("a file")
    inner = record(logs, days=50, status="failed")
    (inner / "artifacts").symlink_to(outside)
    (inner / "away").symlink_to(outside / "nowhere")
    done = collect(logs, days=1)
    assert [(one.record.id, error) for one, error in done] == [(inner.name, None)]
    assert (real / "status.json").exists()
    assert sorted(os.listdir(logs)) == sorted(
        [".sessions.sqlite", real.name, "important", "run_20200101T000000000000Z_0123abcd"]
    )


def test_a_removal_that_dies_half_way_leaves_no_session(tmp_path, monkeypatch):
    folder = record(tmp_path, days=50, status="failed")
    planned = plan(tmp_path, Policy(days=1), now=NOW)

    def dies(path, **_):
        if path != tmp_path / ".scratch" / folder.name:
            raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", dies)
    with pytest.raises(KeyboardInterrupt):
        list(remove(tmp_path, planned.removals, scratch=tmp_path / ".scratch"))
    monkeypatch.undo()
    assert session_names(tmp_path) == []
    (left,) = tmp_path.glob(".gc-*")
    assert (left / "status.json").exists()
    mine = tmp_path / ".gc-notes-0123abcd"
    mine.mkdir()
    collect(tmp_path, days=1)
    assert not left.exists()
    assert mine.exists()


def test_what_is_nested_deeply_is_weighed_and_goes_with_the_others(tmp_path):
    deep, other = record(tmp_path, days=50, status="failed"), record(tmp_path, days=40, status="failed")
    scratch = tmp_path / ".scratch" / deep.name
    scratch.mkdir(parents=True)
    with nested(deep, 1500), nested(scratch, 1500):
        done = collect(tmp_path, days=30)
        assert [(one.record.id, error) for one, error in done] == [(deep.name, None), (other.name, None)]
        assert done[0][0].size > 1000
        assert session_names(tmp_path) == []
        assert list(tmp_path.glob(".gc-*")) == []
        assert not scratch.exists()


def test_two_at_once(tmp_path, monkeypatch):
    """The second takes away what the first is just removing."""
    folder = record(tmp_path, days=50, status="failed")
    planned = plan(tmp_path, Policy(days=30), now=NOW)
    rmtree = shutil.rmtree

    def meanwhile(path):
        if path.name.startswith(".gc-"):
            monkeypatch.undo()
            assert list(remove(tmp_path, planned.removals, scratch=tmp_path / ".scratch")) == []
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", meanwhile)
    done = list(remove(tmp_path, planned.removals, scratch=tmp_path / ".scratch"))
    assert [(one.record.id, error) for one, error in done] == [(folder.name, None)]
    assert list(tmp_path.glob(".gc-*")) == []


def test_what_has_come_to_life_or_has_gone_is_left_alone(tmp_path):
    revived, gone = record(tmp_path, days=50, status="crashed"), record(tmp_path, days=60, status="failed")
    planned = plan(tmp_path, Policy(days=1), now=NOW)
    alive = record(tmp_path, status="running")
    shutil.copy(alive / "session.json", revived / "session.json")
    shutil.rmtree(gone)
    assert list(remove(tmp_path, planned.removals, scratch=tmp_path)) == []
    assert revived.exists()


_sessions = st.lists(
    st.fixed_dictionaries(
        {
            "days": st.floats(0, 10),
            "status": st.sampled_from(["succeeded", "failed", "interrupted", "running", "crashed", "odd"]),
            "pipeline": st.sampled_from(["a", "b"]),
            "size": st.integers(0, 2000),
        }
    ),
    max_size=8,
)
_policies = st.builds(
    Policy,
    days=st.one_of(st.none(), st.floats(0, 10)),
    max_gb=st.one_of(st.none(), st.floats(0, 1e-5)),
    keep_last=st.one_of(st.none(), st.integers(0, 3)),
)


@settings(max_examples=40)
@given(made=_sessions, policy=_policies)
def test_whatever_the_policy(tmp_path_factory, made, policy):
    logs = tmp_path_factory.mktemp("logs")
    for each in made:
        record(logs, **each)
    before = find(logs, Query())
    planned = plan(logs, policy, now=NOW)
    assert len(planned.removals) + sum(planned.kept.values()) == len(before)
    done = list(remove(logs, planned.removals, scratch=logs / ".scratch"))
    assert [error for _, error in done] == [None] * len(planned.removals)
    gone = {one.record.id for one, _ in done}
    after = [one.id for one in find(logs, Query())]
    assert after == [one.id for one in before if one.id not in gone]
    seen, successes = Counter(), set()
    for one in before:
        seen[one.pipeline] += 1
        if one.status == "running" or seen[one.pipeline] <= (policy.keep_last or 0):
            assert one.id not in gone
        if one.status == "succeeded" and one.pipeline not in successes:
            successes.add(one.pipeline)
            assert one.id not in gone


def test_facts_for_json(tmp_path):
    record(tmp_path, days=2, status="failed")
    (removal,) = plan(tmp_path, Policy(days=1), now=NOW).removals
    assert json.dumps(removal.to_json())
    assert set(removal.to_json()) == {"session", "kind", "pipeline", "status", "started", "bytes", "rule"}
