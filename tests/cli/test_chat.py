"""``osiris chat``, ``llm``, ``eval`` and the prompts, as a person types them; the model is scripted behind a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from osiris_core.api import Session
from tests.chat.conftest import PASSWORD, impossible, intent, plan, shop  # noqa: F401 - a fixture
from tests.commands import COMMAND
from tests.commands import osiris as command
from tests.servers.models import Reply, Status

pytestmark = pytest.mark.matrix  # what is typed and sent is the same on every Python


@pytest.fixture
def osiris(shop):  # noqa: F811 - the fixture
    """Runs the command in the shop's folder; ``text`` is its standard input."""
    (shop.path / "osiris.yaml").write_text(
        "llm:\n  provider: openai_compatible\n  providers:\n    openai_compatible:\n"
        f"      base_url: {shop.server.openai}\n      model: test-model\n"
    )

    def run(*args, text="", **variables):
        return command(*args, cwd=shop.path, text=text, env={**os.environ, "NO_COLOR": "1", **variables})

    run.shop = shop
    return run


def test_one_wish_becomes_a_pipeline(osiris):
    osiris.shop.server.say(intent(), plan())
    done = osiris("chat", "customers by city", "--non-interactive", "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["ok"], made["state"], made["needed"]) == (True, "APPROVAL", None)
    assert made["pipeline"]["file"] == "output/cities.yaml"
    assert made["pipeline"]["assumptions"] == ["Every customer counts."]
    assert made["usage"]["cost_usd"] is None
    assert made["run"] is None
    assert not (osiris.shop.path / "output" / "result.csv").exists()
    assert osiris("run", "output/cities.yaml").returncode == 0
    assert (osiris.shop.path / "output" / "result.csv").exists()


def test_it_runs_with_a_yes_only(osiris):
    osiris.shop.server.say(intent(), plan(), intent(), plan())
    done = osiris("chat", "customers by city", "--non-interactive", "--run", "--json")
    assert (done.returncode, json.loads(done.stdout)["needed"]) == (3, "approval")
    assert not (osiris.shop.path / "output" / "result.csv").exists()
    done = osiris("chat", "customers by city", "--non-interactive", "--run", "--yes", "--json")
    assert (done.returncode, json.loads(done.stdout)["run"]["status"]) == (0, "succeeded")
    assert (osiris.shop.path / "output" / "result.csv").read_text() == "city,n\nOslo,2\nRome,1\n"


def test_a_limit_of_cost_with_a_price_of_ones_own(osiris):
    settings = osiris.shop.path / "osiris.yaml"
    wish = ("chat", "customers by city", "--non-interactive", "--json", "--max-cost", "0.0001")
    done = osiris(*wish)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "OSR-CHAT-017")
    assert osiris.shop.server.calls == []
    prices = "  prices:\n    openai_compatible:test-model: {input: 1, output: 4, cached: 0.5}\n"
    settings.write_text(settings.read_text() + prices)
    osiris.shop.server.say(intent())
    done = osiris(*wish)
    assert json.loads(done.stdout)["error"]["code"] == "OSR-CHAT-011"
    assert len(osiris.shop.server.calls) == 1
    osiris.shop.server.say(intent(), plan())
    done = osiris(*wish[:-1], "1")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["usage"]["cost_usd"] == pytest.approx(2 * (80 * 1 + 20 * 0.5 + 30 * 4) / 1e6)


