"""``osiris_core.api.Session``: a run's record as values, whatever has become of it."""

from __future__ import annotations

import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osiris_core import api
from osiris_core.api import InvalidInput, Session
from osiris_core.ids import new_session_id
from osiris_core.report.html import write_report
from tests.run.workshop import PLUGIN, Workshop, numbers, sql, store

FILES = ("session.json", "status.json", "events.jsonl", "metrics.jsonl", "manifest/manifest.yaml")
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202e & '\""


@pytest.fixture(scope="module")
def shop(tmp_path_factory, new_site):
    site = new_site()
    site.install("osiris-sample", {"sample": "osiris_sample"}, sources={"osiris_sample.py": PLUGIN.read_text()})
    return Workshop(tmp_path_factory.mktemp("project"), site)


@pytest.fixture(scope="module")
def sound(shop):
    """The record of a run; whoever damages one copies it."""
    shop.write(numbers(rows=3), sql("doubled", "SELECT id, id * 2 AS twice FROM numbers", ["numbers"]), store())
    done = shop.osiris("run", "p.yaml")
    assert done.returncode == 0, done.stderr
    return shop.records()[-1]


@pytest.fixture(scope="module")
def broken(shop):
    shop.write(numbers(fault="driver"), store(), name="broken")
    assert shop.osiris("run", "broken.yaml").returncode == 1
    return shop.records()[-1]


def test_what_the_how_to_shows(sound, broken, monkeypatch, capsys):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "read-a-run.md").read_text()
    sample = page.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(broken.parents[1])
    shown = {}
    exec(sample, shown)
    assert shown["run"].id == broken.name
    assert [one.id for one in shown["failed"]] == [broken.name]
    assert shown["slow"] == []
    assert "broken failed" in capsys.readouterr().out
    assert Session.last(pipeline="p").id == sound.name
    assert "Session" in dir(api)


def test_a_run_as_values(sound):
    session = Session(sound)
    assert (session.kind, session.status, session.pipeline, session.rows) == ("run", "succeeded", "p", 3)
    assert session.damage == ()
    assert [step.id for step in session.steps] == ["numbers", "doubled", "store"]
    doubled = session.step("doubled")
    assert doubled.needs == ("numbers",)
    assert doubled.sql == "SELECT id, id * 2 AS twice FROM numbers"
    assert [(column.name, column.type) for column in doubled.schema] == [("id", "Int64"), ("twice", "Int64")]
    assert (doubled.rows_read, doubled.rows) == (3, 3)
    assert doubled.started is not None
    assert 0 <= doubled.offset_ms <= session.duration_ms
    assert session.step("store").published["rows"] == 3
    assert session.step("store").schema is None
    assert session.manifest.name == "p"
    assert session.events[-1]["event"] == "run_finished"
    assert {line["metric"] for line in session.metrics} >= {"rows_read", "rows_written"}
    with pytest.raises(KeyError):
        session.step("none")


def test_a_run_that_failed(broken):
    session = Session(broken)
    assert session.status == "failed"
    assert session.error["code"] == session.step("numbers").error["code"] == "OSR-SAMPLE-001"
    assert session.step("store").rows in (None, 0)


def test_sessions_are_found(sound, broken, monkeypatch):
    logs = sound.parent
    assert [one.id for one in Session.all(logs=logs)] == [broken.name, sound.name]
    assert Session.last(logs=logs).id == broken.name
    assert Session.last(pipeline="p", logs=logs).id == sound.name
    assert Session.last(pipeline="none", logs=logs) is None
    assert Session.find(sound.name[-8:], logs=logs).id == sound.name
    with pytest.raises(InvalidInput, match="OSR-LOG-001"):
        Session.find("nothing", logs=logs)
    for nowhere in (logs, logs / "run_20990101T000000000000Z_00000009", logs / sound.name / "status.json"):
        with pytest.raises(InvalidInput, match="OSR-LOG-001"):
            Session(nowhere)
        with pytest.raises(InvalidInput, match="OSR-LOG-001"):
            write_report(nowhere)
    monkeypatch.chdir(sound)
    assert Session(".").id == Session("../" + sound.name).id == sound.name


def test_a_session_that_is_removed_meanwhile(sound, tmp_path):
    copies = [shutil.copytree(sound, tmp_path / new_session_id("run")) for _ in range(3)]
    everyone = Session.all(logs=tmp_path)
    assert next(everyone).id == copies[2].name
    shutil.rmtree(copies[1])
    assert [one.id for one in everyone] == [copies[0].name]


def test_artifacts(sound, tmp_path):
    folder = shutil.copytree(sound, tmp_path / sound.name)
    (folder / "artifacts" / "doubled").mkdir(parents=True)
    (folder / "artifacts" / "doubled" / "plan.txt").write_text("four")
    (folder / "artifacts" / "doubled" / "away").symlink_to("/etc/passwd")
    (found,) = Session(folder).artifacts
    assert (found.step, found.name, found.size) == ("doubled", "plan.txt", 4)


@given(
    name=st.sampled_from(FILES),
    keep=st.floats(min_value=0, max_value=1),
    junk=st.one_of(
        st.just(b""), st.binary(max_size=50), st.sampled_from([b"[1]", b'{"steps": [3, {"id": 4}]}', b"\n{}"])
    ),
)
def test_a_damaged_file_never_hides_the_rest(sound, tmp_path_factory, name, keep, junk):
    folder = shutil.copytree(sound, tmp_path_factory.mktemp("damaged") / sound.name)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(len(data) * keep)] + junk)
    session = Session(folder)
    assert {step.id for step in session.steps} >= {"numbers", "doubled", "store"}
    assert session._repr_html_()
    assert json.dumps([dict(event) for event in session.events])


@pytest.mark.parametrize("name", FILES)
def test_what_is_missing_is_said(sound, tmp_path, name):
    folder = shutil.copytree(sound, tmp_path / sound.name)
    (folder / name).unlink()
    session = Session(folder)
    assert [step.id for step in session.steps] == ["numbers", "doubled", "store"]
    if name == "status.json":  # the process that wrote it is gone
        assert session.status == "crashed"
    elif name != "session.json":  # status.json repeats what it says
        assert len(session.damage) == 1


def test_an_empty_folder(tmp_path):
    folder = tmp_path / new_session_id("run")
    folder.mkdir()
    session = Session(folder)
    assert (session.status, session.steps, session.events, session.artifacts) == ("damaged", (), (), ())
    assert len(session.damage) == 4
    assert "damaged" in repr(session)


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = set(), ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.text += data


def test_a_notebook_shows_text_and_nothing_else(sound, tmp_path):
    folder = shutil.copytree(sound, tmp_path / sound.name)
    status = json.loads((folder / "status.json").read_text())
    status |= {"pipeline": HOSTILE, "error": {"code": HOSTILE, "message": HOSTILE}}
    status["steps"].append({"id": HOSTILE, "component": HOSTILE})
    (folder / "status.json").write_text(json.dumps(status))
    reader = _Reader()
    reader.feed(Session(folder)._repr_html_())
    assert reader.tags == {"p", "strong", "br", "code", "table", "thead", "tbody", "tr", "th", "td"}
    assert "<script>alert(1)</script>\\x1b[2J\\u202e & '\"" in reader.text
    assert "\x1b" not in reader.text
