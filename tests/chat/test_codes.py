"""Each error of a conversation, by its code."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import click
import pytest

from osiris_core.chat.calling import Caller, Candidate, Limits
from osiris_core.chat.forms import Intent, read_form
from osiris_core.chat.templates import load_templates
from osiris_core.cli.prompts import dump_prompts
from osiris_core.errors import Cancelled, OsirisError
from osiris_core.redaction import Redactor
from osiris_core.spec.llm import Done, LLMError, Message, Text, Timeouts
from tests.chat.conftest import intent, plan
from tests.chat.test_lowering import lowered, out
from tests.servers.models import Reply


class Odd:
    """A provider of somebody else's, which does what providers must not do."""

    def __init__(self, *events):
        self.events = events

    def secrets(self):
        return ()

    def stream(self, _request):
        for event in self.events:
            if isinstance(event, BaseException):
                raise event
            yield event


def call(*events, **limits):
    candidate = Candidate(provider_name="odd", provider=Odd(*events), model="m")
    caller = Caller([candidate], redactor=Redactor(), limits=Limits(**limits), wait=lambda _: None)
    with pytest.raises(OsirisError) as caught:
        caller.call("plan", [Message(role="user", text="?")], schema=None, schema_name="x")
    return caught.value


def failed(action):
    with pytest.raises(OsirisError) as caught:
        action()
    return caught.value.code


def test_replies_that_are_no_json():
    assert [one.code for one in read_form(Intent, "Sure!")[1]] == ["OSR-CHAT-001"]


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (lambda: lowered(("r", "SELECT id FROM orders"), outputs=()), "OSR-CHAT-002"),
        (lambda: lowered(("r", "SELEC 1")), "OSR-CHAT-003"),
        (lambda: lowered(("r", "SELECT 1 FROM nowhere")), "OSR-CHAT-004"),
        (lambda: lowered(outputs=(out("orders", to="nobody.writer"),)), "OSR-CHAT-005"),
        (lambda: lowered(("r", "SELECT o.nothing FROM orders o")), "OSR-CHAT-007"),
    ],
)
def test_plans(made, code):
    assert code in {one.code for one in made().findings}


def test_calls():
    assert call(Text("late"), Done(stop="end"), timeouts=Timeouts(total=-1)).code == "OSR-CHAT-012"
    assert call(Text("half")).code == "OSR-CHAT-013"
    assert call(Text("long"), Done(stop="max_tokens")).code == "OSR-CHAT-014"
    assert call(Text("no"), Done(stop="refusal")).code == "OSR-CHAT-015"
    assert call(ValueError("a defect")).code == "OSR-CHAT-016"
    assert isinstance(call(Text("half")), LLMError)
    assert call(Text("whole"), Done(stop="end"), cost=1.0).code == "OSR-CHAT-017"


def test_conversations(shop):
    shop.redactor.register("sesame-opens-9")
    assert failed(lambda: shop.chat().say("it is sesame-opens-9")) == "OSR-CHAT-010"
    assert failed(lambda: shop.chat().run("")) == "OSR-CHAT-032"
    for unknown in ("chat_nothing", "caf\udce9/../x"):
        assert failed(lambda name=unknown: shop.chat(resume=name)) == "OSR-CHAT-040"
    wrong = plan("SELECT nothing FROM customers")
    shop.server.say(intent(), wrong, wrong)
    assert failed(lambda: shop.chat().say("customers")) == "OSR-CHAT-031"
    shop.server.say(intent(), plan())
    chat = shop.chat()
    chat.say("customers")
    assert failed(lambda: chat.run("another")) == "OSR-CHAT-020"
    shutil.rmtree(shop.path / "output")
    (shop.path / "output").write_text("in the way")
    shop.server.say(intent(), plan())
    assert failed(lambda: chat.say("customers again")) == "OSR-CHAT-042"


def test_nothing_to_look_at(shop):
    (shop.path / "osiris_connections.yaml").write_text("connections: {}\n")
    assert failed(lambda: shop.chat().say("customers")) == "OSR-CHAT-030"


def test_stopped_at_the_keyboard(shop):
    shop.server.say(Reply(intent()))
    chat = shop.chat()

    def interrupt(_text):
        raise KeyboardInterrupt

    shop.front.progress = interrupt
    with pytest.raises(Cancelled) as caught:
        chat.say("customers")
    assert caught.value.code == "OSR-CHAT-033"
    assert chat.state.value == "ERROR"


