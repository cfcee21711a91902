"""The build folder: whole or absent, the same bytes, and proof against hands that edit it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from osiris_core.compile.build import is_manifest_file, latest, place_build, read_manifest, write_build
from osiris_core.errors import InvalidInput, RunFailed


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def manifest(shop):
    return shop.compile()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "build"


def test_what_it_writes(manifest, folder):
    path = write_build(manifest, folder)
    short = manifest.hash[:12]
    assert path == folder / "orders" / short / "manifest.yaml"
    assert set(tree(folder)) == {
        "orders/LATEST",
        f"orders/{short}/manifest.yaml",
        f"orders/{short}/fingerprints.json",
        f"orders/{short}/cfg/read.json",
        f"orders/{short}/cfg/rank.json",
        f"orders/{short}/cfg/store.json",
    }
    assert (folder / "orders" / "LATEST").read_text() == f"{short}\n"
    fingerprints = json.loads((path.parent / "fingerprints.json").read_text())
    assert fingerprints["manifest"] == manifest.hash
    assert fingerprints["parts"] == dict(manifest.fingerprints)
    assert set(fingerprints["steps"]) == {"read", "rank", "store"}
    assert json.loads((path.parent / "cfg" / "store.json").read_text())["config"]["table"] == "big_orders"


def test_reading_back(manifest, folder):
    path = write_build(manifest, folder)
    assert read_manifest(path) == manifest
    assert read_manifest(path.parent) == manifest
    assert read_manifest(folder / "orders") == manifest
    assert latest(folder, "orders") == path


def test_the_pointer_to_the_last_build_stands_for_it(manifest, folder, monkeypatch):
    write_build(manifest, folder)
    pointer = folder / "orders" / "LATEST"
    assert is_manifest_file(pointer)
    assert read_manifest(pointer, shown="build/orders/LATEST") == manifest
    monkeypatch.chdir(pointer.parent)
    assert read_manifest(Path("LATEST")) == manifest


def test_again_changes_nothing_and_what_was_edited_is_restored(manifest, folder):
    first = place_build(manifest, folder)
    before = tree(folder)
    assert first.changed
    assert not place_build(manifest, folder).changed
    (first.path.parent / "cfg" / "read.json").write_text("{}")
    (first.path.parent / "foreign").mkdir()
    (first.path.parent / "foreign" / "file").write_text("x")
    assert place_build(manifest, folder).changed
    assert tree(folder) == before
    assert [path.name for path in (folder / "orders").iterdir()].count("LATEST") == 1
    assert len(list((folder / "orders").iterdir())) == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("table: big_orders", "table: customers"),
        ('path: "${DB}"', "path: other.duckdb"),
        ("      least: 0.5", "      least: 0.4"),
        ("mode: append", "mode: replace"),
    ],
)
def test_tampering_is_refused(manifest, folder, old, new):
    path = write_build(manifest, folder)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InvalidInput) as raised:
        read_manifest(path)
    assert raised.value.code == "OSR-CMP-003"
    assert raised.value.where == str(path)
    assert "compile it again" in raised.value.hint


def test_comments_and_layout_of_a_manifest_are_not_tampering(manifest, folder):
    path = write_build(manifest, folder)
    path.write_text("# reviewed\n" + path.read_text().replace("name: orders", "name:   'orders'"))
    assert read_manifest(path) == manifest


def test_no_build(folder):
    with pytest.raises(InvalidInput, match="there is no build of 'orders'"):
        latest(folder, "orders")
    (folder / "orders").mkdir(parents=True)
    (folder / "orders" / "LATEST").write_text("../../etc\n")
    with pytest.raises(InvalidInput, match="LATEST does not name a build"):
        latest(folder, "orders")
    with pytest.raises(InvalidInput) as raised:
        read_manifest(folder / "missing" / "manifest.yaml")
    assert raised.value.code == "OSR-YAML-014"


def test_what_a_killed_compile_left_is_removed(manifest, folder):
    write_build(manifest, folder)
    before = tree(folder)
    (folder / "orders" / ".staging-00").mkdir()
    (folder / "orders" / ".staging-00" / "manifest.yaml").write_text("half")
    (folder / "orders" / ".staging-01").write_text("half")
    write_build(manifest, folder)
    assert tree(folder) == before


def test_a_folder_that_cannot_be_written(manifest, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFailed) as raised:
        write_build(manifest, tmp_path / "file")
    assert raised.value.code == "OSR-CMP-005"


def test_telling_a_manifest_from_a_pipeline(shop, manifest, folder):
    path = write_build(manifest, folder)
    renamed = path.rename(path.with_name("m.yaml"))
    assert is_manifest_file(renamed)
    assert is_manifest_file(renamed.parent)
    assert not is_manifest_file(shop.file)
    assert not is_manifest_file(folder / "absent.yaml")
