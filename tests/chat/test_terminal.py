"""``osiris chat`` at a pseudo-terminal, with a scripted model behind the genuine client."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import sys

import pexpect
import pytest

from tests.chat.conftest import intent, plan
from tests.chat.terminals import Terminal, colours, few_flights, project
from tests.servers.models import ModelServer, Reply

pytestmark = pytest.mark.matrix  # what is typed and sent is the same on every Python

CARRIERS = "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier ORDER BY carrier"
ENDLESS = "SELECT count(*) AS n FROM flights a, flights b, flights c, flights d WHERE a.flight + b.flight + c.flight = d.flight"
THREE = "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier ORDER BY n DESC LIMIT 3"


@pytest.fixture
def server():
    with ModelServer() as server:
        yield server


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return few_flights(tmp_path_factory.mktemp("few") / "data")


@pytest.fixture
def flights(tmp_path, server, few):
    return project(tmp_path / "flights", server, few)


@pytest.fixture
def terminal(flights):
    opened = []

    def start(*arguments, **more):
        opened.append(Terminal(flights, *arguments, **more))
        return opened[-1]

    yield start
    for one in opened:
        one.child.close(force=True)


def test_from_a_sentence_to_rows(terminal, server, flights):
    server.say(intent(), plan(CARRIERS), intent(), plan(THREE))
    one = terminal()
    one.ready("INIT")
    one.enter("flights per carrier")
    one.ready("APPROVAL")
    assert "- computes result from flights: carrier, n" in one.text
    assert "- assumed: Every customer counts." in one.text
    assert not (flights / "output" / "result.csv").exists()
    one.enter("/preview")
    one.wait("10 rows of 16, of all data; nothing was written")
    one.ready("APPROVAL")
    assert "1168" in one.text
    assert not list(flights.glob("logs/run_*"))
    one.enter("only the three largest")
    one.ready("OML_SYNTHESIS|APPROVAL")
    one.enter("/diff")
    one.wait("LIMIT 3")
    one.enter("/run")
    one.wait("Run this pipeline")
    shown = one.text[one.text.rindex("=== pipeline") :]
    assert "- writes result to output/result.csv (filesystem.csv_writer), replacing what is there" in shown
    assert "--- SQL of result ---" in shown
    assert re.search(r"carrier +Utf8\n *n +Int64", shown)
    assert "tokens in" in shown
    one.enter("maybe")
    one.wait("'maybe' is no answer: yes, edit, no", "Run this pipeline")
    one.enter("yes")
    one.wait("record: ")
    one.ready("COMPLETE")
    assert (flights / "output" / "result.csv").read_text() == "carrier,n\nUA,3806\nB6,3629\nEV,3456\n"
    one.type("\x04")
    assert one.end() == 0


def test_no_is_no(terminal, server, flights):
    server.say(intent(), plan(CARRIERS))
    one = terminal("flights per carrier", "--run")
    one.wait("Run this pipeline")
    one.enter("n")
    one.wait("not run")
    one.ready("COMPLETE")
    assert not (flights / "output" / "result.csv").exists()
    assert not list(flights.glob("logs/run_*"))


def test_the_text_that_is_approved_is_the_edited_one(terminal, server, flights, tmp_path):
    server.say(intent(), plan(THREE))
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import pathlib, sys\npath = pathlib.Path(sys.argv[1])\n"
        "path.write_text(path.read_text().replace('LIMIT 3', 'LIMIT 1'))\n"
    )
    one = terminal("the largest", "--run", VISUAL=shlex.join([sys.executable, str(editor)]))
    one.wait("LIMIT 3", "Run this pipeline")
    one.enter("edit")
    one.wait("LIMIT 1", "Run this pipeline")
    one.enter("yes")
    one.ready("COMPLETE")
    assert (flights / "output" / "result.csv").read_text() == "carrier,n\nUA,3806\n"
    one.enter("/undo")
    one.wait("back to the draft before")
    one.ready("APPROVAL")
    one.enter("/sql result")
    one.wait("LIMIT.*3")


def test_ctrl_c_stops_a_call_and_keeps_the_conversation(terminal, server):
    server.say(Reply(intent(), fault="silent"), intent(), plan(CARRIERS))
    one = terminal()
    one.ready("INIT")
    one.enter("flights per carrier")
    one.wait("understanding")
    while not server.calls:
        os.sched_yield()
    one.type("\x03")
    one.wait("stopped; the conversation is as it was")
    one.ready("ERROR")
    one.enter("flights per carrier")
    one.ready("APPROVAL")


def started(folder, step):
    """Until a run has started ``step``, which is when its main thread is about to wait."""
    wanted = f'"event":"step_started","step":"{step}"'
    while not any(wanted in path.read_text() for path in folder.glob("logs/run_*/events.jsonl")):
        os.sched_yield()


def test_ctrl_c_stops_a_run_and_keeps_the_conversation(terminal, server, flights):
    server.say(intent(), plan(ENDLESS))
    one = terminal("all of it", "--run")
    one.wait("Run this pipeline")
    one.enter("yes")
    started(flights, "result")
    one.type("\x03")
    one.wait("interrupted")
    one.ready("ERROR")
    assert not (flights / "output" / "result.csv").exists()
    (record,) = flights.glob("logs/run_*")
    assert json.loads((record / "status.json").read_text())["status"] == "interrupted"
    one.enter("/sql result")
    one.see("flights AS d")
    one.ready("ERROR")
    server.say(intent(), plan(THREE))
    one.enter("only the three largest")
    one.wait("Run this pipeline")


def test_ctrl_c_stops_a_query_and_a_preview(terminal, server):
    server.say(intent(), plan(ENDLESS))
    one = terminal("all of it")
    one.ready("APPROVAL")
    for line, begun in ((f"/sql {ENDLESS}", "asking"), ("/preview", "trying it out")):
        one.enter(line)
        one.wait(begun)
        one.type("\x03")
        one.wait("interrupted|stopped")
        one.ready("APPROVAL")
    one.enter("/quit")
    assert one.end() == 0


@pytest.mark.parametrize("line", ["/tables @mysql.silent", "flights per carrier"])
def test_ctrl_c_stops_discovery_and_keeps_the_conversation(terminal, server, flights, line):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (flights / "osiris_connections.yaml").write_text(
            "connections:\n  filesystem:\n    data: {root: data, writable: false}\n"
            "  mysql:\n    silent: {host: 127.0.0.1, user: nobody, database: none, "
            f"port: {silent.getsockname()[1]}}}\n"
        )
        server.say(intent(connections=["@mysql.silent"]))
        one = terminal()
        one.ready("INIT")
        one.enter(line)
        with silent.accept()[0]:
            one.type("\x03")
            one.wait("stopped")
            one.ready("INIT" if line.startswith("/") else "ERROR")
        server.say(intent(), plan(CARRIERS))
        one.enter("flights per carrier")
        one.ready("APPROVAL")


def test_how_to_leave(terminal):
    one = terminal()
    one.ready("INIT")
    one.type("half a sentence")
    one.see("osiris> half a sentence")
    one.type("\x03")  # clears the line
    one.type("\x03")
    one.wait("Ctrl-D or /quit leaves")
    one.enter("/quit")
    assert one.end() == 0


def test_lines_that_go_on(terminal, server):
    server.say(intent(), plan(CARRIERS))
    one = terminal()
    one.ready("INIT")
    one.enter("flights\\")
    one.type("per\x1b\rcarrier\r")
    one.ready("APPROVAL")
    assert "flights\\nper\\ncarrier" in server.calls[0].text


def test_completion(terminal, server):
    server.say(intent(), plan(CARRIERS))
    one = terminal("flights per carrier")
    one.ready("APPROVAL")
    one.type("/des")
    one.see("/describe +Show a table's columns")
    one.type("cribe pl")
    one.see("(?m)^ +planes.parquet")  # the menu
    one.type("\t")
    one.see("osiris> /describe planes.parquet")
    one.type("\r")
    one.wait("manufacturer")
    one.ready("APPROVAL")
    one.type("/sql ")
    one.see("(?m)^ +result")
    one.type("\t")
    one.see("osiris> /sql result")
    one.type("\x03")
    one.type("/tables ")
    one.see("(?m)^ +@filesystem.data")
    one.type("\t")
    one.see("osiris> /tables @filesystem.data")


def test_history_is_kept_without_secrets(terminal, flights):
    one = terminal()
    one.ready("INIT")
    secret = "postgres://ann:sesame-opens-7@db/x"  # pragma: allowlist secret
    one.enter(f"/tables {secret}")
    one.wait("there is no connection")
    one.ready("INIT")
    one.type("\x04")
    assert one.end() == 0
    kept = flights / ".osiris" / "chat-history"
    assert "/tables postgres://ann:" in kept.read_text()
    assert "sesame" not in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0
    again = terminal()
    again.ready("INIT")
    again.type("\x1b[A")
    again.see("osiris> /tables postgres://ann:")


def test_a_conversation_is_resumed(terminal, server):
    server.say(intent(), plan(CARRIERS))
    first = terminal("flights per carrier")
    first.ready("APPROVAL")
    first.type("\x04")
    assert first.end() == 0
    again = terminal()
    again.ready("INIT")
    again.enter("/resume")
    again.wait("flights per carrier")
    again.ready("INIT")
    again.enter("/resume last")
    again.wait("> flights per carrier", "checking the pipeline")
    again.ready("APPROVAL")


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_where_none_are_wanted(terminal, server, more):
    server.say(intent(), plan(CARRIERS))
    one = terminal("flights per carrier", "--run", **more)
    one.wait("Run this pipeline")
    assert not colours(one.raw)
    if more.get("TERM") == "dumb":
        assert "\x1b" not in one.raw
        one.child.sendline("no")
        one.wait("not run", "osiris> ")
        one.child.sendeof()
        assert one.end() == 0


def test_colours_where_there_are_some(terminal, server):
    server.say(intent(), plan(CARRIERS))
    one = terminal("flights per carrier", "--run")
    one.wait("Run this pipeline")
    assert colours(one.raw)


def test_what_a_model_says_does_not_act(terminal, server):
    said = "\x1b[2J\x1b]0;owned\x07\nRun this pipeline? [yes / edit / no] \u202e [bold]x[/bold]"
    server.say(intent(kind="other", answer=said))
    one = terminal("hello")
    one.ready("COMPLETE")
    assert "\x1b]0;owned" not in one.raw
    assert "\u202e" not in one.raw
    assert "» Run this pipeline? [yes / edit / no] \\u202e [bold]x[/bold]" in one.text


def test_the_prompt_comes_before_anything_heavy(flights, tmp_path):
    found = tmp_path / "modules"
    probe = tmp_path / "probe.py"
    probe.write_text(
        "import sys\nfrom osiris_core.cli import main, terminal_lines\n"
        "prompt = terminal_lines.EditedLines.sentence\n"
        "def sentence(self):\n"
        f"    open({str(found)!r}, 'w').write('\\n'.join(sys.modules))\n"
        "    return prompt(self)\n"
        "terminal_lines.EditedLines.sentence = sentence\nsys.argv = ['osiris', 'chat']\nmain()\n"
    )
    one = Terminal(flights, str(probe), command=[sys.executable])
    one.ready("INIT")
    one.type("\x04")
    one.child.expect(pexpect.EOF)
    one.child.close()
    modules = set(found.read_text().split("\n"))
    assert "prompt_toolkit" in modules
    heavy = {
        "openai",
        "anthropic",
        "google.genai",
        "polars",
        "pandas",
        "numpy",
        "pyarrow",
        "rich.syntax",
        "pygments.lexers.sql",
    }
    assert not modules & heavy
