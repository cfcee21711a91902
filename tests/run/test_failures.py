"""What a run says and leaves when something goes wrong: who failed, why, and a destination that is as it was."""

from __future__ import annotations

import json
import queue
import threading

import pytest

from osiris_core.diagnostics import Diagnostic, Position
from osiris_core.errors import DriverError, ExitCode
from osiris_core.redaction import Redactor
from osiris_core.run.events import StepProgress
from osiris_core.run.executor import Interrupts
from osiris_core.run.failure import redact
from osiris_core.run.outcome import error_data
from osiris_core.run.unit_runner import delay_before
from tests.run.workshop import numbers, sql, step, store, through

FAULTS = {
    "driver": ("OSR-SAMPLE-001", "as told", 1),
    "foreign": ("OSR-RUN-003", "the driver failed: ZeroDivisionError: one by nothing", 1),
    "panic": ("OSR-RUN-003", "the driver failed: BaseException: as a Rust panic would be", 1),
    "exit": ("OSR-RUN-003", "the driver failed: SystemExit: 7", 1),
    "full": ("OSR-RUN-004", "no space left on the disk while writing 'somewhere'", 1),
    "memory": ("OSR-RUN-005", "out of memory", 1),
    "connection": ("OSR-SAMPLE-003", "no such host", 5),
    "cancelled": ("OSR-RUN-003", "the driver stopped of itself: of itself", 1),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("culprit", "config"),
    [
        ("numbers", {"fault_after": -1}),
        ("numbers", {"fault_after": 0}),
        ("numbers", {"fault_after": 2}),
        ("pass", {"fault_after": 1}),
        ("store", {"fault_in": "begin"}),
        ("store", {"fault_in": "write"}),
        ("store", {"fault_in": "publish"}),
    ],
)
def test_the_step_that_failed_is_named_and_nothing_is_written(shop, culprit, config, fault):
    given = {culprit: {**config, "fault": fault}}
    ran = shop.run(
        numbers(**given.get("numbers", {})),
        sql("dup", "SELECT * FROM df"),
        through(**given.get("pass", {})),
        store(**given.get("store", {})),
    )
    code, message, exit_code = FAULTS[fault]
    assert (ran.outcome.error.code, ran.outcome.error.message) == (code, message)
    assert ran.outcome.error.where == f"step '{culprit}' (sample.{culprit})"
    assert ran.outcome.exit_code == exit_code
    assert ran.status["status"] == "failed"
    assert ran.status["step"] == culprit
    assert shop.stored() == ([], 0)
    assert shop.staged() == []
    (failed,) = ran.events("step_failed")
    assert (failed["step"], failed["code"], failed["message"]) == (culprit, code, message)
    assert {line["step"] for line in ran.events("step_cancelled")} == {"numbers", "dup", "pass", "store"} - {culprit}
    assert [line["status"] for line in ran.events("run_finished")] == ["failed"]
    assert not ran.events("step_finished", "write_published", "step_retried")
    assert "Traceback" in ran.log
    assert "Traceback" not in (ran.folder / "events.jsonl").read_text()


def test_an_error_that_crosses_a_c_stream_keeps_its_text(shop):
    ran = shop.run(numbers(output="foreign", fault="foreign", fault_after=1), sql("dup", "SELECT * FROM df"), store())
    assert ran.outcome.step == "numbers"
    assert ran.outcome.error.code == "OSR-RUN-009"
    assert ran.outcome.error.message == "the driver's stream failed: ZeroDivisionError: one by nothing"


def test_a_failure_aborts_what_was_staged_and_says_so(shop):
    ran = shop.run(numbers(fault="driver", fault_after=2), store())
    (aborted,) = ran.events("write_aborted")
    assert (aborted["step"], aborted["clean"]) == ("store", True)
    assert shop.calls("store") == [("store", "begin"), ("store", "write"), ("store", "abort")]


def test_an_abort_that_fails_does_not_hide_why(shop):
    ran = shop.run(numbers(fault="driver", fault_after=2), store(fault_in="abort"))
    assert ran.outcome.error.code == "OSR-SAMPLE-001"
    (aborted,) = ran.events("write_aborted")
    assert (aborted["clean"], aborted["message"]) == (False, "RuntimeError: cannot clean up")


def test_nothing_is_aborted_after_publishing(shop):
    """A driver that fails after its commit: the retry finds the commit row."""
    ran = shop.run(numbers(), store(fault="retriable", fault_in="after"))
    assert ran.outcome.error is None
    assert shop.stored() == (list(range(10)), 1)
    assert [line["already"] for line in ran.events("write_published")] == [True]


