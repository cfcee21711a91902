"""What is kept of a discovery, and when it counts."""

from __future__ import annotations

import json
import os
import stat
import time

import pytest


def age(shop, seconds):
    """Make every entry older."""
    for path in shop.cache.glob("*.json"):
        document = json.loads(path.read_text())
        document["made"] -= seconds
        path.write_text(json.dumps(document))


@pytest.fixture
def stocked(shop):
    shop.sql("CREATE TABLE t AS SELECT i, i % 2 AS k FROM range(10) r(i)")
    return shop


def test_the_second_look_is_the_first_ones(stocked):
    first = stocked.found("--profile")
    second = stocked.found("--profile")
    assert (first["cached"], second["cached"]) == (False, True)
    assert [one["profile_cached"] for one in second["tables"]] == [True]
    for document in (first, second):
        del document["cached"], document["tables"][0]["profile_cached"]
    assert first == second
    assert "as found at" in stocked.run("@duckdb.shop").output


def test_the_fingerprint_is_compared_before_anything_is_opened(stocked):
    """Bytes that are no database, under the old file's size and time: whoever opened it would say so."""
    first = stocked.found("--profile")
    before = stocked.file.stat()
    stocked.file.write_bytes(b"x" * before.st_size)
    os.utime(stocked.file, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = stocked.found("--profile")
    assert second["cached"] is True
    assert second["tables"][0]["profile"] == first["tables"][0]["profile"]
    assert stocked.found("--refresh", code=5)["error"]["code"] == "OSR-DUCKDB-021"


def test_a_schema_that_changes_makes_it_stale(stocked):
    first = stocked.found("--profile")
    stocked.sql("ALTER TABLE t ADD COLUMN new INTEGER")
    second = stocked.found("--profile")
    assert second["cached"] is False
    assert [column["name"] for column in second["tables"][0]["columns"]] == ["i", "k", "new"]
    assert [column["name"] for column in second["tables"][0]["profile"]["columns"]] == ["i", "k", "new"]
    assert second["fingerprint"] != first["fingerprint"]
    assert second["key"] == first["key"]  # the entry is replaced, not added to
    assert stocked.found("--profile")["cached"] is True


def test_age_and_refresh(stocked):
    stocked.found("--profile")
    age(stocked, 1000)
    assert stocked.found("--max-age", "2000")["cached"] is True
    assert stocked.found("--max-age", "500", "--profile")["tables"][0]["profile_cached"] is False
    assert stocked.found()["cached"] is True
    assert stocked.found("--max-age", "0")["cached"] is False
    assert stocked.found("--refresh")["cached"] is False
    age(stocked, -1_000_000)  # made in the future: a clock has been set back
    assert stocked.found()["cached"] is False
    age(stocked, 90_000)
    assert stocked.found()["cached"] is False


def test_what_the_key_depends_on(stocked):
    key = stocked.found()["key"]
    assert len(key) == 64
    (stocked.folder / "copy.duckdb").write_bytes(stocked.file.read_bytes())
    stocked.connections("duckdb: {shop: {path: copy.duckdb}, other: {path: shop.duckdb}}")
    other_path, other_alias = stocked.found(), stocked.found("@duckdb.other")
    assert len({key, other_path["key"], other_alias["key"]}) == 3
    assert (other_path["cached"], other_alias["cached"]) == (False, False)


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": 1}',
        lambda document: {**document, "format": 2},
        lambda document: {**document, "value": 5},
        lambda document: {**document, "value": [{"name": 7}]},
        lambda document: {**document, "made": "today"},
        lambda document: {**document, "key": "0" * 64},
    ],
)
def test_an_entry_that_is_damaged_is_ignored_and_written_anew(stocked, damage):
    first = stocked.found()
    path = stocked.cache / f"{first['key']}.json"
    good = json.loads(path.read_text())
    path.write_bytes(damage if isinstance(damage, bytes) else json.dumps(damage(good)).encode())
    second = stocked.found()
    assert second["cached"] is False
    assert second["tables"] == first["tables"]
    assert json.loads(path.read_text())["value"] == good["value"]
    assert stocked.found()["cached"] is True


def test_entries_are_for_their_owner_and_not_for_version_control(stocked):
    stocked.found("--profile")
    assert stat.S_IMODE(stocked.cache.stat().st_mode) == 0o700
    paths = list(stocked.cache.glob("*.json"))
    assert len(paths) == 3  # the tables, a profile, the relations
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert (stocked.cache / ".gitignore").read_text() == "*\n"
    assert not list(stocked.cache.glob(".new-*"))


def test_a_folder_that_cannot_be_written_is_a_note_and_no_failure(stocked):
    (stocked.folder / ".osiris").write_text("in the way")
    found = stocked.found()
    assert [one["name"] for one in found["tables"]] == ["t"]
    (note,) = found["notes"]
    assert "cannot be kept" in note


def test_old_entries_go(stocked):
    stocked.found()
    for number in range(600):
        path = stocked.cache / f"{number:064x}.json"
        path.write_text("{}")
        os.utime(path, (time.time() - 1000, time.time() - 1000 + number))
    stocked.found("--refresh")
    assert len(list(stocked.cache.glob("*.json"))) == 500
    assert stocked.found()["cached"] is True
