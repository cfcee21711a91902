"""Conversations with a scripted model: every way through the states, and every way to fail."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import attrs
import pytest

from osiris_core.chat import events
from osiris_core.chat.draft import oml_hash
from osiris_core.chat.states import Signal, State
from osiris_core.chat.templates import load_templates
from osiris_core.errors import ConnectionUnusable, InvalidInput, OsirisError, RunFailed
from osiris_core.model import yaml
from osiris_core.spec.llm import LLMError, Price
from tests.chat.conftest import PASSWORD, impossible, intent, plan
from tests.servers.models import Reply, Status

HAPPY = ["INTENT_CAPTURED", "DISCOVERY", "OML_SYNTHESIS", "VALIDATE_OML", "COMPILE", "APPROVAL"]


def test_from_a_sentence_to_rows(shop):
    shop.server.say(intent("count customers by city"), plan())
    chat = shop.chat()
    chat.say("how many customers are there in each city?")
    assert shop.front.states == HAPPY
    assert chat.state is State.APPROVAL
    assert chat.file.read_text() == chat.draft.oml
    (artifact,) = shop.path.glob("logs/chat_*/artifacts/cities.yaml")
    assert artifact.read_bytes() == chat.file.read_bytes()
    assert not (shop.path / "output" / "result.csv").exists()
    outcome = chat.run(chat.draft.hash)
    assert outcome.error is None
    assert (shop.path / "output" / "result.csv").read_text() == "city,n\nOslo,2\nRome,1\n"
    assert chat.state is State.COMPLETE


def test_what_is_sent(shop):
    shop.server.say(intent(), plan())
    shop.chat().say("customers by city")
    first, second = shop.server.calls
    assert "@filesystem.data" in json.dumps(first.schema)
    assert "customers.parquet" not in first.text
    assert set(second.schema["properties"]) == {
        "impossible", "more_tables", "name", "transforms", "outputs", "assumptions",
    }  # fmt: skip
    assert "question" not in json.dumps(second.schema)
    assert "table customers" in second.body["messages"][0]["content"]
    assert PASSWORD not in shop.sent


def test_a_question_and_its_answer(shop):
    shop.server.say(intent(question="Which year?"), intent("2013"), plan())
    chat = shop.chat()
    chat.say("customers of that year")
    assert (chat.state, shop.front.said) == (State.CLARIFY, ["Which year?"])
    chat.say("2013")
    assert chat.state is State.APPROVAL
    assert shop.front.states == ["INTENT_CAPTURED", "CLARIFY", *HAPPY]
    said = [(one["role"], one["content"]) for one in shop.server.calls[1].body["messages"][1:]]
    assert said == [("user", "customers of that year"), ("assistant", "Which year?"), ("user", "2013")]


def test_what_a_question_and_its_answer_came_to_describes_the_pipeline(shop):
    shop.server.say(intent(question="The first city or the second?"), intent("customers of the second city"), plan())
    chat = shop.chat()
    chat.say("customers of a city")
    chat.close()
    again = shop.chat(resume=chat.id)
    again.say("the second")
    assert "The first city or the second?" in shop.server.calls[1].text
    assert yaml.load(again.draft.oml, file="x").data["description"] == "customers of the second city"
    shop.server.say(intent("orders"), plan())
    again.say("orders by city")
    assert [one["role"] for one in shop.server.calls[3].body["messages"]] == ["system", "user"]


def test_it_does_not_ask_for_ever(shop):
    shop.server.on("You fill in one form about", intent(question="And what else?"))
    shop.server.say(plan())
    chat = shop.chat()
    for _ in range(3):
        chat.say("customers")
    assert chat.state is State.APPROVAL
    assert shop.front.said == ["And what else?"] * 2


def test_what_is_no_pipeline_is_answered(shop):
    shop.server.say(intent(kind="other", answer="I build pipelines."))
    chat = shop.chat()
    chat.say("who are you?")
    assert (chat.state, shop.front.said) == (State.COMPLETE, ["I build pipelines."])


def test_an_answer_is_never_empty(shop):
    shop.server.say(intent(kind="other", answer="  "))
    shop.chat().say("hm")
    assert shop.front.said[0].startswith("I build data pipelines")


def test_an_intent_that_cannot_be_read_does_not_stop_it(shop):
    shop.server.say("Sure! What can I do?", plan())
    chat = shop.chat()
    chat.say("customers by city")
    assert chat.state is State.APPROVAL


def test_fast_skips_the_first_call(shop):
    shop.server.say(plan())
    chat = shop.chat(fast=True)
    chat.say("customers by city")
    assert chat.state is State.APPROVAL
    assert len(shop.server.calls) == 1


def test_errors_go_back_once_all_together(shop):
    wrong = plan("SELECT c.cty, c.nam FROM customers c")
    shop.server.say(intent(), wrong, plan())
    chat = shop.chat()
    chat.say("customers by city")
    assert chat.state is State.APPROVAL
    assert shop.front.states == [*HAPPY[:4], "REGENERATE_ONCE", "VALIDATE_OML", "COMPILE", "APPROVAL"]
    repair = shop.server.calls[2].body["messages"][-1]["content"]
    assert "table 'customers' has no column 'cty'" in repair
    assert "table 'customers' has no column 'nam'" in repair
    assert "did you mean" in repair


def test_what_only_binding_finds_goes_back_as_well(shop):
    shop.server.say(intent(), plan("SELECT city + 1 AS x FROM customers"), plan())
    chat = shop.chat()
    chat.say("customers by city")
    assert chat.state is State.APPROVAL
    assert "REGENERATE_ONCE" in shop.front.states


def test_a_second_failure_ends_with_the_draft_kept(shop):
    wrong = plan("SELECT nothing FROM customers")
    shop.server.say(intent(), wrong, wrong)
    chat = shop.chat()
    with pytest.raises(InvalidInput, match="the pipeline cannot be used") as caught:
        chat.say("customers by city")
    assert "/edit" in caught.value.hint
    assert chat.state is State.ERROR
    assert "SELECT\n" in chat.draft.oml
    assert len(shop.server.calls) == 3
    chat.conversation.edit(chat.draft.oml.replace("nothing", "name"))
    assert chat.state is State.APPROVAL


@pytest.mark.parametrize("reply", ["", "I cannot do JSON.", '{"name": 1}', '{"impossible": "", "question": "Which?"}'])
def test_a_plan_that_cannot_be_read_goes_back_once(shop, reply):
    shop.server.say(intent(), reply, plan())
    chat = shop.chat()
    chat.say("customers by city")
    assert chat.state is State.APPROVAL
    assert shop.front.said == []


def test_half_a_character_is_replaced_where_it_comes_in(shop):
    """In a reply's escape, in a repaired reply, in an argument of other bytes, in a text that was edited."""
    half = plan('SELECT city AS "\ud83d", 1 + city AS n FROM customers')
    shop.server.say(intent("cities \ud83d"), half, plan(assumptions=["\udc00"]))
    chat = shop.chat()
    chat.say("caf\udce9s by city")
    assert chat.state is State.APPROVAL
    assert chat.draft.assumptions == ("\ufffd",)
    chat.conversation.edit(chat.draft.oml + "# \udce9\n")
    assert chat.draft.oml.endswith("# \ufffd\n")
    assert [one.text for one in chat.store.lines(chat.id)] == ["caf\ufffds by city"]