def test_a_fallback_that_cannot_be_used_is_a_note(osiris):
    settings = osiris.shop.path / "osiris.yaml"
    settings.write_text(settings.read_text() + "  fallback: [local, replay]\n")
    osiris.shop.server.say(intent(), plan())
    wish = ("chat", "customers by city", "--non-interactive")
    done = osiris(*wish, XDG_CACHE_HOME=str(osiris.shop.path / "empty"))
    assert done.returncode == 0, done.stderr
    assert "replay:model could not be asked" in done.stderr
    osiris.shop.server.on(".", Status(401, "no"))
    done = osiris(*wish, XDG_CACHE_HOME=str(osiris.shop.path / "empty"))
    assert done.returncode == 5
    assert "local:model does not answer (there is no model in " in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--yes"], "--yes needs --run"),
        (["--non-interactive", "--yes"], "--yes needs --run"),
        (["--non-interactive", "--echo"], "--echo"),
        (["--json"], "--json needs"),
        (["--sql", "SELECT 1"], "--sql needs"),
        (["--sql", "SELECT 1", "--non-interactive", "--model", "m"], "--sql asks no model"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(osiris, options, said):
    done = osiris("chat", "customers by city", *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert osiris.shop.server.calls == []


def test_a_pipeline_of_a_query(osiris):
    """No model is asked, and none has to be there."""
    folder = osiris.shop.path
    (folder / "osiris.yaml").write_text("{}\n")
    query = "SELECT city, count(*) AS n FROM customers GROUP BY city ORDER BY city"
    done = osiris("chat", "--sql", query, "--non-interactive", "--json")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["state"], made["usage"]["calls"], made["run"]) == ("APPROVAL", 0, None)
    assert made["pipeline"]["file"] == "output/result.yaml"
    assert not (folder / "output" / "result.csv").exists()
    assert osiris("run", "output/result.yaml").returncode == 0
    assert (folder / "output" / "result.csv").read_text() == "city,n\nOslo,2\nRome,1\n"
    wish = "as Parquet, to output/cities.parquet"
    done = osiris("chat", wish, "--sql", query, "--non-interactive", "--run", "--yes")
    assert done.returncode == 0, done.stderr
    assert (folder / "output" / "cities.parquet").exists()
    assert osiris.shop.server.calls == []


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT * FROM custmers", "custmers"),
        ("SELECT nothing FROM customers", "nothing"),
        ("DROP TABLE customers", "DROP is not run"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("SELECT '${DB_PASSWORD}' AS x FROM customers", "refers to nothing"),
        ("", "there is no query"),
    ],
)
def test_a_query_that_becomes_no_pipeline(osiris, query, said):
    done = osiris("chat", "--sql", query, "--non-interactive")
    assert done.returncode == 2
    assert said in done.stderr
    assert not (osiris.shop.path / "output").exists()
    (record,) = Session.all(logs=osiris.shop.path / "logs")
    assert (record.status, record.error["exit_code"]) == ("failed", 2)
    assert said in json.dumps(record.error)


def test_a_question_nobody_can_answer(osiris):
    osiris.shop.server.say(intent(question="Which year?"))
    done = osiris("chat", "customers", "--non-interactive")
    assert done.returncode == 3
    (record,) = Session.all(logs=osiris.shop.path / "logs")
    assert (record.status, record.error) == ("succeeded", None)
    assert "Which year?" in done.stdout
    assert "answer is needed" in done.stderr


def test_what_cannot_be_done(osiris):
    osiris.shop.server.say(intent(), impossible("There are no salaries."))
    done = osiris("chat", "salaries", "--non-interactive")
    assert done.returncode == 2
    assert "There are no salaries." in done.stdout


def test_a_model_that_does_not_answer(osiris):
    osiris.shop.server.on(".", Status(401, "no"))
    done = osiris("chat", "customers", "--non-interactive")
    assert done.returncode == 5
    assert "OSR-LLM-003" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_secret_of_a_connection_is_known_before_the_first_call(osiris):
    """Also of a connection that is never opened; one that cannot be had is noted."""
    (osiris.shop.path / "osiris_connections.yaml").write_text(
        "connections:\n  filesystem:\n    data: {root: data, writable: false}\n  mysql:\n"
        '    shop: {host: 127.0.0.1, database: shop, user: ann, password: "${DB_PASSWORD}"}\n'
        '    old: {host: 127.0.0.1, database: shop, user: ann, password: "${nowhere:OLD_PASSWORD}"}\n'
    )
    osiris.shop.server.say(intent(), plan())
    done = osiris("chat", f"customers of {PASSWORD}", "--non-interactive")
    assert "OSR-CHAT-010" in done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert osiris.shop.server.calls == []
    assert "not known" in done.stderr
    assert "OLD_PASSWORD" in done.stderr


def test_lines_from_a_pipe(osiris):
    osiris.shop.server.say(intent(), plan())
    text = "customers by city\n/plan\n/preview\n/nonsense\n/run\nyes\n/quit\n"
    done = osiris("chat", text=text)
    assert done.returncode == 0, done.stderr
    shown = done.stdout + done.stderr
    assert "writes result to output/result.csv" in shown
    assert "Oslo" in shown
    assert "/nonsense" in shown
    assert (osiris.shop.path / "output" / "result.csv").exists()
    assert "\x1b" not in shown