# Retries.


@pytest.mark.parametrize(
    "steps",
    [
        (numbers(fault="retriable", fault_after=-1), store()),
        (numbers(fault="retriable", fault_after=2, faults=2), store()),
        (numbers(), through(fault="retriable", fault_after=1), store()),
        (numbers(), store(fault="retriable", fault_in="begin")),
        (numbers(), store(fault="retriable", fault_in="write", faults=2)),
        (numbers(), store(fault="retriable", fault_in="publish")),
    ],
)
def test_what_may_pass_is_tried_again_from_the_inputs(shop, steps):
    ran = shop.run(*steps)
    assert ran.outcome.error is None, ran.outcome.error
    assert shop.stored() == (list(range(10)), 1)
    assert shop.staged() == []
    attempts = ran.step("store")["attempts"]
    assert attempts > 1
    retried = ran.events("step_retried")
    assert [line["attempt"] for line in retried] == list(range(1, attempts))
    assert retried[0]["restarted"] == [one["id"] for one in steps]
    assert len(ran.events("step_started")) == len(ran.events("step_finished")) == len(steps)
    assert len(shop.calls("numbers")) >= attempts


def test_a_retried_writer_reads_its_spooled_input_again(shop):
    ran = shop.run(
        numbers(),
        store("good", ["numbers"], path="good"),
        store("shaky", ["numbers"], path="shaky", fault="retriable", fault_in="publish"),
    )
    assert ran.outcome.error is None
    assert shop.calls("numbers") == [("numbers", "run")]
    assert shop.stored("shaky")[0] == list(range(10))
    assert ran.step("shaky")["rows_read"] == 10


def test_retries_end(shop):
    ran = shop.run(numbers(), store(fault="retriable", faults=99), settings={"run.retries": 1})
    assert ran.outcome.error.code == "OSR-SAMPLE-002"
    assert ran.step("store")["attempts"] == 2
    assert len(ran.events("step_retried")) == 1
    assert shop.staged() == []


def test_delays_grow_and_have_a_bound():
    assert [delay_before(n, 1.0) for n in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert delay_before(3, 0.0) == 1.0


# Drivers that do not keep the contract.


@pytest.mark.parametrize(
    ("cheat", "code", "message"),
    [
        ("short", "OSR-RUN-024", "the driver staged 9 of 10 rows; nothing is published"),
        (
            "early",
            "OSR-RUN-023",
            "the driver stopped reading the rows of 'pass' before their end; nothing is published",
        ),
        ("report", "OSR-RUN-022", "the driver's publish() returned a str, not a Report"),
    ],
)
def test_a_writer_that_lies_is_not_published(shop, cheat, code, message):
    ran = shop.run(numbers(), through(), store(cheat=cheat))
    assert (ran.outcome.error.code, ran.outcome.error.message) == (code, message)
    assert ran.step("store")["status"] == "failed"
    if cheat != "report":
        assert shop.stored() == ([], 0)


def test_a_writer_that_swallows_its_inputs_failure_is_not_published(shop):
    ran = shop.run(numbers(fault="driver", fault_after=1), through(), store(cheat="swallow"))
    assert ran.outcome.step == "numbers"
    assert shop.stored() == ([], 0)
    assert shop.staged() == []


def test_a_step_in_the_middle_that_swallows_a_failure(shop):
    ran = shop.run(numbers(fault="driver", fault_after=1), through("one", swallow=True), through("two"), store())
    assert (ran.outcome.step, ran.outcome.error.code) == ("numbers", "OSR-SAMPLE-001")
    assert shop.stored() == ([], 0)
    assert shop.staged() == []


def test_a_failure_nobody_has_met_is_none(shop):
    """The consumer has all it wants after the first batch; what the producer would do later is of no interest."""
    ran = shop.run(numbers(rows=100, batch=1, fault="driver", fault_after=50), through(take=1), store())
    assert ran.outcome.error is None
    assert shop.stored()[0] == [0]


def test_a_producer_that_waits_is_stopped_when_its_consumer_has_enough(shop):
    ran = shop.run(numbers(batch=1, fault="hang", fault_after=2), through(take=1), store())
    assert ran.outcome.error is None
    assert ("numbers", "stopped") in shop.calls()


@pytest.mark.parametrize("cheat", ["rows", "early"])
def test_a_plain_writer_that_lies(shop, cheat):
    ran = shop.run(numbers(), step("sink", "sample.sink", cheat=cheat))
    assert ran.outcome.error.code == {"rows": "OSR-RUN-022", "early": "OSR-RUN-023"}[cheat]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("none", "the driver of 'numbers' returned a NoneType"),
        ("list", "the driver of 'numbers' returned a list, which exports no Arrow stream"),
        ("two", "the driver of 'numbers' returned keys ['df', 'other']"),
    ],
)
def test_a_driver_that_returns_something_else(shop, output, message):
    ran = shop.run(numbers(output=output), store())
    assert (ran.outcome.error.code, ran.outcome.error.message) == ("OSR-RUN-022", message)


