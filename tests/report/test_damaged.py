"""A record in whatever state: every command of ``osiris logs`` works and says what is known.

The commands run in this process, as somebody's program would call them.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import chdir
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from osiris_core.cli import osiris
from tests.run.workshop import PLUGIN, Workshop, numbers, sql, store

FILES = ("session.json", "status.json", "events.jsonl", "metrics.jsonl", "manifest/manifest.yaml", "osiris.log")
HOSTILE = "<b>\x1b[2J\u202e[bold]\ud800\0\n'\""
ACTING = ("\x1b", "\u202e")


@pytest.fixture(scope="module")
def sound(tmp_path_factory, new_site):
    """The record of a run; whoever damages one copies it."""
    site = new_site()
    site.install("osiris-sample", {"sample": "osiris_sample"}, sources={"osiris_sample.py": PLUGIN.read_text()})
    shop = Workshop(tmp_path_factory.mktemp("project"), site)
    shop.write(numbers(rows=3), sql("doubled", "SELECT id, id * 2 AS twice FROM numbers", ["numbers"]), store())
    done = shop.osiris("run", "p.yaml", "--label", "team=sales")
    assert done.returncode == 0, done.stderr
    return shop.records()[-1]


@pytest.fixture(scope="module")
def copies(sound, tmp_path_factory):
    """Makes logs folders with a sound record and a copy of it under another name, to be damaged."""

    def made():
        logs = tmp_path_factory.mktemp("logs")
        shutil.copytree(sound, logs / sound.name)
        other = f"run_20260101T000000000000Z_{'0' * 8}"
        return shutil.copytree(sound, logs / other)

    return made


def call(*arguments, code=0):
    done = CliRunner().invoke(osiris, ["logs", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == code, (arguments, done.output[-500:])
    assert "--json" in arguments or not any(sign in done.output for sign in ACTING)
    return done.stdout


def check(folder, sound):
    """Every command, over a logs folder with ``folder`` damaged and ``sound`` as it was."""
    project = folder.parent / "project"
    project.mkdir()
    with chdir(project):
        _check(folder, sound)


def _check(folder, sound):
    at = ("--logs", folder.parent)
    for _ in range(2):  # without an index, and with one
        listed = json.loads(call("list", "--json", *at))["sessions"]
        assert [one["session"] for one in listed] == [sound.name, folder.name]
        assert listed[0]["labels"] == {"team": "sales"}
    call("list", *at)
    shown = json.loads(call("show", folder.name, "--events", "--json", *at))
    assert shown["status"] == listed[1]["status"]
    call("show", folder.name, "--events", *at)
    call("tail", folder.name, *at)
    call("tail", folder.name, "--json", *at)
    for pair in ([folder.name, sound.name], [sound.name, folder.name]):
        found = json.loads(call("diff", *pair, "--json", *at))
        assert {one["session"] for one in (found["before"], found["after"])} == set(pair)
        call("diff", *pair, *at)
    bundle = Path("b.zip")
    call("bundle", folder.name, "--out", bundle, "--force", "--with-artifacts", *at)
    again = json.loads(call("show", "--bundle", bundle, "--json"))
    assert again["status"] == shown["status"]
    assert again["session"] == folder.name
    planned = json.loads(call("gc", "--days", "0", "--keep-last", "0", "--dry-run", "--json", *at))
    assert len(planned["removed"]) + sum(planned["kept"].values()) == 2
    json.loads(call("gc", "--days", "0", "--json", *at))
    left = {one["session"] for one in json.loads(call("list", "--json", *at))["sessions"]}
    assert left <= {sound.name, folder.name}
    assert left & {sound.name, folder.name}, "a success is left"


_junk = st.one_of(
    st.just(b""),
    st.binary(max_size=60),
    st.sampled_from([b"[1]", b"null", b"{}", b"[" * 5000, b'{"a":' * 90 + b"1" + b"}" * 90, b"\n{}\n", b"\xff\xfe"]),
)


@settings(max_examples=25, phases=[Phase.generate])
@given(name=st.sampled_from(FILES), keep=st.floats(0, 1), junk=_junk)
def test_cut_at_any_byte_and_followed_by_junk(sound, copies, name, keep, junk):
    folder = copies()
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(len(data) * keep)] + junk)
    check(folder, sound)


_wrong = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from([0, -1, 1 << 62, 1 << 80, 10**400, 1e308, "", HOSTILE, "x" * 5000]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["id", HOSTILE]), inner, max_size=2)
    ),
    max_leaves=4,
)


@pytest.mark.slow
# Not shrunk: an example takes a second, and what a hundred of them would make smaller is small.
@settings(max_examples=40, phases=[Phase.generate])
@given(data=st.data())
def test_wrong_types_anywhere(sound, copies, data):
    folder = copies()
    name = data.draw(st.sampled_from(FILES[:4]))
    path = folder / name
    documents = (
        [json.loads(line) for line in path.read_text().splitlines()]
        if "jsonl" in name
        else [json.loads(path.read_text())]
    )
    for document in documents:
        _spoil(document, data)
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    check(folder, sound)


def _spoil(document, data):
    """Replace some values of ``document``, and of what is in it."""
    places = [(document, key) for key in document]
    for value in document.values():
        inner = value if isinstance(value, list) else [value]
        places += [(one, key) for one in inner if isinstance(one, dict) for key in one]
    for holder, key in data.draw(st.lists(st.sampled_from(places), max_size=2)):
        holder[key] = data.draw(_wrong)


@pytest.mark.parametrize("name", FILES)
def test_something_else_in_the_place_of_a_file(sound, copies, name):
    for replace in (
        os.mkdir,
        os.mkfifo,
        lambda path: os.symlink("/dev/zero", path),
        lambda path: os.symlink(path, path),
    ):
        folder = copies()
        (folder / name).unlink()
        replace(folder / name)
        check(folder, sound)