def test_a_defect_leaves_a_state_one_can_go_on_from(shop):
    """Of ours or of a library's: here, that nobody can be shown what is done."""
    chat = shop.chat()
    shown = shop.front.progress

    def broken(_text):
        raise ZeroDivisionError("by nothing")

    shop.front.progress = broken
    with pytest.raises(OsirisError, match="internal error: ZeroDivisionError: by nothing") as caught:
        chat.say("customers")
    assert (caught.value.code, chat.state.value) == ("OSR-CHAT-036", "ERROR")
    shop.front.progress = shown
    shop.server.say(intent(), plan())
    chat.say("customers by city")
    assert chat.state.value == "APPROVAL"


class OddInput:
    """A standard input that breaks in the middle."""

    def __init__(self, *lines):
        self._lines = iter(lines)
        self.buffer = self

    def isatty(self):
        return False

    def readline(self):
        line = next(self._lines, b"")
        if isinstance(line, BaseException):
            raise line
        return line


def test_a_defect_does_not_end_the_terminal(shop, monkeypatch, capfd):
    from osiris_core.cli.output import reporting
    from osiris_core.cli.printed import printed
    from osiris_core.cli.terminal import talk

    shop.server.say(intent(), plan(), intent(), plan())
    lines = OddInput(b"customers\n", b"/run\n", ZeroDivisionError("by nothing"), b"customers again\n", b"/quit\n")
    monkeypatch.setattr("sys.stdin", lines)
    chat = shop.chat()
    with click.Context(click.Command("chat")), reporting(as_json=False, alone=True), printed(shop.redactor) as shown:
        talk(chat, None, shown)
    assert "internal error: ZeroDivisionError: by nothing" in capfd.readouterr().err
    assert chat.state.value == "APPROVAL"
    assert len(chat.store.lines(chat.id)) == 2


def test_stopped_between_two_states(shop):
    """Also there it is the person's turn again."""
    shop.server.say(intent())
    chat = shop.chat()
    remembered = shop.front.moved

    def interrupt(before, signal, after):
        remembered(before, signal, after)
        if after.value == "DISCOVERY":
            raise KeyboardInterrupt

    shop.front.moved = interrupt
    with pytest.raises(Cancelled):
        chat.say("customers")
    assert chat.state.value == "ERROR"
    shop.front.moved = remembered
    shop.server.say(intent(), plan())
    chat.say("customers by city")
    assert chat.state.value == "APPROVAL"


def test_a_store_that_cannot_be_used(shop):
    (shop.path / ".osiris").mkdir()
    (shop.path / ".osiris" / "chat.sqlite").write_bytes(b"this is no database, but it is long enough to be one" * 50)
    assert failed(shop.chat) == "OSR-CHAT-041"


def test_a_store_of_a_newer_osiris(shop):
    (shop.path / ".osiris").mkdir()
    with closing(sqlite3.connect(shop.path / ".osiris" / "chat.sqlite")) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(OsirisError, match="newer Osiris") as caught:
        shop.chat()
    assert caught.value.code == "OSR-CHAT-041"


def test_prompts(tmp_path):
    assert failed(lambda: load_templates(tmp_path)) == "OSR-CHAT-006"
    from click.testing import CliRunner

    folder = str(tmp_path / "prompts")
    assert CliRunner().invoke(dump_prompts, ["--export", folder]).exit_code == 0
    assert "OSR-CHAT-050" in CliRunner().invoke(dump_prompts, ["--export", folder]).output
    assert "In guided.md a line `=== person`" in (tmp_path / "prompts" / "README.md").read_text()


def test_evaluations(tmp_path):
    from osiris_core.chat.evaluation.suite import read_suite
    from osiris_core.cli.eval import chosen, earlier_report

    (tmp_path / "t.parquet").write_bytes(b"")
    suite = tmp_path / "suite.yaml"
    suite.write_text("name: s\ntables: {t: t.parquet}\nintents:\n  - {id: a, utterance: x, expect: refused}\n")
    assert failed(lambda: chosen(read_suite(suite), ["b"])) == "OSR-EVL-004"
    assert failed(lambda: earlier_report(tmp_path / "none.json")) == "OSR-EVL-005"