def test_a_stream_cannot_be_read_twice(shop):
    ran = shop.run(numbers(), through(twice=True), store())
    assert (ran.outcome.error.code, ran.outcome.step) == ("OSR-RUN-010", "pass")
    assert shop.stored() == ([], 0)


@pytest.mark.parametrize(
    ("output", "code"), [("duplicate", "OSR-RUN-026"), ("uneven", "OSR-RUN-027"), ("nosplit", "OSR-RUN-022")]
)
def test_a_split_plan_that_cannot_be(shop, output, code):
    ran = shop.run(numbers(output=output), store(), settings={"run.partitions": 3})
    assert (ran.outcome.error.code, ran.outcome.step) == (code, "numbers")
    assert shop.stored() == ([], 0)


def test_a_driver_may_choose_not_to_be_split(shop):
    ran = shop.run(numbers(output="whole"), store(), settings={"run.partitions": 3})
    assert ran.outcome.error is None
    assert shop.calls("numbers") == [("numbers", "splits"), ("numbers", "run")]


def test_a_part_that_fails_fails_the_step(shop):
    ran = shop.run(numbers(batch=1, fault="driver", fault_after=1), store(), settings={"run.partitions": 3})
    assert (ran.outcome.error.code, ran.outcome.step) == ("OSR-SAMPLE-001", "numbers")
    assert shop.stored() == ([], 0)


def test_a_description_that_promises_too_much_stops_the_run_before_it_starts(shop):
    ran = shop.run(numbers(), step("hollow", "sample.hollow"))
    assert ran.outcome.error.code == "OSR-RUN-050"
    assert ran.outcome.exit_code is ExitCode.INVALID
    assert shop.calls() == []
    assert ran.status["status"] == "failed"
    assert [one["status"] for one in ran.status["steps"]] == ["skipped", "skipped"]
    said = [(one["event"], one.get("step"), one.get("reason")) for one in ran.lines]
    assert said[1:-1] == [("step_skipped", name, "the run did not start") for name in ("numbers", "hollow")]


@pytest.mark.parametrize(
    ("event", "code"), [("run_finished", "OSR-RUN-020"), ("nonsense", "OSR-RUN-020"), ("duckdb.x", "OSR-RUN-020")]
)
def test_a_driver_cannot_emit_the_runtimes_events(shop, event, code):
    ran = shop.run(numbers(), through(emit=event), store())
    assert ran.outcome.error.code == code
    assert len(ran.events("run_finished")) == 1


def test_a_driver_may_emit_what_is_open_to_it(shop):
    ran = shop.run(numbers(), through(emit="schema_inferred"), store())
    assert ran.outcome.error is None
    (said,) = ran.events("schema_inferred")
    assert (said["step"], said["source"], said["details"]) == ("pass", "x", {})


# Stopping.


def stop(shop, outcome, *, name="SIGINT", after=("numbers", "run")):
    from osiris_core.run.executor import Interrupts

    interrupts = Interrupts()

    def ask():
        shop.await_call(*after)
        interrupts.request(name)

    threading.Thread(target=ask).start()
    return {"interrupts": interrupts}


def test_an_interrupt_reaches_a_driver_that_listens_and_aborts(shop):
    ran = shop.run(numbers(fault="hang", fault_after=1), store(), **stop(shop, None, after=("numbers", "fault")))
    assert ran.outcome.exit_code is ExitCode.INTERRUPTED
    assert ran.status["status"] == "interrupted"
    assert ran.outcome.error.message == "interrupted (SIGINT)"
    assert ("numbers", "stopped") in shop.calls()
    assert shop.staged() == []
    assert {line["step"] for line in ran.events("step_cancelled")} == {"numbers", "store"}
    assert [line["reason"] for line in ran.events("cancel_requested")] == ["interrupted"]
    assert not ran.events("step_failed")


def test_a_failed_sibling_stops_the_others(shop):
    ran = shop.run(
        numbers("waits", wait_for="never"),
        store("waits-store", ["waits"], path="waits"),
        numbers("fails", fault="driver", fault_after=1),
        store("fails-store", ["fails"], path="fails"),
        settings={"run.jobs": 2},
    )
    assert ran.outcome.step == "fails"
    assert {s["id"]: s["status"] for s in ran.status["steps"]} == {
        "waits": "cancelled",
        "waits-store": "cancelled",
        "fails": "failed",
        "fails-store": "cancelled",
    }
    assert shop.staged("waits") == shop.staged("fails") == []