def test_prose_twice_is_an_error_with_a_way_on(shop):
    shop.server.say(intent(), "no", "no", intent(), plan())
    chat = shop.chat()
    with pytest.raises(InvalidInput, match="what the model gave cannot be used"):
        chat.say("customers by city")
    assert chat.state is State.ERROR
    chat.say("again")
    assert chat.state is State.APPROVAL


def test_what_cannot_be_done_is_said(shop):
    shop.server.say(intent(), impossible("There are no salaries."))
    chat = shop.chat()
    chat.say("salaries of the customers")
    assert (chat.state, chat.draft) == (State.COMPLETE, None)
    assert shop.front.said == ["That cannot be done: There are no salaries."]


def test_another_wish_changes_the_pipeline(shop):
    shop.server.say(intent(), plan(), intent("only Oslo"), plan("SELECT name FROM customers WHERE city = 'Oslo'"))
    chat = shop.chat()
    chat.say("customers by city")
    first = chat.draft
    chat.say("only those of Oslo, by name")
    assert first.oml in shop.server.calls[-1].body["messages"][1]["content"]
    assert "Oslo" in chat.draft.oml
    chat.conversation.undo()
    assert chat.draft.oml == first.oml
    assert chat.state is State.APPROVAL


def test_of_files_with_the_same_stem_none_is_called_by_it(shop):
    """Nobody would know which of them answers."""
    data = shop.path / "data"
    names = set(shop.chat().conversation.all_sources().names)
    (data / "more").mkdir()
    for path in ("customers.csv", "more/customers.csv"):
        (data / path).write_text("id,city\n1,Oslo\n")
    chat = shop.chat()
    assert set(chat.conversation.all_sources().names) - names == {
        "customers_csv",
        "customers_parquet",
        "more_customers_csv",
    }
    with pytest.raises(InvalidInput, match="no table 'customers'"):
        chat.question("SELECT count(*) AS n FROM customers")


