"""``osiris logs aiop``: packages of real runs, the command, and the export after a run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from pyld import jsonld

from osiris_core.api import Session
from osiris_core.redaction import Redactor
from osiris_core.report.aiop.package import Config, build
from osiris_core.report.aiop.published import SCHEMA_ID, context, schema
from tests.commands import COMMAND
from tests.report.test_aiop_cap import check
from tests.run.workshop import Workshop, numbers, remote_shop, sql, store

VOCABULARY = "osiris://vocab/aiop/1#"

__all__ = ["remote_shop"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory, new_site):
    from tests.run.workshop import PLUGIN

    site = new_site()
    site.install("osiris-sample", {"sample": "osiris_sample"}, sources={"osiris_sample.py": PLUGIN.read_text()})
    shop = Workshop(tmp_path_factory.mktemp("project"), site)
    shop.write(numbers(rows=3), sql("doubled", "SELECT id, id * 2 AS twice FROM numbers", ["numbers"]), store())
    assert shop.osiris("run", "p.yaml").returncode == 0
    assert shop.osiris("run", "p.yaml", "--fresh").returncode == 0
    shop.write(numbers(fault="driver"), store(), name="broken")
    assert shop.osiris("run", "broken.yaml").returncode == 1
    return shop


def record_of(shop, pipeline, at=-1):
    return [Session(path) for path in shop.records() if Session(path).pipeline == pipeline][at]


def package(shop, *arguments, env=None, code=0):
    done = shop.osiris("logs", "aiop", *arguments, env=env)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_what_is_published_is_what_packages_are():
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$id"] == SCHEMA_ID == schema()["properties"]["metadata"]["properties"]["schema"]["const"]
    here = files("osiris_core.report.aiop")
    assert {"context.json", "schema.json"} <= {path.name for path in here.iterdir()}
    assert context()["@vocab"].startswith("osiris://vocab/aiop/1")
    example = Path(__file__).parents[2] / "docs/assets/aiop/flights.json"
    jsonschema.validate(json.loads(example.read_text()), schema())


def test_a_run_that_succeeded(shop):
    record = record_of(shop, "p")
    document = package(shop, "--session", record.id)
    check(record, 300_000)
    assert document["@context"] == [context(), {"@base": f"osiris://run/{record.id}/"}]
    manifest_hash = record.record.manifest_hash
    assert document["evidence"]["run"]["pipeline"] == f"osiris://pipeline/p@{manifest_hash}"
    assert [step["rows_written"] for step in document["evidence"]["steps"]] == [3, 3, 3]
    doubled = document["semantic"]["steps"][1]
    assert doubled["@id"] == f"osiris://pipeline/p@{manifest_hash}/step/doubled"
    assert (doubled["sql"], doubled["needs"]) == ("SELECT id, id * 2 AS twice FROM numbers", ["step/numbers"])
    columns = {(one["step"], one["column"]): one for one in document["semantic"]["lineage"] if "column" in one}
    assert [source["column"] for source in columns["step/store", "twice"]["sources"]] == ["id"]
    assert {event["name"] for event in document["evidence"]["timeline"]} >= {"run_started", "write_published"}
    assert [
        item["columns"][1]["name"] for item in document["evidence"]["schemas"] if item["step"] == "step/doubled"
    ] == ["twice"]
    actions = {action["name"]: action for action in document["control"]["actions"]}
    assert actions["run-again"]["approval"] == "person"
    assert (actions["edit"]["command"][1], actions["edit"]["approval"]) == ("compile", "nobody")
    assert document["delta"]["previous"] == f"osiris://run/{record_of(shop, 'p', 0).id}"
    assert document["delta"]["first_run"] is False
    assert {change["what"] for change in document["delta"]["changes"]} <= {"duration_ms"}
    text = json.dumps(document)
    assert str(shop.folder) not in text
    assert document["metadata"]["complete"] is True


def test_a_run_that_failed(shop):
    record = record_of(shop, "broken", 0)
    document = check(record, 300_000)
    (error,) = document["evidence"]["errors"]
    assert (error["code"], error["step"]) == ("OSR-SAMPLE-001", "step/numbers")
    assert document["delta"]["first_run"] is True
    said = [one for one in document["narrative"]["sentences"] if one["cites"] == [error["@id"]]]
    assert "OSR-SAMPLE-001" in said[0]["text"]
    names = [action["name"] for action in document["control"]["actions"]]
    assert names[:2] == ["resume", "start-over"]
    for command in ("resume", "dry-run"):
        (action,) = (one for one in document["control"]["actions"] if one["name"] == command)
        arguments = [one.replace("{build}", "build") for one in action["command"][1:]]
        assert shop.osiris(*arguments).returncode == 0  # the fault passes; what is offered can be done


def test_a_run_that_was_killed_and_one_that_was_interrupted(remote_shop):
    shop = remote_shop
    shop.write(numbers(wait_for="never"), store(), name="long")
    for signal, status in (("kill", "crashed"), ("terminate", "interrupted")):
        process = shop.start("run", "long.yaml")
        shop.await_call("numbers", "run")
        getattr(process, signal)()
        process.communicate(timeout=60)
        record = record_of(shop, "long")
        document = check(record, 20_000)
        assert document["evidence"]["run"]["status"] == status
        assert "resume" in [action["name"] for action in document["control"]["actions"]]
        if status == "crashed":
            assert any(one["text"].startswith("The last event") for one in document["narrative"]["sentences"])
        (shop.folder / "calls.jsonl").unlink()


@pytest.mark.parametrize(
    "name", ["session.json", "status.json", "events.jsonl", "metrics.jsonl", "manifest/manifest.yaml"]
)
@pytest.mark.parametrize("content", [None, b"", b'{"steps": [3, {"id": 4}], "status": [', b"\xff\x00\n[1]\n{}\n"])
def test_damage_is_told_and_the_rest_is_there(shop, tmp_path, name, content):
    source = record_of(shop, "p").path
    folder = shutil.copytree(source, tmp_path / source.name)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    session = Session(folder)
    document = check(session, 60_000)
    assert [one["text"] for one in document["evidence"]["damage"]] == list(session.damage)
    assert len(document["evidence"]["steps"]) >= 3


def test_the_same_record_gives_the_same_bytes(shop, tmp_path):
    """Another process, hash seed, folder, time zone, locale."""
    record = record_of(shop, "p")
    digests = set()
    for seed, zone, cwd in (("1", "UTC", shop.folder), ("77", "Asia/Kathmandu", shop.folder / "logs")):
        environment = {**os.environ, "PYTHONPATH": str(shop.site.folder), "PYTHONHASHSEED": seed, "TZ": zone}
        environment["LC_ALL"] = "C" if seed == "1" else "C.UTF-8"
        for form in ("json", "md"):
            arguments = ["logs", "aiop", "--session", record.id, "--format", form]
            done = subprocess.run([*COMMAND, *arguments], env=environment, cwd=cwd, capture_output=True, timeout=60)
            assert done.returncode == 0, done.stderr
            digests.add((form, hashlib.sha256(done.stdout).hexdigest()))
    assert len(digests) == 2
    out = tmp_path / "deep" / "p.json"
    assert shop.osiris("logs", "aiop", "--session", record.id, "--out", out).returncode == 0
    assert ("json", hashlib.sha256(out.read_bytes()).hexdigest()) in digests


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 0, ""),
        (("--last",), 0, ""),
        (("--format", "md"), 0, ""),
        (("--max-core-bytes", "4096"), 4, "cut: "),
        (("--max-core-bytes", "4096", "--format", "md"), 4, "cut: "),
        (("--max-core-bytes", "4095"), 2, "OSR-SET-001"),
        (("--session", "nothing"), 2, "OSR-LOG-001"),
        (("--session", "run_", "--last"), 2, "OSR-AIO-003"),
        (("--policy", "annex"), 2, "OSR-AIO-003"),
        (("--format", "md", "--json"), 2, ""),
        (("--format", "pdf"), 2, "json"),
        (("--logs", "elsewhere"), 2, "does not exist"),
        (("--out", "osiris.yaml/x.json"), 1, "OSR-AIO-001"),
        (("--policy", "annex", "--out", "osiris.yaml/x.json"), 1, "OSR-AIO-002"),
    ],
)
def test_exit_statuses(shop, arguments, code, said):
    done = shop.osiris("logs", "aiop", *arguments)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
    if code == 4:
        assert len(done.stdout.encode()) <= 4096


def test_the_annex_has_every_line(shop, tmp_path):
    record = record_of(shop, "p")
    out = tmp_path / "p.json"
    done = shop.osiris("logs", "aiop", "--session", record.id, "--policy", "annex", "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_bytes())
    assert json.loads(done.stdout)["annex"] == document["metadata"]["annex"]
    lines = {}
    for shard in document["metadata"]["annex"]:
        data = (tmp_path / "p.json.annex" / shard["name"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (shard["sha256"], shard["bytes"])
        lines[shard["name"]] = [json.loads(line) for line in data.splitlines()]
    assert lines["events-0001.ndjson"] == document["evidence"]["timeline"]
    assert len(lines["metrics-0001.ndjson"]) == len(record.metrics)
    events = [json.dumps({"event": "note", "text": f"{n} {'x' * 1000}"}) + "\n" for n in range(5000)]
    (record.path / "events.jsonl").write_text("".join(events))
    env = {"OSIRIS_AIOP_MAX_ANNEX_BYTES": "5000000"}
    done = shop.osiris("logs", "aiop", "--session", record.id, "--policy", "annex", "--out", out, env=env)
    assert done.returncode == 4
    document = json.loads(out.read_bytes())
    assert sum(shard["bytes"] for shard in document["metadata"]["annex"]) <= 5_000_000
    assert len([shard for shard in document["metadata"]["annex"] if shard["name"].startswith("events")]) == 2
    (cut,) = (one for one in document["metadata"]["cuts"] if one["section"] == "annex.events")
    assert 4000 < cut["kept"] < cut["of"] == 5000
    jsonschema.validate(document, schema())
    assert {path.name for path in (tmp_path / "p.json.annex").iterdir()} == {
        shard["name"] for shard in document["metadata"]["annex"]
    }


@pytest.mark.parametrize(
    ("yaml", "env", "option", "value", "origin"),
    [
        (None, None, None, 300_000, "default"),
        (200_000, None, None, 200_000, "file osiris.yaml:3"),
        (200_000, 150_000, None, 150_000, "env:OSIRIS_AIOP_MAX_CORE_BYTES"),
        (200_000, 150_000, 100_000, 100_000, "cli"),
        (None, None, 100_000, 100_000, "cli"),
    ],
)
def test_where_a_setting_comes_from(remote_shop, yaml, env, option, value, origin):
    shop = remote_shop
    if yaml:
        (shop.folder / "osiris.yaml").write_text(f"run: {{jobs: 2}}\naiop:\n  max_core_bytes: {yaml}\n")
    shop.write(numbers(rows=3), store())
    assert shop.osiris("run", "p.yaml").returncode == 0
    env = {"OSIRIS_AIOP_MAX_CORE_BYTES": str(env)} if env else {}
    document = package(shop, *(("--max-core-bytes", str(option)) if option else ()), env=env)
    config = {one["name"]: one for one in document["metadata"]["config"]}
    assert config["aiop.max_core_bytes"] == {"name": "aiop.max_core_bytes", "value": value, "origin": origin}
    assert config["aiop.policy"]["origin"] == "default"
    if option is None:
        shown = shop.osiris("config", "show", "aiop.max_core_bytes", "--origin", env=env).stdout.splitlines()[1]
        assert shown.split("\t")[1:3] == [str(value), origin]


@pytest.mark.parametrize(
    ("auto", "fault", "there"),
    [
        (None, None, False),
        (None, "driver", False),
        ("failed", None, False),
        ("failed", "driver", True),
        ("always", None, True),
        ("always", "driver", True),
    ],
)
def test_after_a_run(remote_shop, auto, fault, there):
    shop = remote_shop
    shop.write(numbers(rows=3, **({"fault": fault} if fault else {})), store())
    done = shop.osiris("run", "p.yaml", "--json", env={"OSIRIS_AIOP_AUTO": auto} if auto else {})
    assert done.returncode == (1 if fault else 0)
    record = record_of(shop, "p")
    assert json.loads(done.stdout)["session"] == record.id
    path = record.path / "aiop.json"
    assert path.exists() is there is ("package: " in done.stderr)
    if there:
        made = json.loads(path.read_bytes())
        jsonschema.validate(made, schema())
        assert made["evidence"]["run"]["status"] == record.status


@pytest.mark.parametrize("fault", [None, "driver"])
def test_a_package_that_cannot_be_written_changes_nothing(remote_shop, fault):
    shop = remote_shop
    shop.write(numbers(rows=3, **({"fault": fault} if fault else {})), store())
    env = {"OSIRIS_AIOP_AUTO": "always", "OSIRIS_AIOP_DIR": "p.yaml"}
    done = shop.osiris("run", "p.yaml", "--json", env=env)
    assert done.returncode == (1 if fault else 0)
    assert json.loads(done.stdout)["status"] == ("failed" if fault else "succeeded")
    assert "note: the run was not packed (aiop.auto): the package cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_package_of_a_pipeline_that_changed(remote_shop):
    shop = remote_shop
    shop.write(numbers(rows=3), store())
    assert shop.osiris("run", "p.yaml").returncode == 0
    shop.write(numbers(rows=5), sql("more", "SELECT id, 'x' AS label FROM numbers", ["numbers"]), store())
    assert shop.osiris("run", "p.yaml").returncode == 0
    document = package(shop)
    changes = {(one["what"], one["step"]): (one["before"], one["after"]) for one in document["delta"]["changes"]}
    assert changes["rows", None] == (3, 5)
    assert changes["added", "step/more"] == (None, "duckdb.processor")
    assert changes["rows_written", "step/numbers"] == (3, 5)
    assert ("manifest_hash", None) in changes
    # As `osiris logs diff` has them.
    runs = [record_of(shop, "p", 0).id, record_of(shop, "p", 1).id]
    told = json.loads(shop.osiris("logs", "diff", *runs, "--json").stdout)["differences"]
    told = {
        (one["what"], one["step"] and f"step/{one['step']}") for one in told if one["part"] in ("run", "step", "data")
    }
    assert told <= set(changes)
    cited = {cite for one in document["narrative"]["sentences"] for cite in one["cites"]}
    assert {one["@id"] for one in document["delta"]["changes"]} <= cited


def test_packing_changes_nothing_in_the_record(shop):
    record = record_of(shop, "broken")
    before = {path: path.read_bytes() for path in record.path.rglob("*") if path.is_file()}
    build(record, Config(), redactor=Redactor())
    assert {path: path.read_bytes() for path in record.path.rglob("*") if path.is_file()} == before


def test_a_processor_of_linked_data_reads_all_of_it_and_fetches_nothing(shop):
    """By one that is not ours: nothing is lost on the way, and what is cited is there under the same id."""

    def refuse(url, _options):
        raise AssertionError(f"{url} was to be fetched")

    made = package(shop, "--session", record_of(shop, "broken").id)
    plain = {name: value for name, value in made.items() if name != "@context"}
    expanded = jsonld.expand(made, {"documentLoader": refuse})
    named = set(_keys(expanded))
    assert {key for key in _keys(plain) if not key.startswith("@")} <= {one.rpartition("#")[2] for one in named}
    found = jsonld.flatten(expanded)
    ids = {node["@id"] for node in found}
    cited = [one["@id"] for node in found for one in node.get(f"{VOCABULARY}cites", ())]
    assert cited
    assert set(cited) <= ids
    assert len(jsonld.to_rdf(expanded)["@default"]) > 100


def _keys(value):
    """The keys of all objects in ``value`` that hold something."""
    if isinstance(value, dict):
        for key, held in value.items():
            if held is not None:
                yield key
            yield from _keys(held)
    elif isinstance(value, list):
        for one in value:
            yield from _keys(one)
