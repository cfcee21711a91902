"""What differs between two runs, told by their records."""

from __future__ import annotations

import json
import shutil

import pytest

from osiris_core.plugins.registry import Registry
from osiris_core.report.diff import compare_runs
from osiris_core.report.session import Session
from tests.run.workshop import PLUGIN, Workshop, numbers, sql, store


@pytest.fixture(scope="module")
def shop(tmp_path_factory, new_site):
    site = new_site()
    site.install("osiris-sample", {"sample": "osiris_sample"}, sources={"osiris_sample.py": PLUGIN.read_text()})
    return Workshop(tmp_path_factory.mktemp("project"), site)


def ran(shop, *steps, options=(), code=0):
    shop.write(*steps)
    done = shop.osiris("run", "p.yaml", *options)
    assert done.returncode == code, done.stderr
    return shop.records()[-1]


@pytest.fixture(scope="module")
def first(shop):
    return ran(shop, numbers(rows=3), sql("x", "SELECT id, id AS twin FROM numbers", ["numbers"]), store())


@pytest.fixture(scope="module")
def again(shop, first):
    return ran(
        shop,
        numbers(rows=3),
        sql("x", "SELECT id, id AS twin FROM numbers", ["numbers"]),
        store(),
        options=("--label", "why=again"),
    )


@pytest.fixture(scope="module")
def changed(shop, again):
    return ran(shop, numbers(rows=4), sql("y", "SELECT id, 'a' AS twin FROM numbers", ["numbers"]), store())


def told(before, after):
    found = compare_runs(Session(before), Session(after), registry=Registry())
    return found, {(one.step, one.what): (one.before, one.after) for one in found.differences if one.matters}


def test_the_same_again_is_equal(first, again):
    found, mattering = told(first, again)
    assert mattering == {}
    assert found.equal
    assert found.unknown == ()
    labels = [one for one in found.differences if one.what == "labels"]
    assert [(one.before, one.after, one.part) for one in labels] == [({}, {"why": "again"}, "circumstance")]


def test_what_was_changed_is_told(first, changed):
    found, mattering = told(first, changed)
    assert not found.equal
    assert mattering[None, "rows"] == (3, 4)
    assert mattering["numbers", "config.rows"] == (3, 4)
    assert mattering["numbers", "rows_written"] == (3, 4)
    assert mattering["x", "removed"] == ("duckdb.processor", None)
    assert mattering["y", "added"] == (None, "duckdb.processor")
    assert mattering["store", "needs"] == (["x"], ["y"])
    assert mattering["store", "rows_written"] == (3, 4)
    assert json.dumps([one.to_json() for one in found.differences])


def altered(folder, tmp_path, **files):
    """A copy of a record with lines of a file changed."""
    copy = shutil.copytree(folder, tmp_path / folder.name)
    for name, change in files.items():
        path = copy / {"events": "events.jsonl", "manifest": "manifest/manifest.yaml"}[name]
        path.write_text(change(path.read_text()))
    return copy


def test_schemas(first, tmp_path):
    def change(text):
        lines = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            if line["event"] == "step_schema" and line["step"] == "x":
                line["columns"] = [
                    {"name": "new", "type": "Utf8", "nullable": False},
                    {"name": "twin", "type": "Float64", "nullable": True},
                    {"name": "id", "type": "Int64", "nullable": True},
                ]
        return "".join(json.dumps(line) + "\n" for line in lines)

    _, mattering = told(first, altered(first, tmp_path, events=change))
    assert mattering["x", "column new"] == (None, "Utf8 not null")
    assert mattering["x", "column twin"] == ("Int64", "Float64")
    assert mattering["x", "order of columns"] == (["id", "twin"], ["twin", "id"])


def test_checksums_are_data(first, tmp_path):
    def with_sum(value):
        return lambda text: text.replace('"checksum":null', f'"checksum":"{value}"')

    one = altered(first, tmp_path / "one", events=with_sum("a"))
    two = altered(first, tmp_path / "two", events=with_sum("b"))
    assert Session(one).step("store").published["checksum"] == "a"
    assert told(one, two)[1] == {("store", "checksum"): ("a", "b")}
    # one that is known to one record only is no difference
    assert told(one, first)[1] == {}


def test_a_run_that_failed(shop, first):
    failed = ran(shop, numbers(rows=3, fault="driver"), store(), code=1)
    _, mattering = told(first, failed)
    assert mattering[None, "status"] == ("succeeded", "failed")
    assert mattering[None, "error"] == (None, "OSR-SAMPLE-001")
    assert mattering["numbers", "status"] == ("succeeded", "failed")


def test_what_a_record_does_not_say_is_named(first, tmp_path):
    copy = shutil.copytree(first, tmp_path / first.name)
    shutil.rmtree(copy / "manifest")
    found, mattering = told(first, copy)
    assert mattering == {}
    assert found.unknown == (f"{first.name}: the copy of the manifest is missing",)
    status = json.loads((copy / "status.json").read_text())
    (copy / "status.json").write_text(json.dumps(status | {"manifest_hash": "another"}))
    assert (None, "manifest_hash") in told(first, copy)[1]
