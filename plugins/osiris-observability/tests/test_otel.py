"""A run as a trace and metrics, received by a server that parses OpenTelemetry's own messages."""

from __future__ import annotations

import json
import time

import pytest

from osiris_observability.relay import Relay
from osiris_observability.switch import OTEL
from tests.servers.collectors import Answer
from tests.servers.ports import free_port

UNSET, ERROR = 0, 2
TRACE = "0af7651916cd43dd8448eb211c80319c"  # pragma: allowlist secret
PARENT = "b7ad6b7169203331"  # pragma: allowlist secret


def by_name(collector):
    return {span.name: span for span in collector.spans}


def measured(collector, metric):
    return {point.attributes.get("osiris.step.id"): point for point in collector.points if point.metric == metric}


def test_a_run_is_a_trace_with_a_span_a_step(project, collector):
    done = project.run(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert done.status == 0, done.err
    spans = by_name(collector)
    assert set(spans) == {"run shop", "extract orders", "transform dear", "write load"}
    run = spans.pop("run shop")
    assert run.parent == ""
    assert {span.trace for span in spans.values()} == {run.trace}
    assert {span.parent for span in spans.values()} == {run.id}
    assert all(run.start <= span.start <= span.end <= run.end for span in spans.values())
    assert {span.status for span in (run, *spans.values())} == {UNSET}
    assert run.attributes == {
        "osiris.pipeline.name": "shop",
        "osiris.target.name": "local",
        "osiris.session.id": done.session,
        "osiris.manifest.hash": done.outcome["manifest_hash"],
        "osiris.run.steps": 3,
        "osiris.run.status": "succeeded",
        "osiris.run.rows": 2,
    }
    (finished,) = [event for event in done.events("step_finished") if event["step"] == "dear"]
    assert spans["transform dear"].attributes == {
        "osiris.pipeline.name": "shop",
        "osiris.target.name": "local",
        "osiris.session.id": done.session,
        "osiris.step.id": "dear",
        "osiris.step.mode": "transform",
        "osiris.component.name": "duckdb.processor",
        "osiris.step.status": "succeeded",
        "osiris.step.attempts": 1,
        "osiris.step.rows.read": 3,
        "osiris.step.rows.written": 2,
        "osiris.step.size": finished["bytes"],
    }
    took = spans["transform dear"].end - spans["transform dear"].start
    assert took == finished["duration_ms"] * 1_000_000
    staged, published = spans["write load"].events
    assert (staged[0], published[0]) == ("osiris.write_staged", "osiris.write_published")
    assert published[1]["osiris.rows"] == 2
    assert published[1]["osiris.destination"] == "out/dear.parquet"


def test_its_measurements_have_the_units_of_the_conventions(project, collector):
    done = project.run(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    units = {point.metric: (point.unit, point.kind) for point in collector.points}
    assert units == {
        "osiris.run.duration": ("s", "histogram"),
        "osiris.run.rows": ("{row}", "sum"),
        "osiris.step.duration": ("s", "histogram"),
        "osiris.step.rows.read": ("{row}", "sum"),
        "osiris.step.rows.written": ("{row}", "sum"),
        "osiris.step.size": ("By", "sum"),
    }
    assert {step: point.value for step, point in measured(collector, "osiris.step.rows.read").items()} == {
        "orders": 3,
        "dear": 3,
        "load": 2,
    }
    rows = measured(collector, "osiris.run.rows")[None]
    assert rows.value == 2
    # What is different in every run would make a series of its own in every run.
    assert rows.attributes == {"osiris.pipeline.name": "shop", "osiris.target.name": "local"}
    took = measured(collector, "osiris.run.duration")[None]
    assert took.value == (done.outcome["duration_ms"] / 1000, 1)
    assert took.attributes["osiris.run.status"] == "succeeded"


def test_a_failure_is_an_error_with_an_exception(project, collector):
    project.write_failing()
    done = project.run(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert done.status == 1
    (failed,) = done.events("step_failed")
    spans = by_name(collector)
    for span in (spans["extract orders"], spans["run shop"]):
        assert span.status == ERROR
        assert span.message == failed["message"]
        assert span.attributes["error.type"] == failed["code"]
        assert ("exception", {"exception.type": failed["code"], "exception.message": failed["message"]}) in span.events
    assert spans["run shop"].attributes["osiris.run.status"] == "failed"
    assert spans["write load"].status == UNSET
    assert spans["write load"].attributes["osiris.step.status"] == "cancelled"
    point = measured(collector, "osiris.step.duration")["orders"]
    assert point.attributes["error.type"] == failed["code"]


def test_an_interrupt_ends_the_trace(project, collector):
    done = project.run(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OSIRIS_TEST_FAILPOINTS="1",
        OSIRIS_FAILPOINT="before_publish@load:interrupt",
    )
    assert done.outcome["status"] == "interrupted"
    assert done.status == done.outcome["exit_code"] != 0
    run = by_name(collector)["run shop"]
    assert run.attributes["osiris.run.status"] == "interrupted"
    assert run.attributes["error.type"] == "OSR-RUN-001"
    assert "osiris.cancel_requested" in [name for name, _ in run.events]


def test_a_retry_is_an_event_of_its_step_and_is_counted(project, collector):
    done = project.run(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OSIRIS_TEST_FAILPOINTS="1",
        OSIRIS_FAILPOINT="staged@load:retry",
    )
    assert done.status == 0, done.err
    span = by_name(collector)["write load"]
    names = [name for name, _ in span.events]
    assert "osiris.step_retried" in names
    assert span.attributes["osiris.step.attempts"] == 2
    assert measured(collector, "osiris.step.retries")["load"].value == 1
    assert len(collector.spans) == 4


def test_an_isolated_run_is_the_same_trace_and_its_key_stays_outside(project, collector):
    key = "otlp-made-up-key-0123456789"  # pragma: allowlist secret
    done = project.run(
        "--isolate", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_EXPORTER_OTLP_HEADERS=f"authorization=Bearer {key}"
    )
    assert done.status == 0, done.err
    assert set(by_name(collector)) == {"run shop", "extract orders", "transform dear", "write load"}
    assert {call.headers["authorization"] for call in collector.calls} == {f"Bearer {key}"}
    assert key not in done.written + done.out + done.err


def test_the_variables_of_opentelemetry_do_what_they_do_elsewhere(project, collector):
    done = project.run(
        OTEL_EXPORTER_OTLP_ENDPOINT=f"{collector.url}/",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS="x-team=data%20people",
        OTEL_SERVICE_NAME="nightly",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=staging,service.version=7",
        TRACEPARENT=f"00-{TRACE}-{PARENT}-01",
    )
    assert done.status == 0, done.err
    assert {call.headers["content-encoding"] for call in collector.calls} == {"gzip"}
    assert {call.headers.get("x-team") for call in collector.calls if call.path == "/v1/traces"} == {"data people"}
    run = by_name(collector)["run shop"]
    assert (run.trace, run.parent) == (TRACE, PARENT)
    assert run.resource["service.name"] == "nightly"
    assert run.resource["service.version"] == "7"
    assert run.resource["deployment.environment.name"] == "staging"
    assert collector.points[0].resource["service.name"] == "nightly"


def test_without_a_name_the_service_is_osiris(project, collector):
    done = project.run(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/v1/traces")
    (started,) = done.events("run_started")
    resource = by_name(collector)["run shop"].resource
    assert resource["service.name"] == "osiris"
    assert resource["service.version"] == started["environment"]["osiris"]
    assert resource["service.instance.id"]


@pytest.mark.parametrize(
    ("variables", "paths"),
    [
        ({"OTEL_TRACES_EXPORTER": "none"}, {"/v1/metrics"}),
        ({"OTEL_METRICS_EXPORTER": "none"}, {"/v1/traces"}),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, {"/v1/metrics"}),
        # A parent that is not sampled: the default sampler does as it does.
        ({"TRACEPARENT": f"00-{TRACE}-{PARENT}-00"}, {"/v1/metrics"}),
        ({"OTEL_SDK_DISABLED": "true"}, set()),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, {"/v1/traces", "/v1/metrics"}),
    ],
)
def test_what_is_sent_can_be_chosen(project, collector, variables, paths):
    done = project.run(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **variables)
    assert done.status == 0
    assert {call.path for call in collector.calls} == paths
    assert done.events("observer_failed") == []


def test_an_exporter_that_is_not_installed_is_named(project, collector):
    done = project.run(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_EXPORTER_OTLP_PROTOCOL="grpc")
    assert done.status == 0
    (failed,) = done.events("observer_failed")
    assert "no installed package has the exporter 'otlp_proto_grpc'" in failed["message"]
    assert failed["message"] in done.err


@pytest.mark.parametrize(
    ("wrong", "path"), [("OTEL_METRICS_EXPORTER", "/v1/traces"), ("OTEL_TRACES_EXPORTER", "/v1/metrics")]
)
def test_a_signal_that_cannot_be_set_up_leaves_the_other(project, collector, wrong, path):
    done = project.run(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **{wrong: "elsewhere"})
    assert done.status == 0
    assert {call.path for call in collector.calls} == {path}
    (failed,) = done.events("observer_failed")
    assert "no installed package has the exporter 'elsewhere'" in failed["message"]


def test_of_two_exporters_the_one_that_can_be_set_up_is_used(project, collector):
    done = project.run(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_TRACES_EXPORTER="elsewhere, otlp")
    assert len(collector.spans) == 4
    assert "'elsewhere'" in done.events("observer_failed")[0]["message"]


def test_what_has_been_taken_goes_out_when_no_more_can_be(project, collector, monkeypatch):
    events = project.run().events()
    ended = next(n for n, event in enumerate(events) if event["event"] == "step_finished")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    relay = Relay(OTEL)
    for event in (*events[: ended + 1], {"event": "without a time"}):
        relay.put(event)
    assert "KeyError" in relay.finish(time.monotonic() + 100)
    assert events[ended]["step"] in {span.attributes["osiris.step.id"] for span in collector.spans}


def test_a_receiver_that_is_busy_is_asked_again(project, collector):
    collector.answer(Answer(429, {"Retry-After": "0"}), Answer(503, {"Retry-After": "0"}))
    done = project.run(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert [call.status for call in collector.calls][:3] == [429, 503, 200]
    assert len(collector.spans) == 4
    assert done.events("observer_failed") == []


@pytest.mark.parametrize("fault", ["refused", "hanging", "broken", "unauthorised"])
def test_a_receiver_that_fails_changes_nothing_and_is_said(project, collector, fault):
    url = collector.url
    match fault:
        case "refused":
            url = f"http://127.0.0.1:{free_port()}"
        case "hanging":
            collector.always(Answer(hangs=True))
        case "broken":
            collector.always(Answer(500))
        case "unauthorised":
            collector.always(Answer(401))
    limit = "1" if fault in ("refused", "hanging") else "100"
    given = url.replace("://", "://ann:not-a-secret@")  # pragma: allowlist secret
    done = project.run("--json", OTEL_EXPORTER_OTLP_ENDPOINT=given, OSIRIS_OBSERVABILITY_TIMEOUT=limit)
    assert done.status == 0
    assert json.loads(done.out)["status"] == "succeeded"
    assert collector.spans == []
    (failed,) = done.events("observer_failed")
    said = {"broken": "500", "unauthorised": "401"}.get(fault, f"not everything could be sent in time to {url}")
    assert "OpenTelemetry" in failed["message"]
    assert said in failed["message"]
    assert "Traceback" not in done.err


def test_waiting_can_be_left_out(project, collector):
    collector.always(Answer(hangs=True))
    done = project.run(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OSIRIS_OBSERVABILITY_TIMEOUT="0")
    assert done.status == 0
    assert "in time" in done.events("observer_failed")[0]["message"]


@pytest.mark.parametrize("limit", ["soon", "nan", "-1", "1e300"])
def test_a_limit_that_is_none_is_said(project, collector, limit):
    done = project.run(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OSIRIS_OBSERVABILITY_TIMEOUT=limit)
    assert done.status == 0
    assert len(collector.spans) == 4
    assert "OSIRIS_OBSERVABILITY_TIMEOUT" in done.events("observer_failed")[0]["message"]