def test_a_conversation_that_approves_beforehand(osiris):
    osiris.shop.server.say(intent(), plan())
    done = osiris("chat", "customers by city", "--run", "--yes")
    assert done.returncode == 0, done.stderr
    assert "writes result to output/result.csv" in done.stdout
    assert (osiris.shop.path / "output" / "result.csv").exists()


def test_a_run_of_a_conversation_leaves_what_the_settings_want(osiris):
    osiris.shop.server.say(intent(), plan())
    (osiris.shop.path / ".env").write_text("OSIRIS_AIOP_AUTO=always\nOSIRIS_LOGGING_REPORT=always\n")
    done = osiris("chat", "customers by city", "--run", "--yes")
    assert done.returncode == 0, done.stderr
    (record,) = osiris.shop.path.glob("logs/run_*")
    assert json.loads((record / "aiop.json").read_text())["evidence"]["run"]["status"] == "succeeded"
    assert (record / "report.html").exists()


def test_it_says_what_is_wrong_with_the_settings(osiris):
    """The project is opened as by every other command."""
    osiris.shop.server.say(intent(), plan())
    (osiris.shop.path / ".env").write_text("OSIRIS_LLM_MODLE=x\n")
    done = osiris("chat", "customers by city", "--non-interactive")
    assert done.returncode == 0
    assert "OSIRIS_LLM_MODLE" in done.stderr


def test_a_pipe_that_ends_before_the_approval(osiris):
    osiris.shop.server.say(intent(), plan())
    done = osiris("chat", text="customers by city\n")
    assert done.returncode == 3
    assert not (osiris.shop.path / "output" / "result.csv").exists()


def test_going_on_with_the_last_conversation(osiris):
    osiris.shop.server.say(intent(), plan())
    osiris("chat", text="customers by city\n")
    done = osiris("chat", "--resume", "last", text="/run\nyes\n/quit\n")
    assert done.returncode == 0, done.stderr
    assert (osiris.shop.path / "output" / "result.csv").exists()
    done = osiris("chat", "--resume", "last", text="/plan\n/validate\n/plan\n/quit\n")
    assert done.stderr.count("has not been proved since the conversation was resumed") == 1
    assert "not proved" not in done.stderr
    assert "reads" in done.stdout


def test_prompts_of_ones_own(osiris):
    prompts = osiris.shop.path / "prompts"
    assert osiris("dump-prompts", "--export").returncode == 0
    assert osiris("dump-prompts", "--export").returncode == 2
    (prompts / "plan.md").write_text("Mine: {{tables}} {{destinations}}\n")
    osiris.shop.server.say(intent(), plan())
    assert osiris("chat", "customers", "--non-interactive", "--pro-mode", "prompts").returncode == 0
    assert osiris.shop.server.calls[-1].body["messages"][0]["content"].startswith("Mine: ")
    (prompts / "plan.md").write_text("Mine:\n{{tabels}} {{destinations}}\n")
    done = osiris("chat", "customers", "--non-interactive", "--pro-mode", "prompts")
    assert done.returncode == 2
    assert "prompts/plan.md:2" in done.stderr
    assert "tables" in done.stderr
    (prompts / "plan.md").write_text("Mine: {{destinations}}\n")
    assert "lacks {{tables}}" in osiris("chat", "x", "--non-interactive", "--pro-mode", "prompts").stderr


def test_what_is_told_of_components_is_complete(osiris):
    done = osiris("prompts", "build-context")
    assert done.returncode == 0
    for needed in ("filesystem.csv_writer", "`null_text`", "`incremental.cursor`", "hint:"):
        assert needed in done.stdout


def test_providers(osiris):
    listed = json.loads(osiris("llm", "list", "--json").stdout)["providers"]
    assert {one["provider"]: one["chosen"] for one in listed}["openai_compatible"] == "first"
    assert osiris("llm", "models").stdout == "test-model\n"
    osiris.shop.server.on(".", {"ready": True})
    assert osiris("llm", "doctor", "--json").returncode == 0
    done = osiris("llm", "doctor", "--provider", "nobody")
    assert done.returncode == 2
    done = osiris("chat", "x", "--non-interactive", "--provider", "replay")
    assert done.returncode == 2
    assert "llm.providers.replay" in done.stderr


