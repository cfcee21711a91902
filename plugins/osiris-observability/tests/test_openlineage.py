"""A run as OpenLineage events, each of which the genuine client's classes accept."""

from __future__ import annotations

import json
import uuid

import duckdb
import pytest

from osiris_observability.openlineage import run_id
from tests.servers.collectors import Answer
from tests.servers.openlineage import check
from tests.servers.ports import free_port

ABOVE = "airflow/nightly.shop/01920000-0000-7000-8000-000000000001"


@pytest.fixture(autouse=True)
def checked(collector):
    """Every event that came in any of these tests is one of the specification's."""
    yield
    for event in collector.lineage:
        check(event)


def told(collector):
    return [(event["eventType"], event["job"]["name"]) for event in collector.lineage]


def last(collector, job):
    return [event for event in collector.lineage if event["job"]["name"] == job][-1]


def test_the_pipeline_and_its_steps_are_runs_of_jobs(project, collector):
    done = project.run(OPENLINEAGE_URL=collector.url, OPENLINEAGE_NAMESPACE="shop-floor")
    assert done.status == 0, done.err
    assert told(collector)[0] == ("START", "shop")
    assert told(collector)[-1] == ("COMPLETE", "shop")
    assert sorted(told(collector)[1:-1]) == [
        *[("COMPLETE", f"shop.{step}") for step in ("dear", "load", "orders")],
        *[("START", f"shop.{step}") for step in ("dear", "load", "orders")],
    ]
    times = {line["event"]: line["ts"] for line in done.events("run_started", "run_finished")}
    first, *steps, final = collector.lineage
    assert (first["eventTime"], final["eventTime"]) == (times["run_started"], times["run_finished"])
    assert {event["job"]["namespace"] for event in collector.lineage} == {"shop-floor"}
    assert first["run"]["runId"] == final["run"]["runId"] == run_id(done.session)
    assert "parent" not in first["run"]["facets"]
    for event in steps:
        step = event["job"]["name"].removeprefix("shop.")
        assert event["run"]["runId"] == run_id(done.session, step)
        parent = event["run"]["facets"]["parent"]
        assert parent["run"]["runId"] == parent["root"]["run"]["runId"] == first["run"]["runId"]
        assert parent["job"]["name"] == parent["root"]["job"]["name"] == "shop"
    facets = final["job"]["facets"]
    assert facets["documentation"]["description"] == "What sells."
    assert [owner["name"] for owner in facets["ownership"]["owners"]] == ["team:sales"]
    assert facets["jobType"]["jobType"] == "PIPELINE"
    engine = final["run"]["facets"]["processing_engine"]
    assert (engine["name"], engine["version"]) == ("osiris", done.events("run_started")[0]["environment"]["osiris"])
    tags = {tag["key"]: tag["value"] for tag in final["run"]["facets"]["tags"]["tags"]}
    assert tags["osiris.session"] == done.session
    assert tags["osiris.manifest"] == done.outcome["manifest_hash"]


