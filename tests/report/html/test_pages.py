"""Pages as files: which bytes, from which records, where."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osiris_core.api import InvalidInput
from osiris_core.ids import new_session_id
from osiris_core.report.html import graph, sql, write_index, write_report
from osiris_core.report.html.text import MAX_TEXT, duration, embedded, moment, pairs, plain, rate, shown
from osiris_core.run.process import this_process
from tests.report.html import records
from tests.run.workshop import PLUGIN, Workshop, numbers, store

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory, new_site):
    site = new_site()
    site.install("osiris-sample", {"sample": "osiris_sample"}, sources={"osiris_sample.py": PLUGIN.read_text()})
    shop = Workshop(tmp_path_factory.mktemp("project"), site)
    shop.write(numbers(rows=3), store())
    return shop


@pytest.fixture(scope="module")
def sound(shop):
    done = shop.osiris("run", "p.yaml")
    assert done.returncode == 0, done.stderr
    return shop.records()[-1]


def test_one_record_gives_one_page(sound, tmp_path):
    before = {path: path.read_bytes() for path in sound.rglob("*") if path.is_file()}
    page = write_report(sound)
    assert page == sound / "report.html"
    assert {path: path.read_bytes() for path in sound.rglob("*") if path.is_file()} == {
        **before,
        page: page.read_bytes(),
    }
    moved = shutil.copytree(sound, tmp_path / sound.name)
    program = "import sys, pathlib; from osiris_core.report.html import write_report as w; w(pathlib.Path(sys.argv[1]))"
    environ = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", program, moved], env=environ, check=True)
    assert (moved / "report.html").read_bytes() == page.read_bytes()


def test_a_page_needs_nothing_else(sound):
    text = write_report(sound).read_text(encoding="utf-8")
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", text.replace("http://www.w3.org/2000/svg", ""))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#39;", "'")
    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}='; "
        r"base-uri 'none'; form-action 'none'",
        policy,
    )
    assert "unsafe" not in policy


def test_a_session_that_runs_is_written_elsewhere_only(tmp_path):
    mark = this_process()
    process = {"pid": mark.pid, "started": mark.started, "host": mark.host}
    folder = records.write(tmp_path, [(1, "run_started", {"pipeline": "p"})], opening={"process": process})
    with pytest.raises(InvalidInput, match="OSR-LOG-030") as caught:
        write_report(folder)
    assert f"osiris logs html {folder.name} --out" in caught.value.hint
    assert not (folder / "report.html").exists()
    page = write_report(folder, tmp_path / "now.html")
    assert "The run was under way when this page was written." in page.read_text()


def test_every_kind_of_session(tmp_path):
    events = [
        (1, "chat.state", {"to": "greet"}),
        (2, "chat.state", {"to": "done"}),
        (9, "chat.drafted", {"pipeline": "p"}),
    ]
    chat = records.write(tmp_path, events, status={"status": "succeeded", "duration_ms": 10}, kind="chat")
    text = write_report(chat).read_text()
    assert '<code>chat.state</code></td><td class="n">2</td>' in text
    assert "The record has no events." not in text
    assert 'id="steps"' not in text
    empty = tmp_path / new_session_id("run")
    empty.mkdir()
    text = write_report(empty).read_text()
    assert "session.json is missing or damaged" in text
    assert "The record has no events." in text


@given(
    name=st.sampled_from(("session.json", "status.json", "events.jsonl", "metrics.jsonl", "manifest/manifest.yaml")),
    keep=st.floats(min_value=0, max_value=1),
    junk=st.one_of(st.binary(max_size=50), JSON.map(lambda value: json.dumps(value).encode())),
)
def test_a_damaged_record_still_gives_a_page(sound, tmp_path_factory, name, keep, junk):
    folder = shutil.copytree(sound, tmp_path_factory.mktemp("damaged") / sound.name)
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(len(data) * keep)] + junk)
    text = write_report(folder).read_text(encoding="utf-8")
    assert text.count("<script") == 2
    assert all(f">{step}<" in text for step in ("numbers", "store"))


EVENT = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            "ts",
            "seq",
            "step",
            "code",
            "message",
            "hint",
            "columns",
            "environment",
            "files",
            "clean",
            "details",
            "basis",
            "rows",
            "metric",
        ),
        JSON,
    )
    | {
        "event": st.sampled_from(
            [
                "run_started",
                "step_started",
                "step_schema",
                "step_failed",
                "step_retried",
                "write_published",
                "write_aborted",
                "files_read",
                "columns_observed",
                "isolation_applied",
                "type_lost",
                "step_finished",
            ]
        )
        | JSON
    },
)


@settings(max_examples=50)
@given(
    lines=st.lists(EVENT | JSON, max_size=8),
    status=JSON | st.dictionaries(st.sampled_from(["error", "steps", "rows"]), JSON),
)
def test_no_event_and_no_status_breaks_a_page(tmp_path_factory, lines, status):
    folder = records.write(tmp_path_factory.mktemp("made"), [], status=status)
    (folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = write_report(folder).read_text(encoding="utf-8")
    assert text.count("<script") == 2
    json.loads(re.search(r'id="event-data">(.*?)</script>', text, re.DOTALL)[1])
    write_index(folder.parent)


def test_a_record_too_large_for_a_page_says_what_is_left_out(tmp_path, monkeypatch):
    for module in ("events", "report"):
        monkeypatch.setattr(f"osiris_core.report.html.{module}.MAX_EVENTS", 10)
    for module in ("steps", "report"):
        monkeypatch.setattr(f"osiris_core.report.html.{module}.MAX_STEPS", 2)
    monkeypatch.setattr("osiris_core.report.html.events._MAX_CHARACTERS", 200)
    text = write_report(records.huge(tmp_path, events=100)).read_text()
    assert "of 100 events, the first and the last 5 are shown" in text
    assert "of 20 steps, the first 2 are shown" in text
    data = json.loads(re.search(r'id="event-data">(.*?)</script>', text, re.DOTALL)[1])
    assert [line[0] for line in data] == [1, 2, 3, 4, 5, 96, 97, 98, 99, 100]
    left_out = sum(line[5] is None for line in data)
    assert 0 < left_out < 10
    assert f"the fields of {left_out} events are left out" in text


def test_start_up_is_what_was_measured_or_else_when_the_first_step_began(tmp_path):
    folder = records.failed(tmp_path)
    assert "<dt>Start-up</dt><dd>240 ms</dd>" in write_report(folder).read_text()
    (folder / "metrics.jsonl").write_text('{"metric": "bootstrap", "value": 1810, "unit": "ms"}\n')
    assert "<dt>Start-up</dt><dd>1.81 s</dd>" in write_report(folder).read_text()


def test_the_page_over_sessions(tmp_path):
    shown_page = write_report(records.failed(tmp_path))
    records.crashed(tmp_path)
    page = write_index(tmp_path)
    assert page == tmp_path / "index.html"
    data = json.loads(re.search(r'id="session-data">(.*?)</script>', page.read_text(), re.DOTALL)[1])
    assert [(line[0], line[2], line[9]) for line in data] == [
        (records.session_name(number=3), "crashed", False),
        (shown_page.parent.name, "failed", True),
    ]
    assert data[1][8] == "OSR-MYSQL-004: the server closed the connection"
    assert page.read_bytes() == write_index(tmp_path).read_bytes()
    elsewhere = write_index(tmp_path, tmp_path / "sub.html").read_text()
    assert json.loads(re.search(r'id="session-data">(.*?)</script>', elsewhere, re.DOTALL)[1])[1][9] is False
    (tmp_path / "none").mkdir()
    assert "There is no session yet." in write_index(tmp_path / "none").read_text()


# --- the pieces ------------------------------------------------------------------------------------------------------


@given(JSON)
def test_embedded_data_cannot_leave_its_element(value):
    data = plain(value)
    text = embedded(data)
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == data


def test_text_is_cut_with_a_mark():
    assert shown("x" * MAX_TEXT) == "x" * MAX_TEXT
    assert shown("x" * (MAX_TEXT + 1)) == "x" * MAX_TEXT + "… [cut: 2,001 characters]"
    assert plain([0] * 1001)[-1] == "… [cut: 1,001 items]"
    assert plain({str(n): n for n in range(1001)})["…"] == "[cut: 1,001 keys]"
    assert plain(2**53) == "9007199254740992"
    assert plain(float("inf")) == "inf"
    assert list(pairs({"a": {"b": [{"c": 1}, {"d": None}], "e": ["x", "y"]}})) == [
        ("a.b[0].c", "1"),
        ("a.b[1].d", "null"),
        ("a.e", "x, y"),
    ]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (999, "999 ms"),
        (4910, "4.91 s"),
        (59_940, "59.9 s"),
        (75_000, "1 min 15 s"),
        (7_500_000, "2 h 05 min"),
        (360_000_000, "100 h 00 min"),
    ],
)
def test_durations(milliseconds, text):
    assert duration(milliseconds) == text


def test_rates_and_times():
    assert [rate(value) for value in (None, 7.4, 1234.0, 107_215, 5e6, 7e12)] == [
        *("–", "7 rows/s", "1.2 K rows/s", "107 K rows/s", "5.0 M rows/s", "7,000 G rows/s")
    ]
    assert moment("2026-11-29T09:32:15.159Z") == "2026-11-29 09:32:15 UTC"
    assert moment("soon") == "soon"
    assert moment(None) == "–"


@given(st.text(alphabet=st.sampled_from("aSELECT'\"`-/*\n 0123.:$é()"), max_size=200))
def test_the_pieces_of_a_query_make_it_up_again(query):
    assert "".join(piece.text for piece in sql.pieces(query)) == query


def test_the_kinds_of_pieces():
    query = "SELECT sum(x), 'it''s', \"a b\" -- why\nFROM t WHERE y > :least AND z = 1.5 /* end"
    kinds = [(piece.kind, piece.text) for piece in sql.pieces(query) if piece.kind != "text"]
    assert kinds == [
        *(("keyword", "SELECT"), ("function", "sum"), ("string", "'it''s'"), ("name", '"a b"'), ("comment", "-- why")),
        *(("keyword", "FROM"), ("keyword", "WHERE"), ("param", ":least"), ("keyword", "AND"), ("number", "1.5")),
        ("comment", "/* end"),
    ]
    assert "".join(piece.text for piece in sql.pieces("x" * 20_001)).endswith("… [cut: 20,001 characters]")


@st.composite
def pipelines(draw):
    """Steps and what each needs: earlier ones mostly, sometimes none that there is."""
    needs = {}
    for index in range(draw(st.integers(1, 14))):
        sources = draw(st.lists(st.sampled_from([*needs, "nobody", f"s{index}"]), max_size=4))
        needs[f"s{index}"] = sources
    return needs


@given(pipelines())
def test_a_drawing_has_every_step_in_its_place(needs):
    drawing = graph.draw(needs)
    assert sorted(node.id for node in drawing.nodes) == sorted(needs)
    at = {node.id: node for node in drawing.nodes}
    known = {
        (source, step) for step, sources in needs.items() for source in sources if source in needs and source != step
    }
    assert {(edge.source, edge.target) for edge in drawing.edges} == known
    for source, target in known:
        assert at[source].x + graph.WIDTH < at[target].x
    for one in drawing.nodes:
        assert 0 <= one.x <= drawing.width - graph.WIDTH
        assert 0 <= one.y <= drawing.height - graph.HEIGHT
        for other in drawing.nodes:
            assert one is other or one.x != other.x or abs(one.y - other.y) >= graph.HEIGHT
    assert graph.draw(needs) == drawing


def test_a_graph_too_large_is_not_drawn():
    assert graph.draw({}) is None
    assert graph.draw({f"s{index}": [] for index in range(graph.MAX_NODES + 1)}) is None
    dense = {f"s{index}": [f"s{other}" for other in range(index)] for index in range(60)}
    assert graph.draw(dense) is None
    chain = {f"s{index}": [f"s{index - 1}"] for index in range(graph.MAX_NODES)}
    assert len(graph.draw(chain).edges) == graph.MAX_NODES - 1


# --- the commands ----------------------------------------------------------------------------------------------------


def test_logs_html(shop, sound, tmp_path):
    assert shop.osiris("logs", "html").stdout.strip() == str(sound / "report.html")
    out = tmp_path / "page.html"
    done = shop.osiris("logs", "html", sound.name[-8:], "--out", str(out), "--json")
    assert json.loads(done.stdout) == {"ok": True, "page": str(out), "opened": False}
    assert "<title>p · succeeded · Osiris</title>" in out.read_text()
    assert shop.osiris("logs", "html", "--index", "--logs", str(sound.parent)).stdout.strip() == str(
        sound.parent / "index.html"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (["--last", "--index"], "OSR-LOG-004", 2),
        (["nothing", "--last"], "OSR-LOG-004", 2),
        (["nothing"], "OSR-LOG-001", 2),
        (["--logs", "no-such-folder"], "OSR-CLI-003", 2),
        (["--index", "--logs", "no-such-folder"], "OSR-CLI-003", 2),
        (["--out", "no-such-folder/page.html"], "OSR-CLI-002", 1),
    ],
)
def test_logs_html_says_what_is_wrong(shop, sound, arguments, code, status):
    done = shop.osiris("logs", "html", *arguments, "--json")
    assert done.returncode == status
    assert json.loads(done.stdout)["error"]["code"] == code
    assert "Traceback" not in done.stderr


def test_logs_html_opens_a_browser(shop, sound, tmp_path):
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {seen}\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    done = shop.osiris("logs", "html", "--open", env={"BROWSER": str(browser)})
    assert done.returncode == 0, done.stderr
    assert seen.read_text().strip() == (sound / "report.html").as_uri()
    seen.unlink()
    assert shop.osiris("logs", "open", sound.name, env={"BROWSER": str(browser)}).returncode == 0
    assert seen.read_text().strip() == (sound / "report.html").as_uri()
    done = shop.osiris("logs", "html", "--open", env={"BROWSER": "no-such-browser", "PATH": "", "DISPLAY": ""})
    assert done.returncode == 1
    assert "OSR-LOG-031" in done.stderr


@pytest.mark.parametrize(("setting", "written"), [("auto", False), ("always", True), ("never", False)])
def test_a_run_ends_with_its_page_as_the_settings_want(shop, setting, written):
    env = {"OSIRIS_LOGGING_REPORT": setting}
    done = shop.osiris("run", "p.yaml", "--json", env=env)
    document = json.loads(done.stdout)
    page = shop.folder / document["record"] / "report.html"
    assert page.exists() == written
    assert document["page"] == (f"{document['record']}/report.html" if written else None)
    done = shop.osiris("run", "p.yaml", env=env)
    assert ("page: logs/run_" in done.stderr) == written


def test_on_a_terminal_a_run_ends_with_its_page(shop):
    ours, theirs = os.openpty()
    with shop.start("run", "p.yaml", terminal=theirs) as run:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
    os.close(ours)
    assert run.returncode == 0
    assert b"page: logs/run_" in shown
    assert (shop.records()[-1] / "report.html").exists()


def test_a_page_that_cannot_be_written_changes_no_run(shop):
    """The disk is full by then."""
    program = (
        "import sys\n"
        "from osiris_core.report import html\n"
        "def refuse(folder, to=None): raise OSError(28, 'No space left on device')\n"
        "html.write_report = refuse\n"
        "from osiris_core.cli import main\n"
        "main()\n"
    )
    done = shop.site.python("-c", program, "run", "p.yaml", env={"OSIRIS_LOGGING_REPORT": "always"}, cwd=shop.folder)
    assert done.returncode == 0, done.stderr
    assert "the page of the run could not be written: OSError: [Errno 28] No space left on device" in done.stderr
    assert "p succeeded" in done.stdout
