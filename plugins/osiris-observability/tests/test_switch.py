"""When the plugin does something, and that the run is the same whether it does or not."""

from __future__ import annotations

import json

import pytest

from osiris_observability.switch import OPENLINEAGE, OTEL, receivers, signals

SDKS = ("google.protobuf", "openlineage", "opentelemetry", "requests", "urllib3")

COUNTED = """\
import sys
from osiris_core.cli import main
try:
    main()
finally:
    print("MODULES", *sorted(sys.modules), file=sys.stderr)
"""

WITHOUT = """\
import sys
sys.modules["opentelemetry"] = sys.modules["openlineage"] = None
from osiris_core.cli import main
main()
"""


def modules(done):
    return done.stderr.partition("MODULES ")[2].split()


def sdks(done):
    found = modules(done)
    assert "osiris_observability.plugin" in found
    return {sdk for sdk in SDKS if any(name == sdk or name.startswith(f"{sdk}.") for name in found)}


@pytest.mark.parametrize(
    ("variables", "imported"),
    [
        ({}, set()),
        ({"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_EXPORTER": "none", "OPENLINEAGE_NAMESPACE": "x"}, set()),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "URL"}, set()),
        ({"OPENLINEAGE_DISABLED": "true", "OPENLINEAGE_URL": "URL"}, set()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "URL"}, {"google.protobuf", "opentelemetry", "requests", "urllib3"}),
        ({"OPENLINEAGE_URL": "URL"}, {"openlineage", "requests", "urllib3"}),
    ],
)
def test_an_sdk_is_imported_when_it_is_switched_on(project, collector, variables, imported):
    set_to = {name: collector.url if value == "URL" else value for name, value in variables.items()}
    done = project.python(COUNTED, "run", "shop.yaml", **set_to)
    assert "shop succeeded" in done.stdout
    assert sdks(done) == imported
    assert bool(collector.calls) is bool(imported)


def test_other_commands_import_none(project, collector):
    done = project.python(COUNTED, "plugins", "check", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert sdks(done) == set()


def test_what_is_switched_on_but_not_installed_is_said_with_its_line(project, collector):
    code = WITHOUT
    done = project.python(
        code, "run", "shop.yaml", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OPENLINEAGE_URL=collector.url
    )
    assert done.returncode == 0
    assert "pip install 'osiris-observability[otel]'" in done.stderr
    assert "pip install 'osiris-observability[openlineage]'" in done.stderr


@pytest.mark.parametrize("mode", ["plain", "isolated", "failing", "retried"])
def test_the_run_is_the_same_with_it_and_without(project, collector, mode):
    variables = {}
    arguments = ["--isolate"] if mode == "isolated" else []
    if mode == "failing":
        project.write_failing()
    if mode == "retried":
        variables = {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": "staged@load:retry"}
    without = project.run("--fresh", *arguments, **variables)
    before = outputs(project)
    on = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OPENLINEAGE_URL": collector.url}
    with_it = project.run("--fresh", *arguments, **variables, **on)
    assert collector.spans
    assert collector.lineage
    assert with_it.status == without.status
    assert meaning(with_it.events()) == meaning(without.events())
    assert settled(with_it.outcome) == settled(without.outcome)
    assert files(with_it) == files(without)
    assert outputs(project) == before


VARYING = {
    *("ts", "session", "seq", "environment", "token", "load_id", "started", "finished"),
    *("duration_ms", "delay_ms", "limits"),  # limits follow from the memory that is free at the moment
}


def meaning(events):
    """Events without what differs between any two runs; steps run side by side, so their order does, too."""
    return sorted(json.dumps(settled(event), sort_keys=True) for event in events if event["event"] != "step_progress")


def settled(value):
    if isinstance(value, dict):
        return {key: settled(item) for key, item in value.items() if key not in VARYING}
    return [settled(item) for item in value] if isinstance(value, list) else value


def files(done):
    return sorted(str(path.relative_to(done.record)) for path in done.record.rglob("*") if path.is_file())


def outputs(project):
    return {path.name: path.read_bytes() for path in (project.folder / "out").iterdir()}


@pytest.mark.parametrize(
    ("settings", "observed"), [({}, False), ({"plugins": {"allow": ["filesystem", "observability"]}}, True)]
)
def test_the_run_of_a_manifest_is_observed_by_what_is_allowed_expressly(project, collector, settings, observed):
    assert project.run().status == 0
    (project.folder / "osiris.yaml").write_text(json.dumps(settings))
    done = project.run("--last-compile", source="shop", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert done.status == 0, done.err
    assert bool(collector.spans) is observed


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "u"}, ("traces", "metrics")),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, ()),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "u"}, ("traces",)),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, ("metrics",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "u", "OTEL_METRICS_EXPORTER": " None "}, ("traces",)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "u", "OTEL_SDK_DISABLED": "true"}, ()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "u", "OTEL_SDK_DISABLED": "no"}, ("traces", "metrics")),
    ],
)
def test_which_signals_are_on(environ, expected):
    assert signals(environ) == expected


@pytest.mark.parametrize(
    ("environ", "file", "on"),
    [
        ({}, None, False),
        ({"OPENLINEAGE_URL": "u"}, None, True),
        ({"OPENLINEAGE_URL": ""}, None, False),
        ({"OPENLINEAGE_CONFIG": "f"}, None, True),
        ({"OPENLINEAGE__TRANSPORT__TYPE": "console"}, None, True),
        ({"OPENLINEAGE__TAGS__JOB": "{}"}, None, False),
        ({}, "openlineage.yml", True),
        ({}, "home/.openlineage/openlineage.yml", True),
        ({"OPENLINEAGE_DISABLED": " True "}, "openlineage.yml", False),
    ],
)
def test_when_openlineage_is_on(tmp_path, monkeypatch, environ, file, on):
    monkeypatch.chdir(tmp_path)
    if file is not None:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("transport: {type: console}\n")
    found = [receiver.name for receiver in receivers({"HOME": str(tmp_path / "home"), **environ})]
    assert found == (["OpenLineage"] if on else [])


PLACES = (("TRACES_", "one"), ("METRICS_", "two"), ("", "one"))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("http://127.0.0.1:4318/v1/traces", "http://127.0.0.1:4318"),
        ("https://ann:not-a-secret@collector", "https://collector"),  # pragma: allowlist secret
        ("http://[::1]:4318", "http://[::1]:4318"),
        ("https://ann:p@ss/word@collector:4318", None),  # pragma: allowlist secret
        ("https://ann:12345#x@collector", None),  # pragma: allowlist secret
        ("https://ann:1/2?@collector", None),  # pragma: allowlist secret
        ("http://host:port", None),
        ("//host:1", None),
        ("", None),
    ],
)
def test_of_an_address_nothing_but_the_place_is_told(value, told):
    assert OPENLINEAGE.places({"OPENLINEAGE_URL": value}) == (() if told is None else (told,))


def test_every_place_that_signals_go_to_is_told_once():
    environ = {f"OTEL_EXPORTER_OTLP_{kind}ENDPOINT": f"http://{host}" for kind, host in PLACES}
    assert OTEL.places(environ) == ("http://one", "http://two")