def test_lineage_goes_from_what_is_read_to_what_is_written(project, collector):
    done = project.run(OPENLINEAGE_URL=collector.url)
    source, target = str(project.folder / "data" / "orders.csv"), str(project.folder / "out" / "dear.parquet")
    event = last(collector, "shop.load")
    (read,), (written,) = event["inputs"], event["outputs"]
    assert (read["namespace"], read["name"]) == ("file", source)
    assert (written["namespace"], written["name"]) == ("file", target)
    assert [(field["name"], field["type"]) for field in read["facets"]["schema"]["fields"]] == [
        ("id", "Int64"),
        ("name", "Utf8"),
        ("price", "Float64"),
    ]
    assert [field["name"] for field in written["facets"]["schema"]["fields"]] == ["id", "name", "double"]
    assert read["facets"]["storage"]["fileFormat"] == "csv"
    assert written["facets"]["storage"]["fileFormat"] == "parquet"
    assert written["facets"]["lifecycleStateChange"]["lifecycleStateChange"] == "OVERWRITE"
    assert written["facets"]["dataSource"]["uri"] == f"file://{target}"
    statistics = read["inputFacets"]["inputStatistics"]
    size = (project.folder / "data" / "orders.csv").stat().st_size
    assert (statistics["rowCount"], statistics["size"], statistics["fileCount"]) == (3, size, 1)
    (published,) = done.events("write_published")
    statistics = written["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"]) == (2, published["bytes"])
    counted = {"id": 0, "name": 0, "price": 1}
    quality = read["inputFacets"]["dataQualityMetrics"]
    assert quality["rowCount"] == 3
    assert {name: column["nullCount"] for name, column in quality["columnMetrics"].items()} == counted
    (finished,) = [one for one in done.events("step_finished") if one["step"] == "dear"]
    quality = written["facets"]["dataQualityMetrics"]
    assert (quality["rowCount"], quality["bytes"]) == (2, finished["bytes"])
    assert set(quality["columnMetrics"]) == {"id", "name", "double"}
    sql = last(collector, "shop.dear")["job"]["facets"]["sql"]
    assert sql["query"].startswith("SELECT id, upper(name)")
    assert sql["dialect"] == "duckdb"
    assert last(collector, "shop.orders")["outputs"] == []


def test_columns_lead_to_the_columns_that_they_are_made_of(project, collector):
    project.run(OPENLINEAGE_URL=collector.url)
    source = {"namespace": "file", "name": str(project.folder / "data" / "orders.csv")}
    (written,) = last(collector, "shop.load")["outputs"]
    facet = written["facets"]["columnLineage"]

    def made(*transformations, field):
        parts = [dict(zip(("type", "subtype"), one.split(":"), strict=True)) for one in transformations]
        return {**source, "field": field, "transformations": parts}

    assert {name: field["inputFields"] for name, field in facet["fields"].items()} == {
        "id": [made("DIRECT:IDENTITY", field="id")],
        "name": [made("DIRECT:TRANSFORMATION", field="name")],
        "double": [made("DIRECT:TRANSFORMATION", field="price")],
    }
    assert facet["dataset"] == [made("INDIRECT:FILTER", field="price")]
    starts = [event for event in collector.lineage if event["eventType"] == "START"]
    assert all("columnLineage" not in output["facets"] for event in starts for output in event["outputs"])