def test_a_pipeline_does_not_take_the_place_of_another_conversations(shop):
    output = shop.path / "output"
    first, oslo = plan(), plan("SELECT name FROM customers WHERE city = 'Oslo'")
    shop.server.say(intent(), first, intent(), oslo, intent(), first, intent(), first)
    chat = shop.chat()
    chat.say("customers by city")
    kept = (output / "cities.yaml").read_bytes()
    other = shop.chat()
    other.say("those of Oslo")
    assert (other.file, (output / "cities.yaml").read_bytes()) == (output / "cities-2.yaml", kept)
    other.close()
    again = shop.chat(resume=other.id)  # resumed, it knows its own file
    again.say("all of them, after all")
    assert (again.file, sorted(path.name for path in output.iterdir())) == (
        output / "cities-2.yaml",
        ["cities-2.yaml", "cities.yaml"],
    )
    (output / "cities.yaml").write_text("# mended by hand\n")
    chat.say("once more")
    assert chat.file == output / "cities-2.yaml"  # the very same bytes, whoever wrote them
    assert (output / "cities.yaml").read_text() == "# mended by hand\n"


def test_only_what_was_approved_runs(shop):
    shop.server.say(intent(), plan())
    chat = shop.chat()
    chat.say("customers by city")
    draft = chat.draft
    with pytest.raises(InvalidInput, match="not the one that was approved"):
        chat.run(oml_hash(draft.oml + " "))
    assert chat.state is State.APPROVAL
    chat.conversation.edit(draft.oml.replace("Every", "Each") + "# changed\n")
    with pytest.raises(InvalidInput, match="not the one that was approved"):
        chat.run(draft.hash)
    chat.conversation.finish(Signal.REJECTED)
    with pytest.raises(InvalidInput, match="there is nothing to approve"):
        chat.run(chat.draft.hash)
    assert not (shop.path / "output" / "result.csv").exists()


def test_a_run_that_fails_is_an_error_one_can_go_on_from(shop):
    shop.server.say(intent(), plan("SELECT CAST(name AS INTEGER) AS n FROM customers"), intent(), plan())
    chat = shop.chat()
    chat.say("customers")
    assert chat.run(chat.draft.hash).error is not None
    assert chat.state is State.ERROR
    chat.say("by city")
    assert chat.state is State.APPROVAL


# The model's service


@pytest.mark.parametrize("fault", ["truncated", "cut", "garbage", "error"])
def test_a_reply_that_breaks_off_is_asked_for_again(shop, fault):
    shop.server.say(Reply(intent(), fault=fault), intent(), plan())
    chat = shop.chat()
    chat.say("customers by city")
    assert chat.state is State.APPROVAL
    assert len(shop.waited) == 1
    assert any("trying again" in line for line in shop.front.done)


def test_it_waits_as_long_as_it_is_told(shop):
    shop.server.say(Status(429, "slow down", headers={"retry-after": "7"}), intent(), plan())
    shop.chat().say("customers by city")
    assert shop.waited == [7.0]


def test_a_wait_that_is_too_long_is_an_error(shop):
    shop.server.say(Status(429, "slow down", headers={"retry-after": "3600"}))
    with pytest.raises(LLMError):
        shop.chat().say("customers by city")
    assert shop.waited == []


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_will_not_pass_is_not_tried_again(shop, status):
    shop.server.say(Status(status, "no"))
    chat = shop.chat()
    with pytest.raises(ConnectionUnusable):
        chat.say("customers by city")
    assert len(shop.server.calls) == 1
    assert chat.state is State.ERROR
    shop.server.say(intent(), plan())
    chat.say("again")
    assert chat.state is State.APPROVAL


def test_a_service_that_stays_down_ends_in_an_error(shop):
    shop.server.on(".", Status(500, "down"))
    with pytest.raises(LLMError):
        shop.chat().say("customers by city")
    assert len(shop.server.calls) == 3


