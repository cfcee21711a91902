"""The runtime's part of the fault matrix, with real signals and real processes.

For each fault: the destination is as before or as after, running again converges to exactly one load, nothing staged or
spooled stays, the record says what happened, and the exit status is right.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys

import pytest

from osiris_core.report.reader import read_session
from osiris_core.run.failpoints import RUNTIME_POINTS
from tests.run.workshop import numbers, store, through

PUBLISHED = {"after_publish", "before_status"}


def pipeline(shop, **config):
    """Two writers behind a spool, so that a re-run meets both a published and an unpublished load."""
    return shop.write(
        numbers(rows=10, **config),
        store("first", ["numbers"], path="first"),
        through("pass", ["numbers"]),
        store("second", ["pass"], path="second"),
    )


def records(shop):
    return [read_session(folder) for folder in shop.records()]


def assert_converged(shop):
    for path in ("first", "second"):
        assert shop.stored(path) == (list(range(10)), 1)
        assert shop.staged(path) == []
    assert not list(shop.folder.glob("logs/.scratch/*"))


@pytest.mark.extra
@pytest.mark.slow
@pytest.mark.parametrize("step", ["first", "second"])
@pytest.mark.parametrize("point", RUNTIME_POINTS)
def test_killed_at_a_point(remote_shop, point, step, cell):
    shop = remote_shop
    pipeline(shop)
    where = point if point == "before_status" else f"{point}@{step}"
    armed = {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": f"{where}:kill"}
    killed = shop.osiris("run", "p.yaml", "--jobs", "1", env=armed)
    assert killed.returncode == -signal.SIGKILL
    before = shop.stored(step)
    assert before == ((list(range(10)), 1) if point in PUBLISHED else ([], 0))
    (crashed,) = records(shop)
    assert crashed.status == "crashed"

    again = shop.osiris("run", "p.yaml", "--json")
    assert again.returncode == 0, again.stderr
    assert_converged(shop)
    latest, crashed = records(shop)[::-1]
    assert (latest.status, latest.token) == ("succeeded", crashed.id)
    already = {one["id"]: one["already"] for one in json.loads(again.stdout)["steps"]}
    assert already[step] is (point in PUBLISHED)
    cell("a plugin's store", "append", f"kill -9 at {where}", "after" if point in PUBLISHED else "before")

    once_more = shop.osiris("run", "p.yaml")
    assert once_more.returncode == 0
    assert shop.stored("first")[1] == 2, "after a success, a run is a new load"


@pytest.mark.extra
@pytest.mark.slow
@pytest.mark.parametrize("point", [point for point in RUNTIME_POINTS if point != "before_status"])
def test_failed_at_a_point(remote_shop, point, cell):
    shop = remote_shop
    pipeline(shop)
    armed = {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": f"{point}@second:raise"}
    failed = shop.osiris("run", "p.yaml", env=armed)
    assert failed.returncode == 1
    assert f"failpoint '{point}' was reached" in failed.stderr
    assert shop.staged("second") == []
    assert [one.status for one in records(shop)] == ["failed"]
    assert shop.osiris("run", "p.yaml").returncode == 0
    assert_converged(shop)
    cell("a plugin's store", "append", f"failure at {point}", "after" if point in PUBLISHED else "before")


def test_without_the_safety_catch_nothing_happens(remote_shop):
    pipeline(remote_shop)
    assert remote_shop.osiris("run", "p.yaml", env={"OSIRIS_FAILPOINT": "begin:kill"}).returncode == 0


def test_a_misspelled_failpoint_is_refused(remote_shop):
    pipeline(remote_shop)
    env = {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": "begin=kill"}
    done = remote_shop.osiris("run", "p.yaml", env=env)
    assert done.returncode == 2
    assert "OSR-RUN-040" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("fault", ["hang", "none"])
def test_a_signal_stops_a_run_in_time(remote_shop, number, fault):
    """A driver that waits on its connection (``on_cancel``), and one that loops (``check``)."""
    shop = remote_shop
    waiting = {"fault": "hang", "fault_after": 1} if fault == "hang" else {"wait_for": "never"}
    pipeline(shop, **waiting)
    process = shop.start("run", "p.yaml", "--json")
    shop.await_call("numbers", "fault" if fault == "hang" else "run")
    process.send_signal(number)
    out, _ = process.communicate(timeout=5)
    assert process.returncode == 130
    document = json.loads(out)
    assert (document["ok"], document["status"]) == (False, "interrupted")
    assert document["error"]["message"] == f"interrupted ({signal.Signals(number).name})"
    assert [one.status for one in records(shop)] == ["interrupted"]
    assert shop.staged("first") == shop.staged("second") == []
    pipeline(shop)
    assert shop.osiris("run", "p.yaml").returncode == 0
    assert_converged(shop)


def test_a_second_interrupt_ends_the_process_at_once(remote_shop):
    shop = remote_shop
    pipeline(shop, fault="deaf", fault_after=0)
    process = shop.start("run", "p.yaml", "-v")
    shop.await_call("numbers", "fault")
    process.send_signal(signal.SIGINT)
    for line in process.stderr:
        if "stopping: interrupted (SIGINT)" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=5)
    assert process.returncode == 130
    (left,) = records(shop)
    assert left.status == "crashed"
    pipeline(shop)
    assert shop.osiris("run", "p.yaml").returncode == 0
    assert_converged(shop)


def test_a_failure_while_stopping_leaves_the_interrupt_as_the_reason(remote_shop):
    shop = remote_shop
    pipeline(shop)
    env = {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": "staged@first:interrupt"}
    done = shop.osiris("run", "p.yaml", env=env)
    assert done.returncode in (0, 130)
    assert shop.osiris("run", "p.yaml").returncode == 0


def test_a_disk_that_fills_up_under_the_record(remote_shop):
    """The limit on file sizes stands for the disk: the kernel refuses the write in the same place."""
    shop = remote_shop
    steps = [numbers(rows=10)]
    steps += [through(f"pass{n}", [f"pass{n - 1}" if n else "numbers"]) for n in range(12)]
    shop.write(*steps, store("first", ["pass11"], path="first"))

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    unmeasured = {name: "" for name in os.environ if name.startswith("COVERAGE")}  # its data file would not fit
    # Python 3.11 takes a cut short file of bytecode for a whole one, in the next run, too.
    process = shop.start("run", "p.yaml", preexec_fn=limit, env={**unmeasured, "PYTHONDONTWRITEBYTECODE": "1"})
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1, (out, err)
    assert "Traceback" not in err
    assert shop.stored("first") in (([], 0), (list(range(10)), 1))
    assert shop.osiris("run", "p.yaml").returncode == 0
    assert shop.stored("first") == (list(range(10)), 1)
    assert shop.staged("first") == []


@pytest.mark.slow
@pytest.mark.parametrize("point", ["begin", "staged", "after_publish"])
def test_no_space_at_a_point(remote_shop, point, cell):
    shop = remote_shop
    pipeline(shop)
    env = {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": f"{point}@first:full"}
    done = shop.osiris("run", "p.yaml", env=env)
    assert done.returncode == 1
    assert "no space left on the disk" in done.stderr
    assert shop.osiris("run", "p.yaml").returncode == 0
    assert_converged(shop)
    cell("a plugin's store", "append", f"no space at {point}", "after" if point in PUBLISHED else "before")


def test_a_logs_folder_that_cannot_be_written(remote_shop):
    shop = remote_shop
    pipeline(shop)
    (shop.folder / "logs").write_text("a file where the folder should be")
    done = shop.osiris("run", "p.yaml")
    assert done.returncode == 1
    assert "error[OSR-RUN-030]" in done.stderr
    assert f"cannot be written in {shop.folder / 'logs'}:" in done.stderr
    assert shop.calls() == []


def test_two_runs_at_the_same_time_are_two_runs(remote_shop):
    shop = remote_shop
    shop.write(numbers(wait_for="go"), store("first", path="first"))
    one, two = shop.start("run", "p.yaml", "--json"), shop.start("run", "p.yaml", "--json")
    shop.until(lambda: shop.calls("numbers").count(("numbers", "run")) == 2)
    assert {record.status for record in records(shop)} == {"running"}
    (shop.folder / "go").touch()
    sessions = {json.loads(process.communicate(timeout=30)[0])["session"] for process in (one, two)}
    assert len(sessions) == 2
    assert {record.token for record in records(shop)} == sessions


def test_fresh_starts_a_chain_of_its_own(remote_shop):
    shop = remote_shop
    shop.write(numbers(rows=3), store("first", path="first"))
    env = {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": "after_publish:kill"}
    shop.osiris("run", "p.yaml", env=env)
    assert shop.osiris("run", "p.yaml", "--fresh").returncode == 0
    assert shop.stored("first")[1] == 2


def test_a_recycled_process_id_is_not_running(remote_shop):
    shop = remote_shop
    shop.write(numbers(rows=3), store())
    env = {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": "begin:kill"}
    shop.osiris("run", "p.yaml", env=env)
    (folder,) = shop.records()
    opening = json.loads((folder / "session.json").read_text())
    opening["process"]["pid"] = os.getpid()
    (folder / "session.json").write_text(json.dumps(opening))
    assert read_session(folder).status == "crashed"


def test_nothing_but_the_document_on_stdout_and_no_leaks_at_exit(remote_shop):
    shop = remote_shop
    pipeline(shop)
    done = shop.osiris("run", "p.yaml", "--json")
    json.loads(done.stdout)
    assert "leaked" not in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert sys.executable


LATE = """\
import os, signal
from osiris_core.api import hookimpl
OSIRIS_API = "1.0"

@hookimpl
def osiris_run_event(event):
    if event["event"] == "run_started":
        import atexit
        atexit.register(os.kill, os.getpid(), signal.SIGTERM)
"""


def test_a_signal_after_the_end_does_not_change_how_a_run_has_ended(remote_shop):
    """Who is told that a finished run was killed runs it again, and an append would be doubled."""
    shop = remote_shop
    shop.site.install("osiris-late", {"late": "osiris_late"}, sources={"osiris_late.py": LATE})
    shop.write(numbers(rows=10), store())
    done = shop.osiris("run", "p.yaml", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "succeeded"