def test_the_tables_of_a_query_are_inputs(project, collector):
    """A DuckDB file with two tables, which a query joins and another step reads by name."""
    with duckdb.connect(project.folder / "dw.duckdb") as database:
        database.execute("CREATE TABLE orders AS SELECT 1 AS id, 2 AS customer, 9.5 AS price")
        database.execute("CREATE SCHEMA crm; CREATE TABLE crm.customers AS SELECT 2 AS id, 'Ada' AS name")
    connections = {"version": 1, "connections": {"duckdb": {"dw": {"path": "dw.duckdb"}}}}
    (project.folder / "osiris_connections.yaml").write_text(json.dumps(connections))
    query = "SELECT c.name, o.price FROM orders o JOIN crm.customers c ON o.customer = c.id"
    of = {"component": "duckdb.extractor", "mode": "read"}
    target = {"component": "filesystem.csv_writer", "mode": "write"}
    project.write(
        [
            {"id": "joined", **of, "config": {"connection": "@duckdb.dw", "query": query}},
            {"id": "one", **target, "needs": ["joined"], "config": {"path": "out/one.csv"}},
            {"id": "plain", **of, "config": {"connection": "@duckdb.dw", "table": "orders"}},
            {"id": "two", **target, "needs": ["plain"], "config": {"path": "out/two.csv"}},
        ]
    )
    done = project.run(OPENLINEAGE_URL=collector.url, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/v1/traces")
    assert done.status == 0, done.err
    namespace = f"duckdb://{project.folder / 'dw.duckdb'}"

    def read(job):
        return sorted((one["namespace"], one["name"]) for one in last(collector, job)["inputs"])

    assert read("shop.one") == [(namespace, "crm.customers"), (namespace, "main.orders")]
    assert read("shop.two") == [(namespace, "main.orders")]
    (written,) = last(collector, "shop.one")["outputs"]
    fields = written["facets"]["columnLineage"]["fields"]
    assert [(one["name"], one["field"]) for one in fields["name"]["inputFields"]] == [("crm.customers", "name")]
    spans = {span.attributes.get("osiris.step.id"): span.attributes for span in collector.spans}
    assert spans["plain"]["db.system.name"] == spans["joined"]["db.system.name"] == "duckdb"
    assert spans["plain"]["db.collection.name"] == "orders"
    assert "db.collection.name" not in spans["joined"]


def test_a_failure_is_told_with_its_error(project, collector):
    project.write_failing()
    done = project.run(OPENLINEAGE_URL=collector.url)
    assert done.status == 1
    (failed,) = done.events("step_failed")
    ends = {event["job"]["name"]: event for event in collector.lineage if event["eventType"] != "START"}
    assert {name: event["eventType"] for name, event in ends.items()} == {
        "shop": "FAIL",
        "shop.orders": "FAIL",
        "shop.load": "ABORT",
    }
    for name in ("shop", "shop.orders"):
        facet = ends[name]["run"]["facets"]["errorMessage"]
        assert facet["message"] == f"{failed['code']}: {failed['message']}"
        assert facet["programmingLanguage"] == "PYTHON"
    assert "errorMessage" not in ends["shop.load"]["run"]["facets"]


def test_an_interrupted_run_is_aborted(project, collector):
    done = project.run(
        OPENLINEAGE_URL=collector.url, OSIRIS_TEST_FAILPOINTS="1", OSIRIS_FAILPOINT="before_publish@load:interrupt"
    )
    assert done.outcome["status"] == "interrupted"
    assert told(collector)[-1] == ("ABORT", "shop")


def test_a_retried_step_is_one_run(project, collector):
    done = project.run(OPENLINEAGE_URL=collector.url, OSIRIS_TEST_FAILPOINTS="1", OSIRIS_FAILPOINT="staged@load:retry")
    assert done.events("step_retried")
    assert len(told(collector)) == len(set(told(collector))) == 8


def test_an_isolated_run_tells_the_same(project, collector):
    project.run(OPENLINEAGE_URL=collector.url)
    plain = sorted(map(settled, collector.lineage))
    collector.lineage.clear()
    done = project.run("--isolate", "--fresh", OPENLINEAGE_URL=collector.url)
    assert done.status == 0, done.err
    assert sorted(map(settled, collector.lineage)) == plain


def settled(event):
    """An event without what differs between any two runs."""
    text = json.dumps({**event, "eventTime": None, "run": None}, sort_keys=True)
    return f"{event['eventType']} {sorted(event['run']['facets'])} {text}"


def test_what_a_scheduler_says_it_is_becomes_the_parent(project, collector):
    project.run(OPENLINEAGE_URL=collector.url, OPENLINEAGE_PARENT_ID=ABOVE)
    first, step = collector.lineage[:2]
    parent = first["run"]["facets"]["parent"]
    assert (parent["job"], parent["run"]) == (
        {"namespace": "airflow", "name": "nightly.shop", "facets": {}},
        {"runId": ABOVE.rpartition("/")[2], "facets": {}},
    )
    root = step["run"]["facets"]["parent"]["root"]
    assert root["job"]["name"] == "nightly.shop"
    assert step["run"]["facets"]["parent"]["job"]["name"] == "shop"


@pytest.mark.parametrize("above", ["", "no/run", "a/b/no-uuid"])
def test_a_parent_of_another_form_is_left_out(project, collector, above):
    done = project.run(OPENLINEAGE_URL=collector.url, OPENLINEAGE_PARENT_ID=above)
    assert done.events("observer_failed") == []
    assert "parent" not in collector.lineage[0]["run"]["facets"]


def test_the_clients_own_file_configures_it(project, collector):
    lines = project.folder / "lineage.jsonl"
    config = {"transport": {"type": "file", "log_file_path": str(lines), "append": True}}
    (project.folder / "openlineage.yml").write_text(json.dumps(config))
    done = project.run()
    assert done.status == 0, done.err
    events = [json.loads(line) for line in lines.read_text().splitlines()]
    assert len(events) == 8
    for event in events:
        check(event)


def test_the_console_is_the_runs_log(project):
    done = project.run("--json", OPENLINEAGE__TRANSPORT__TYPE="console")
    assert json.loads(done.out)["ok"] is True
    assert '"eventType": "COMPLETE"' in (done.record / "osiris.log").read_text()


def test_a_key_reaches_the_receiver_and_nothing_else(project, collector):
    """Nor does a token in the remote's address of a git repository, or what stands before the host of the receiver's."""
    key, token, word = "ol-made-up-key-1", "ghp-made-up-token-2", "made-up-word-3"  # pragma: allowlist secret
    git = project.folder / ".git"
    git.mkdir()
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "config").write_text(f'[remote "origin"]\n\turl = https://me:{token}@git.example/shop.git\n')
    variables = {"OPENLINEAGE_API_KEY": key, "OSIRIS_LOGGING_LEVEL": "debug"}
    hidden = collector.url.replace("http://", f"http://me:{word}@")
    nobody = f"http://me:{word}@127.0.0.1:{free_port()}"
    for url, limit in ((collector.url, "100"), (hidden, "100"), (nobody, "1")):
        done = project.run(OPENLINEAGE_URL=url, OSIRIS_OBSERVABILITY_TIMEOUT=limit, **variables)
        assert done.status == 0
        said = done.written + done.out + done.err
        for secret in (key, token, word):
            assert secret not in said
    assert len(collector.lineage) == 16
    assert token not in json.dumps(collector.lineage)
    assert {call.headers["authorization"] for call in collector.calls[:8]} == {f"Bearer {key}"}
    assert all(call.headers["authorization"].startswith("Basic ") for call in collector.calls[8:])