def test_what_was_not_started_is_skipped(shop):
    ran = shop.run(
        numbers("a", fault="driver"),
        store("a-store", ["a"]),
        numbers("b"),
        store("b-store", ["b"]),
        settings={"run.jobs": 1},
    )
    assert {line["step"] for line in ran.events("step_skipped")} == {"b", "b-store"}
    assert shop.calls("b") == []


def test_a_timeout_has_a_code_of_its_own(shop):
    ran = shop.run(numbers(wait_for="never"), store(), settings={"run.timeout": 0.3})
    assert ran.outcome.error.code == "OSR-RUN-008"
    assert ran.outcome.error.message == "the run took longer than its timeout of 0.3 s"
    assert ran.outcome.exit_code is ExitCode.FAILED
    assert ran.status["status"] == "failed"
    assert shop.staged() == []


class Limited(queue.SimpleQueue):
    """A queue on which nobody waits for ever: a signal that came right before such a wait would not be heard."""

    def get(self, block=True, timeout=None):
        assert timeout is not None
        return super().get(block, timeout)


def test_waiting_for_a_message_gives_signals_their_turn():
    interrupts = Interrupts()
    interrupts.messages = Limited()
    with pytest.raises(queue.Empty):
        interrupts.take(0.0)
    threading.Timer(0.3, interrupts.request, ["SIGINT"]).start()  # more than one slice away
    assert interrupts.take(None) == "SIGINT"
    interrupts.request("SIGTERM")
    assert interrupts.take(60.0) == "SIGTERM"


def test_an_interrupt_while_waiting_for_a_retry(shop, monkeypatch):
    from osiris_core.run import unit_runner

    monkeypatch.setattr(unit_runner, "FIRST_DELAY", 30.0)
    ran = shop.run(numbers(fault="retriable", faults=9), store(), **stop(shop, None, after=("numbers", "fault")))
    assert ran.outcome.exit_code is ExitCode.INTERRUPTED


def test_a_driver_that_will_not_stop_is_given_up_and_named(shop, monkeypatch):
    from osiris_core.run import attempt, executor

    monkeypatch.setattr(attempt, "STOP_SECONDS", 0.2)
    monkeypatch.setattr(executor, "GRACE_SECONDS", 5.0)
    ran = shop.run(numbers(fault="deaf", fault_after=1), store(), **stop(shop, None, after=("numbers", "fault")))
    assert ran.outcome.stuck == ("numbers",)
    assert ran.status["status"] == "interrupted"
    assert shop.staged() == []
    assert {line["step"]: line["stopped"] for line in ran.events("step_cancelled")} == {
        "numbers": False,
        "store": True,
    }


def test_a_writer_that_will_not_stop_is_given_up_and_the_next_run_cleans_up(shop, monkeypatch):
    from osiris_core.run import executor

    monkeypatch.setattr(executor, "GRACE_SECONDS", 0.2)
    ran = shop.run(numbers(), store(fault="deaf", fault_in="write"), **stop(shop, None, after=("store", "fault")))
    assert set(ran.outcome.stuck) == {"numbers", "store"}
    assert ran.status["status"] == "interrupted"
    assert {line["step"]: line["stopped"] for line in ran.events("step_cancelled")} == {
        "numbers": False,
        "store": False,
    }
    assert shop.staged() != []
    again = shop.run(numbers(), store())
    assert again.outcome.error is None
    assert shop.staged() == []


# The record.


def test_the_scratch_of_a_killed_run_is_removed_and_no_other(shop):
    from osiris_core.ids import new_session_id

    home = shop.folder / "logs" / ".scratch"
    killed, foreign = new_session_id("run"), new_session_id("run")
    for name in (killed, foreign, "notes"):
        (home / name / "step").mkdir(parents=True)
    (shop.folder / "logs" / killed).mkdir()
    shop.run(numbers(), store())
    assert sorted(path.name for path in home.iterdir()) == sorted([foreign, "notes"])


