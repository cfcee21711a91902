"""The parts of a record and its surroundings, each by itself."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import warnings

import pytest

from osiris_core.errors import DriverError, ExitCode, InvalidInput, RunFailed
from osiris_core.redaction import Redactor
from osiris_core.run import events as vocabulary
from osiris_core.run import resources
from osiris_core.run.chain import join_chain, leave_chain
from osiris_core.run.context import Budget, StepContext
from osiris_core.run.failpoints import Failpoints
from osiris_core.run.process import ProcessMark, is_alive, this_process
from osiris_core.run.session import Session, collecting_logs, write_atomically
from osiris_core.run.signals import handling
from tests.run.workshop import numbers, store


def make(tmp_path, **options):
    return Session.create("run", tmp_path / "logs", details={"pipeline": "p"}, redactor=Redactor(), **options)


def lines(session, name="events.jsonl"):
    return [json.loads(line) for line in (session.path / name).read_text().splitlines()]


def context(session, tmp_path, **more):
    from osiris_core.run.cancel import CancelToken

    given = {
        "step_id": "s",
        "component": "sample.numbers",
        "load_id": "0" * 32,
        "manifest_hash": "h",
        "connection": None,
        "project_root": tmp_path,
        "scratch": tmp_path / "scratch" / "s",
        "budget": Budget(memory=1, threads=1),
        "record": session,
        "token": CancelToken(),
        "failpoints": Failpoints(),
    }
    return StepContext(**{**given, **more})


# The vocabulary.


def test_every_event_has_a_name_and_every_field_a_description():
    assert len(vocabulary.BY_NAME) == len(vocabulary.VOCABULARY)
    for name, kind in vocabulary.BY_NAME.items():
        assert name == vocabulary.event_name(kind)
        assert kind.__doc__
        for attribute in kind.__attrs_attrs__:
            assert attribute.metadata["doc"]


# The session.


def test_a_session_is_append_only_until_its_status(tmp_path):
    session = make(tmp_path)
    session.emit(vocabulary.StepSkipped(step="a", reason="b"))
    session.metric("m", 1.5, "s", step=None)
    session.log("warning", "careful")
    session.log("debug", "too quiet")
    session.close({"status": "succeeded"})
    session.close({"status": "failed"})
    session.emit(vocabulary.StepSkipped(step="late", reason="b"))
    session.metric("late", 1, "s", step=None)
    session.log("error", "late")
    assert [line["step"] for line in lines(session)] == ["a"]
    assert [line["metric"] for line in lines(session, "metrics.jsonl")] == ["m"]
    assert (session.path / "osiris.log").read_text().endswith("WARNING careful\n")
    assert json.loads((session.path / "status.json").read_text()) == {"status": "succeeded"}
    assert sorted(path.name for path in session.path.iterdir()) == [
        "events.jsonl",
        "metrics.jsonl",
        "osiris.log",
        "session.json",
        "status.json",
    ]


def test_what_is_not_json_is_written_as_text(tmp_path):
    session = make(tmp_path)
    session.emit_named(
        "sample.x", {"when": ProcessMark(pid=1, started="x", host="h"), "lone": "\ud800", "n": float("nan")}
    )
    (line,) = lines(session)
    assert "ProcessMark" in line["when"]
    assert line["n"] == "nan"


def test_artifacts_stay_in_the_record(tmp_path):
    session = make(tmp_path)
    folder = session.path / "artifacts" / "s"
    for name, expected in [
        ("report.csv", "report.csv"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("/etc/passwd", "_etc_passwd"),
        ("..", "artifact"),
        ("a\0b\nc", "a_b_c"),
        ("x" * 500, "x" * 150),
    ]:
        assert session.artifact("s", name) == folder / expected


def test_an_atomic_write_is_all_or_nothing(tmp_path):
    path = tmp_path / "status.json"
    write_atomically(path, {"a": 1})
    with pytest.raises(TypeError):
        write_atomically(path, {("not", "a", "key"): 2})
    assert json.loads(path.read_text()) == {"a": 1}
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="director"):
        write_atomically(path, {"a": 2})
    assert [one.name for one in tmp_path.iterdir()] == ["status.json"]


def test_an_interrupted_write_leaves_nothing_beside(tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "status.json", {"a": 1})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_goes_away_is_an_error(tmp_path):
    session = make(tmp_path)
    with pytest.raises(RunFailed, match="cannot be written"):
        session.write_file("session.json/x", b"")


def test_what_libraries_log_goes_into_the_record_redacted(tmp_path):
    redactor = Redactor()
    redactor.register("s3cret-password")
    session = Session.create("run", tmp_path / "logs", details={}, redactor=redactor)
    before = logging.getLogger().level
    with collecting_logs(session, "info"):
        logging.getLogger("library").info("GET /?token=%s", "s3cret-password")
        logging.getLogger("library").debug("too quiet")
        logging.getLogger("library").critical("loud")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("careful", stacklevel=1)
    logging.getLogger("library").warning("after")
    text = (session.path / "osiris.log").read_text()
    assert "INFO    library: GET /?token=***" in text
    assert "ERROR   library: loud" in text
    assert "UserWarning: careful" in text
    assert "quiet" not in text
    assert "after" not in text
    assert logging.getLogger().level == before


# The context.


def test_a_driver_measures_in_numbers(tmp_path):
    session = make(tmp_path)
    ctx = context(session, tmp_path)
    ctx.log_metric("sample.requests", 3, "calls")
    for value in (True, "3", None, float("nan"), float("inf")):
        with pytest.raises(DriverError, match="no number"):
            ctx.log_metric("sample.requests", value, "calls")
    for name in ("rows_read", "other.requests", "requests"):
        with pytest.raises(DriverError, match="cannot record the metric"):
            ctx.log_metric(name, 1, "calls")
    (line,) = lines(session, "metrics.jsonl")
    assert (line["metric"], line["value"], line["unit"], line["step"]) == ("sample.requests", 3, "calls", "s")


def test_an_event_with_other_fields_is_refused(tmp_path):
    ctx = context(make(tmp_path), tmp_path)
    with pytest.raises(DriverError, match="has other fields"):
        ctx.emit("files_read", file="x")


def test_scratch_is_made_when_asked_for(tmp_path):
    ctx = context(make(tmp_path), tmp_path)
    assert not (tmp_path / "scratch").exists()
    assert ctx.scratch.is_dir()
    assert ctx.artifact("x").parent.is_dir()
    ctx.failpoint("anything")
    ctx.check()


# Processes and chains.


def test_a_process_is_told_from_a_later_one_with_its_number():
    me = this_process()
    assert is_alive(me)
    assert not is_alive(ProcessMark(pid=me.pid, started="earlier", host=me.host))
    assert not is_alive(ProcessMark(pid=me.pid, started="", host=me.host))
    assert is_alive(ProcessMark(pid=1, started="unknown", host="another host"))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        from osiris_core.run import process

        mark = ProcessMark(pid=child.pid, started=process._started(child.pid), host=me.host)
        assert is_alive(mark)
        child.kill()
        child.wait()
        assert not is_alive(mark)


def test_a_chain_ends_with_success(tmp_path):
    def joined(session_id, *, fresh=False, status=None):
        token = join_chain(tmp_path, "h" * 64, session_id, fresh=fresh).token
        (tmp_path / session_id).mkdir()
        if status:
            (tmp_path / session_id / "status.json").write_text(json.dumps({"status": status}))
        return token

    assert joined("a", status="failed") == "a"
    assert joined("b", status="interrupted") == "a"
    assert joined("c") == "a"  # crashed: no status, no living process
    assert joined("d", status="succeeded") == "a"
    assert joined("e", status="failed") == "e"
    assert joined("f", fresh=True, status="failed") == "f"
    assert joined("g", status="failed") == "f"
    (pointer,) = (tmp_path / ".chains").iterdir()
    pointer.write_text("{damaged")
    assert joined("h") == "h"


def test_a_chain_outlives_the_record_of_its_last_run(tmp_path):
    """Somebody tidies up after a failure: what it had published must be known all the same."""
    assert join_chain(tmp_path, "h" * 64, "a", fresh=False).token == "a"
    assert join_chain(tmp_path, "h" * 64, "b", fresh=False).token == "a"
    leave_chain(tmp_path, "h" * 64, "a")  # not the last one any more
    assert join_chain(tmp_path, "h" * 64, "c", fresh=False).token == "a"
    leave_chain(tmp_path, "h" * 64, "c")
    assert join_chain(tmp_path, "h" * 64, "d", fresh=False).token == "d"


def test_listeners_see_events_one_at_a_time_in_order(tmp_path):
    seen = []

    def listen(line):
        if line["seq"] == 1:
            other = threading.Thread(target=session.emit_named, args=("second", {}))
            other.start()
            other.join(0.2)
            others.append(other)
        seen.append((line["seq"], line["event"]))

    others = []
    session = Session.create("run", tmp_path, details={}, redactor=Redactor(), listeners=(listen,))
    session.emit_named("first", {})
    others[0].join()
    assert seen == [(1, "first"), (2, "second")]


def test_recording_may_happen_while_recording(tmp_path):
    """A finalizer that the collector runs in the middle of it may log."""
    session = Session.create(
        "run", tmp_path, details={}, redactor=Redactor(), enabled=lambda name: session.log("info", "inner") is None
    )
    outer = threading.Thread(target=session.emit_named, args=("outer", {}), daemon=True)
    outer.start()
    outer.join(10)
    assert not outer.is_alive()
    assert "inner" in (session.path / "osiris.log").read_text()


def test_a_message_that_cannot_be_formatted_is_kept(tmp_path, capfd):
    session = Session.create("run", tmp_path, details={}, redactor=Redactor())
    with collecting_logs(session, "info"):
        record = logging.makeLogRecord(
            {"name": "library", "levelno": logging.WARNING, "msg": "%d of %d", "args": ("one",)}
        )
        logging.getLogger().handlers[-1].handle(record)
    assert "library: '%d of %d' (cannot be formatted: TypeError)" in (session.path / "osiris.log").read_text()
    assert capfd.readouterr().err == ""


# Failpoints, signals, resources.


@pytest.mark.parametrize("text", ["x", "x:explode", "x=kill", "X:kill", "x:kill*", ",", "x@:kill"])
def test_failpoints_that_are_none(text):
    with pytest.raises(InvalidInput, match="OSIRIS_FAILPOINT"):
        Failpoints.from_environment({"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": text})


def test_a_failpoint_acts_as_often_as_told_and_where():
    armed = Failpoints.from_environment({"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": "a@s:raise*2,b:retry"})
    armed.reach("a", "other")
    for _ in range(2):
        with pytest.raises(DriverError, match="failpoint 'a'"):
            armed.reach("a", "s")
    armed.reach("a", "s")
    with pytest.raises(DriverError) as caught:
        armed.reach("b", "anything")
    assert caught.value.retriable


def test_signals_outside_the_main_thread_are_left_alone():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work():
        with handling(seen.append):
            seen.append(signal.getsignal(signal.SIGINT) is before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [True]


def test_one_signal_is_a_request_and_the_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    seen = []
    with handling(seen.append):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 0)
    assert seen == ["SIGTERM"]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("limit", "used", "expected"), [("max", "5", None), ("100", "40", 60), ("100", "140", 0), (None, None, None)]
)
def test_memory_of_a_control_group(tmp_path, monkeypatch, limit, used, expected):
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
    monkeypatch.setattr(resources, "CONTROL_GROUP", tmp_path)
    assert resources._control_group() == expected
    assert resources.available_memory() > 0 or expected == 0


# A run's corners.


def test_spills_go_where_the_settings_say(shop, tmp_path):
    home = tmp_path / "big-disk"
    ran = shop.run(
        numbers(),
        store("a", ["numbers"], path="a"),
        store("b", ["numbers"], path="b"),
        settings={"run.temp_directory": str(home)},
    )
    assert ran.outcome.error is None
    assert home.is_dir()
    assert list(home.iterdir()) == []


def test_a_scratch_folder_that_cannot_be_made(shop, tmp_path):
    (tmp_path / "file").write_text("")
    ran = shop.run(numbers(), store(), settings={"run.temp_directory": str(tmp_path / "file" / "x")})
    assert ran.outcome.error.code == "OSR-RUN-031"
    assert ran.status["status"] == "failed"
    assert shop.calls() == []


def test_a_defect_of_the_runtime_is_a_failed_run_too(shop, monkeypatch):
    from osiris_core.run import api

    def defect(*_, **__):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(api, "prepare", defect)
    ran = shop.run(numbers(), store())
    assert ran.outcome.error.code == "OSR-CLI-001"
    assert ran.outcome.exit_code is ExitCode.FAILED
    assert ran.status["error"]["message"] == "internal error: ZeroDivisionError: a defect"
    assert "Traceback" in ran.log


def test_a_pin_of_another_version_is_noted(shop):
    manifest, around = shop.compile(numbers(), store())
    import attrs

    from osiris_core.cli.workspace import open_workspace
    from osiris_core.run.api import run_manifest

    pins = tuple(attrs.evolve(pin, distribution_version="0.9") for pin in manifest.pins)
    loaded = open_workspace(start=shop.folder).loaded
    outcome = run_manifest(attrs.evolve(manifest, pins=pins), loaded_settings=loaded, **around)
    assert outcome.error is None
    events = [json.loads(line) for line in (outcome.record / "events.jsonl").read_text().splitlines()]
    assert sum(line["event"] == "pin_differs" for line in events) == len(pins)