def test_the_next_model_is_asked(shop):
    from tests.servers.models import ModelServer

    shop.server.on(".", Status(401, "no"))
    with ModelServer() as second:
        second.say(intent(), plan())
        chat = shop.chat(extra=(second.openai,))
        chat.say("customers by city")
        assert chat.state is State.APPROVAL
        assert len(second.calls) == 2
    assert any("asking openai_compatible:test-model" in line for line in shop.front.done)


def test_a_reply_that_was_cut_off_is_asked_for_with_more_room(shop):
    shop.server.say(Reply(intent(), stop="max_tokens"), intent(), plan())
    shop.chat().say("customers by city")
    first, second = (
        call.body.get("max_tokens") or call.body["max_completion_tokens"] for call in shop.server.calls[:2]
    )
    assert second == 2 * first


def test_a_refusal_is_an_error(shop):
    shop.server.say(Reply("I will not.", stop="refusal"))
    with pytest.raises(LLMError):
        shop.chat().say("customers by city")


def test_a_tool_call_that_nobody_asked_for_runs_nothing(shop):
    shop.server.on(".", Reply("drop_table", stop="tool"))
    with pytest.raises(LLMError):
        shop.chat().say("customers by city")


# Secrets, cost, what stays


def test_a_secret_is_not_sent(shop):
    chat = shop.chat()
    shop.redactor.register(PASSWORD)
    with pytest.raises(OsirisError, match="what would be sent holds a secret"):
        chat.say(f"log in with {PASSWORD}")
    assert shop.server.calls == []
    for file in shop.path.rglob("*"):
        if file.is_file() and file.name != ".env":
            assert PASSWORD.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("fast", [False, True])
def test_after_a_sentence_with_a_secret_the_next_is_heard(shop, fast):
    chat = shop.chat(fast=fast)
    shop.redactor.register(PASSWORD)
    with pytest.raises(OsirisError, match="what would be sent holds a secret"):
        chat.say(f"log in with {PASSWORD}")
    shop.server.on("You fill in one form about", intent())
    shop.server.on("table customers", plan())
    chat.say("customers by city")
    assert chat.state is State.APPROVAL
    assert "log in" not in shop.sent
    chat.close()
    again = shop.chat(resume=chat.id)
    assert again.conversation.memory.said == ["customers by city"]
    assert [line.text for line in again.store.lines(chat.id)] == ["log in with ***", "customers by city"]


def test_strict_sends_no_value(shop):
    shop.server.say(intent(), plan())
    shop.chat(privacy="strict").say("customers by city")
    for value in ("Oslo", "Rome", "Ann", "Zoë", "10.5"):
        assert value not in shop.sent


def test_standard_sends_values_of_few(shop):
    shop.server.say(intent(), plan())
    shop.chat().say("customers by city")
    assert "Oslo" in shop.sent


def test_it_is_resumed_where_it_was(shop):
    shop.server.say(intent(), plan())
    chat = shop.chat()
    chat.say("customers by city")
    chat.close()
    again = shop.chat(resume=chat.id)
    again.resume()
    assert again.state is State.APPROVAL
    assert again.draft.oml == chat.draft.oml
    assert [line.who for line in again.store.lines(chat.id)] == ["person"]
    assert again.run(again.draft.hash).error is None


def test_a_limit_of_cost_counts_what_was_paid_before_it_was_resumed(shop):
    shop.price = Price(input=1000.0, output=1000.0)
    shop.server.say(intent(), plan())
    chat = shop.chat()
    chat.say("customers by city")
    paid = chat.caller.total
    assert paid > 0
    chat.close()
    again = shop.chat(resume=chat.id, max_cost=paid)
    with pytest.raises(OsirisError, match=f"has cost \\${paid:.4f}"):
        again.say("only those of Oslo")
    assert len(shop.server.calls) == 2
    assert again.caller.spent.calls == 0  # of this sitting


def test_it_is_resumed_after_a_crash_in_the_middle(shop):
    shop.server.say(intent(question="Which?"))
    chat = shop.chat()
    chat.say("customers")
    chat.store.close()  # as the system closes it when a process dies
    again = shop.chat(resume=chat.id)
    assert again.state is State.CLARIFY
    shop.server.say(intent(), plan())
    again.say("those by city")
    assert again.state is State.APPROVAL