def test_secrets_are_in_no_file_of_the_record(shop, monkeypatch):
    password = "pA5s-wörd/with+everything"  # pragma: allowlist secret
    monkeypatch.setenv("SAMPLE_PASSWORD", password)
    (shop.folder / "osiris_connections.yaml").write_text(
        "connections:\n  sample:\n    main:\n      host: h\n      password: ${SAMPLE_PASSWORD}\n"
    )
    for fails in (False, True):
        seen = []
        ran = shop.run(
            step("leak", "sample.leak", connection="@sample.main", fail=fails), store(), listeners=(seen.append,)
        )
        assert (ran.outcome.error is None) is not fails
        assert [line["event"] for line in ran.lines].count("sample.said") == 1
        found = [path for path in ran.folder.rglob("*") if path.is_file() and password.encode() in path.read_bytes()]
        assert found == []
        assert password not in str(seen)
        assert password not in str(ran.outcome.error)


def test_a_record_that_cannot_be_written_fails_the_run(shop, monkeypatch):
    """A listener stands for the disk here: it fails while rows pass."""

    def full(line):
        if line["event"] == StepProgress.__name__ or line["event"] == "write_staged":
            from osiris_core.errors import RunFailed

            raise RunFailed("OSR-RUN-030", "the run record cannot be written: No space left on device")

    ran = shop.run(numbers(), store(), listeners=(full,))
    assert ran.outcome.error.code == "OSR-RUN-030"
    assert shop.stored() == ([], 0)
    assert shop.staged() == []


def test_what_asked_to_stop_before_anything_ran_stops_it(shop):
    interrupts = Interrupts()
    interrupts.request("SIGTERM")
    ran = shop.run(numbers(), store(), interrupts=interrupts)
    assert ran.status["status"] == "interrupted"
    assert shop.calls() == []
    assert {one["status"] for one in ran.status["steps"]} == {"skipped"}


@pytest.mark.parametrize("timeout", [1e300, float(threading.TIMEOUT_MAX)])
def test_a_timeout_that_never_comes(shop, timeout):
    ran = shop.run(numbers(rows=3), store(), settings={"run.timeout": timeout})
    assert ran.outcome.error is None
    assert shop.stored() == ([0, 1, 2], 1)


def test_a_destination_that_holds_a_secret_is_masked_wherever_it_is_shown(shop):
    redactor = Redactor()
    redactor.register("s3cr3t-destination")
    ran = shop.run(numbers(rows=3), store(path="s3cr3t-destination"), redactor=redactor)
    assert [step.destination for step in ran.outcome.steps] == [None, "***"]
    assert ran.step("store")["destination"] == "***"


def test_findings_of_an_error_are_redacted_with_it():
    redactor = Redactor()
    redactor.register("p4ssw0rd-x")
    at = Position(file="f.yaml", line=1, column=1, source_line="a: p4ssw0rd-x")
    finding = Diagnostic(code="X", message="p4ssw0rd-x", hint="not p4ssw0rd-x", path=("p4ssw0rd-x", 0), position=at)
    error = DriverError("OSR-SAMPLE-001", "p4ssw0rd-x", diagnostics=[finding])
    redact(error, redactor.text)
    assert "p4ssw0rd-x" not in json.dumps(error_data(error))
    assert error.diagnostics[0].hint == "not ***"


def test_a_panic_while_cleaning_up_does_not_hide_why(shop):
    ran = shop.run(numbers(fault="driver", fault_after=1), store(fault_in="abort", fault="panic"))
    assert ran.outcome.error.code == "OSR-SAMPLE-001"
    (aborted,) = ran.events("write_aborted")
    assert aborted["clean"] is False


def test_a_defect_while_steps_run_stops_them(shop, monkeypatch):
    from osiris_core.run import executor

    def broken(self, outcome):
        raise KeyError("a defect")

    monkeypatch.setattr(executor.Execution, "_take", broken)
    ran = shop.run(numbers("a", rows=1), store("b", ["a"]), numbers("c", fault="hang"), store("d", ["c"], path="d"))
    assert ran.outcome.error.code == "OSR-CLI-001"
    shop.await_call("c", "stopped")
    assert {one["status"] for one in ran.status["steps"]} <= {"succeeded", "cancelled"}


def test_a_connection_without_a_value_stops_the_run_before_any_step_has_begun(shop):
    (shop.folder / "osiris_connections.yaml").write_text("connections: {duckdb: {main: {path: '${NO_SUCH_PLACE}'}}}\n")
    load = step("load", "duckdb.writer", connection="@duckdb.main", table="t", mode="append")
    ran = shop.run(numbers(), store(), {**load, "needs": ["numbers"]})
    assert (ran.outcome.error.code, ran.outcome.exit_code) == ("OSR-CON-013", 5)
    assert ran.outcome.error.diagnostics[0].position.file == "osiris_connections.yaml"
    assert shop.calls() == []
    assert ran.events("step_started") == []
    assert {one.status.value for one in ran.outcome.steps} == {"skipped"}