@pytest.mark.parametrize("fault", ["refused", "hanging", "broken", "missing"])
def test_a_receiver_that_fails_changes_nothing_and_is_said(project, collector, fault):
    url = collector.url
    match fault:
        case "refused":
            url = f"http://127.0.0.1:{free_port()}"
        case "hanging":
            collector.always(Answer(hangs=True))
        case "broken":
            collector.always(Answer(500))
        case "missing":
            collector.always(Answer(404))
    limit = "100" if fault == "missing" else "1"
    done = project.run("--json", OPENLINEAGE_URL=url, OSIRIS_OBSERVABILITY_TIMEOUT=limit)
    assert done.status == 0
    assert json.loads(done.out)["status"] == "succeeded"
    assert collector.lineage == []
    (failed,) = done.events("observer_failed")
    late = f"not everything could be sent in time to {url}"
    said = "8 events could not be sent: HTTPError: 404" if fault == "missing" else late
    assert f"OpenLineage: {said}" in failed["message"]
    assert "Traceback" not in done.err


def test_a_configuration_that_is_none_is_said(project):
    done = project.run(OPENLINEAGE__TRANSPORT__TYPE="pigeon")
    assert done.status == 0
    (failed,) = done.events("observer_failed")
    assert "OpenLineage" in failed["message"]
    assert "pigeon" in failed["message"]


def test_a_run_id_follows_from_the_session():
    session = "run_20261129T094638999652Z_e7a6d2ba"
    found = uuid.UUID(run_id(session))
    assert str(found) == run_id(session)
    assert found.version == 7
    assert found.int >> 80 == 1795945598999  # milliseconds of the session's time: runs sort by it
    others = {run_id(session), run_id(session, "a"), run_id(session, "b"), run_id(session.replace("e7", "e8"))}
    assert len(others) == 4
    assert uuid.UUID(run_id("whatever"))