def test_an_evaluation(osiris):
    folder = osiris.shop.path
    (folder / "suite.yaml").write_text(
        "name: shop\ntables: {customers: data/customers.parquet}\nintents:\n"
        "  - {id: by-city, utterance: customers by city, expect: approved, gold: [{sql: "
        '"SELECT city, count(*) FROM customers GROUP BY city"}]}\n'
        "  - {id: wrong, utterance: names, expect: approved, gold: [{sql: SELECT name FROM customers}]}\n"
        "  - {id: no, utterance: drop it, expect: refused}\n"
    )
    osiris.shop.server.say(intent(), plan(), intent(), plan(), intent(), impossible())
    done = osiris("eval", "suite.yaml", "--out", "r.json", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {one["id"]: one["right"] for one in report["wishes"]} == {"by-city": True, "wrong": False, "no": True}
    assert report["totals"]["right"] == 2
    assert report["complete"] is True
    assert json.loads((folder / "r.json").read_text())["wishes"] == report["wishes"]
    assert report["totals"]["questions_after_discovery"] == 0
    osiris.shop.server.say(intent(), plan("SELECT name FROM customers"))
    done = osiris("eval", "suite.yaml", "--only", "wrong", "--compare", "r.json", "--json")
    assert json.loads(done.stdout)["compared"]["better"] == ["wrong"]
    osiris.shop.server.say(intent(), plan())
    assert osiris("eval", "suite.yaml", "--only", "wrong", "--at-least", "50").returncode == 1
    assert osiris("eval", "suite.yaml", "--only", "nothing").returncode == 2


SUITE = (
    "name: shop\ntables: {customers: data/customers.parquet}\nintents:\n"
    "  - {id: no, utterance: drop it, expect: refused}\n"
    "  - {id: names, utterance: names, expect: approved, gold: [{sql: SELECT name FROM customers}]}\n"
)


def test_ctrl_c_ends_an_evaluation_and_leaves_what_was_judged(osiris):
    folder, server = osiris.shop.path, osiris.shop.server
    (folder / "suite.yaml").write_text(SUITE)
    server.say(intent(), impossible(), Reply(fault="mute"))
    arguments = [*COMMAND, "eval", "suite.yaml", "--out", "r.json"]
    with subprocess.Popen(arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert all(server.came.acquire(timeout=60) for _ in range(3))
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "right  no" in said
    report = json.loads((folder / "r.json").read_text())
    assert (report["complete"], [one["id"] for one in report["wishes"]]) == (False, ["no"])


def test_what_the_service_does_not_answer_says_nothing_of_the_model(osiris):
    (osiris.shop.path / "suite.yaml").write_text(SUITE)
    osiris.shop.server.say(*[Status(503, "busy")] * 3, intent(), plan("SELECT name FROM customers"))
    done = osiris("eval", "suite.yaml", "--json", "--at-least", "100")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert [(one["answered"], one["right"]) for one in report["wishes"]] == [(False, False), (True, True)]
    totals = report["totals"]
    assert (totals["unanswered"], totals["right"], totals["right_percent"], totals["bound"]) == (1, 1, 100.0, 1)
    osiris.shop.server.say(intent(), plan("SELECT name FROM customers"), *[Status(503, "busy")] * 3)
    done = osiris("eval", "suite.yaml", "--only", "names", "--n", "2", "--json")
    totals = json.loads(done.stdout)["totals"]
    assert (totals["unanswered"], totals["wishes"], totals["right_percent"]) == (1, 0, None)  # not right each time
    osiris.shop.server.say(Status(401, "no"))
    done = osiris("eval", "suite.yaml", "--out", "r.json")
    assert done.returncode == 5
    assert "OSR-LLM-003" in done.stderr
    report = json.loads((osiris.shop.path / "r.json").read_text())
    assert (report["complete"], report["wishes"]) == (False, [])


@pytest.mark.parametrize(
    ("old", "new", "arguments", "code"),
    [
        ("SELECT name", "SELECT nmae", ["--out", "r.json"], "OSR-EVL-006"),
        ("", "", ["--out", "nowhere/r.json"], "OSR-EVL-007"),
    ],
)
def test_an_evaluation_that_cannot_end_does_not_begin(osiris, old, new, arguments, code):
    (osiris.shop.path / "suite.yaml").write_text(SUITE.replace(old, new) if old else SUITE)
    done = osiris("eval", "suite.yaml", *arguments)
    assert done.returncode == 2
    assert code in done.stderr
    assert osiris.shop.server.calls == []


def test_the_prompt_is_reached_without_any_sdk():
    code = (
        "import sys, osiris_core.cli.chat, osiris_core.cli.terminal, osiris_core.chat.opening;"
        "print(sorted({'openai', 'anthropic', 'google.genai', 'httpx2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