def test_a_conversation_is_open_once(shop):
    """Of two that keep all they remember, one would lose what it was told."""
    shop.server.say(intent(question="Which?"), intent(), plan())
    chat = shop.chat()
    chat.say("customers")
    for wanted in (chat.id, "last"):
        with pytest.raises(InvalidInput, match="is open elsewhere") as caught:
            shop.chat(resume=wanted)
        assert caught.value.code == "OSR-CHAT-043"
    other = shop.chat()  # another one is in nobody's way
    chat.say("those by city")
    chat.close()
    other.close()
    again = shop.chat(resume=chat.id)
    assert again.conversation.memory.said == ["customers", "those by city"]
    again.close()
    assert not list((shop.path / ".osiris").glob("*.lock"))


def test_a_conversation_that_somebody_killed_is_not_open(shop):
    """The lock is the system's: what is left of its file holds nothing."""
    shop.server.say(intent(question="Which?"))
    chat = shop.chat()
    chat.say("customers")
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from osiris_core.chat.store import Store\n"
        "store = Store(Path(sys.argv[1]), clean=str)\n"
        "store.hold(sys.argv[2])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    chat.close()
    done = subprocess.run([sys.executable, "-c", script, shop.path / ".osiris", chat.id], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list((shop.path / ".osiris").glob("*.lock"))
    assert shop.chat(resume=chat.id).state is State.CLARIFY


HELD = (
    "SELECT city, count(*) AS n FROM customers WHERE name <> 'sesame-shut-8' GROUP BY city"  # pragma: allowlist secret
)


def masked_draft(shop):
    """A conversation resumed whose draft held what is a secret to the redactor, which was not kept."""
    shop.server.say(intent(), plan(HELD))
    chat = shop.chat()
    chat.say("customers by city")
    shop.redactor.register("sesame-shut-8")  # as when a connection is resolved later on
    chat.conversation.edit(chat.draft.oml + "# changed\n")
    assert chat.state is State.APPROVAL
    chat.close()
    return chat, shop.chat(resume=chat.id)


def test_a_draft_that_held_a_secret_is_resumed_as_one_that_cannot_run(shop):
    _, again = masked_draft(shop)
    assert "sesame-shut-8" not in (shop.path / ".osiris" / "chat.sqlite").read_bytes().decode("latin-1")
    for record in shop.path.glob("logs/chat_*"):
        for path in record.rglob("*.yaml"):
            assert "sesame-shut-8" not in path.read_text() or "# changed" not in path.read_text()
    with pytest.raises(InvalidInput, match="held a secret, which is kept nowhere") as raised:
        again.resume()
    assert raised.value.code == "OSR-CHAT-034"
    assert "/edit" in raised.value.hint
    assert (again.state, again.draft.masked) == (State.ERROR, True)
    with pytest.raises(InvalidInput, match="held a secret"):
        again.conversation.edit(again.draft.oml + "# and so on\n")  # the mask is there still
    again.conversation.edit(again.draft.oml.replace("***", "Bob"))
    assert again.state is State.APPROVAL
    assert again.run(again.draft.hash).error is None


def test_a_mask_that_a_model_copied_is_no_value(shop):
    _, again = masked_draft(shop)
    with pytest.raises(InvalidInput):
        again.resume()
    shop.server.say(intent(), plan(HELD.replace("sesame-shut-8", "***")), plan(HELD.replace("sesame-shut-8", "***")))
    with pytest.raises(InvalidInput, match="held a secret"):
        again.say("by name, too")
    shop.server.say(intent(), plan())
    again.say("customers by city, whoever they are")
    assert again.state is State.APPROVAL


def test_a_mask_that_the_person_wrote_is_no_secret(shop):
    starred = "SELECT city, '***' AS stars FROM customers"
    shop.server.say(intent(), plan("SELECT cty FROM customers"), plan(starred))
    chat = shop.chat()
    chat.say("each city with *** behind it")
    assert chat.state is State.APPROVAL
    assert "'***'" in chat.draft.oml


def test_a_mask_in_a_repair_that_nobody_asked_for_is_a_secret(shop):
    shop.server.say(intent(), plan("SELECT cty FROM customers"), plan("SELECT city, '***' AS s FROM customers"))
    with pytest.raises(InvalidInput, match="held a secret"):
        shop.chat().say("each city")


def test_tables_that_a_failed_wish_lacked_are_not_those_of_the_next(shop):
    """The next may ask for tables of its own, once."""
    for at in range(20):
        (shop.path / "data" / f"stock_{at}.csv").write_text("item,city\n1,Oslo\n")
    lacking = plan(more_tables=["stock_17.csv"])
    shop.server.say(intent("customers"), lacking, Status(401, "no such key"))
    chat = shop.chat()
    with pytest.raises(LLMError):
        chat.say("customers by city")
    shop.server.say(intent("customers"), lacking, plan())
    chat.say("customers by city")
    assert chat.state is State.APPROVAL
    assert shop.front.states[-8:].count("DISCOVERY") == 2


@pytest.mark.parametrize("written", ["{{components}}", "{{ components }}"])
def test_a_prompt_of_ones_own_is_told_the_components_that_it_asks_for(shop, written):
    templates = load_templates()
    templates["plan"] = attrs.evolve(templates["plan"], text=f"{templates['plan'].text}\n{written}\n")
    shop.server.say(intent(), plan(), intent(), plan())
    shop.chat(templates=templates).say("customers by city")
    assert "filesystem.jsonl_extractor" in shop.server.calls[-1].text
    shop.chat().say("customers by city")
    assert "filesystem.jsonl_extractor" not in shop.server.calls[-1].text


def test_each_event_of_the_record_has_the_fields_of_its_kind(shop):
    refusal = Status(
        400, "response_format of type json_schema is not supported"
    )  # which the provider has a notice about
    shop.server.say(refusal, Reply(intent(), fault="cut"), intent(), plan("SELECT nothing FROM customers"), plan())
    chat = shop.chat()
    chat.say("customers by city")
    chat.run(chat.draft.hash)
    chat.close()
    found = {}
    for line in shop.events():
        kind = {events.chat_event_name(one): one for one in events.VOCABULARY}[line["event"]]
        fields = [one.name for one in attrs.fields(kind)]
        assert list(line) == ["ts", "session", "seq", "event", *fields]
        for one in attrs.fields(kind):
            allowed = {"str": str, "int": int, "bool": bool, "int | None": int | None, "float | None": float | None}
            assert isinstance(line[one.name], allowed[one.type]), (line, one.name)
        found[line["event"]] = line
    assert set(found) == {events.chat_event_name(one) for one in events.VOCABULARY}, "every kind has occurred"
    assert all(one.metadata["doc"] for kind in events.VOCABULARY for one in attrs.fields(kind))


def test_a_run_that_cannot_begin_is_an_error_one_can_go_on_from(shop):
    shop.server.say(intent(), plan())
    chat = shop.chat()
    chat.say("customers by city")
    logs = shop.path / "logs"
    logs.rename(shop.path / "kept")  # the conversation's own record is open already
    logs.write_text("no folder")
    with pytest.raises(OsirisError):
        chat.run(chat.draft.hash)
    assert chat.state is State.ERROR
    logs.unlink()
    (shop.path / "kept").rename(logs)
    chat.conversation.edit(chat.draft.oml)
    assert chat.run(chat.draft.hash).error is None


def test_ctrl_c_while_something_is_kept_leaves_the_store_usable(shop):
    chat = shop.chat()

    class Pressed(str):
        """A text at whose redaction Ctrl-C is pressed."""

        __slots__ = ()

    kept = chat.store._clean
    chat.store._clean = lambda text: (
        (_ for _ in ()).throw(KeyboardInterrupt) if isinstance(text, Pressed) else kept(text)
    )
    with pytest.raises(KeyboardInterrupt):
        chat.store.add(chat.id, "person", Pressed("half"))
    chat._keep(chat.conversation.memory)
    chat.store.add(chat.id, "person", "whole")
    assert [line.text for line in chat.store.lines(chat.id)] == ["whole"]


def test_conversations_are_nobody_elses_and_a_damaged_one_is_said(shop):
    shop.server.say(intent(), plan())
    chat = shop.chat()
    chat.say("customers by city")
    assert {path.stat().st_mode & 0o077 for path in (shop.path / ".osiris").glob("chat.sqlite*")} == {0}
    chat.store._db.execute("UPDATE conversation SET memory = '{}'")
    chat.close()
    with pytest.raises(RunFailed, match="is damaged"):
        shop.chat(resume=chat.id)


def test_the_record_has_every_move_and_no_text(shop):
    shop.server.say(intent(), plan())
    chat = shop.chat()
    chat.say("customers by city")
    chat.close()
    lines = shop.events()
    assert [line["after"] for line in lines if line["event"] == "chat.state"] == HAPPY
    assert [line["purpose"] for line in lines if line["event"] == "chat.llm_request"] == ["intent", "plan"]
    assert "customers by city" not in json.dumps(lines)
    assert {line["sha256"] for line in lines if line["event"] == "chat.template"}
