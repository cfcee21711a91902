"""``osiris chat`` along a pipe: a line in, lines out, an exit status."""

from __future__ import annotations

import json
import re

import pytest

from tests.chat.conftest import intent, plan
from tests.chat.terminals import few_flights, piped, project
from tests.servers.models import ModelServer, Status

pytestmark = pytest.mark.matrix  # what is typed and sent is the same on every Python

CARRIERS = "SELECT carrier, count(*) AS n FROM flights GROUP BY carrier ORDER BY carrier"


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


def test_a_conversation_of_lines(flights, server):
    server.say(intent(), plan(CARRIERS))
    done = piped(flights, "flights per carrier\n/sql result\n/run\nyes\n")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "osiris>" not in done.stdout
    assert "-- result\nSELECT\n" in done.stdout
    assert "record: logs/run_" in done.stdout
    assert (flights / "output" / "result.csv").read_text().startswith("carrier,n\n9E,1168\n")


def test_lines_are_shown_when_that_is_wanted(flights, server):
    server.say(intent(), plan(CARRIERS))
    secret = "postgres://ann:sesame-opens-7@db/x"  # pragma: allowlist secret
    done = piped(flights, f"flights\\\nper carrier\n/tables {secret}\n/run\nno\n", "--echo")
    assert "osiris> flights\\\n   ...> per carrier\n" in done.stdout
    assert "osiris> /tables postgres://ann:" in done.stdout
    assert "sesame" not in done.stdout + done.stderr
    assert "Run this pipeline? [yes / edit / no] no\n" in done.stdout


@pytest.mark.parametrize("text", ["flights per carrier\n", "flights per carrier\n/run\n"])
def test_no_approval_is_exit_3(flights, server, text):
    server.say(intent(), plan(CARRIERS))
    done = piped(flights, text)
    assert done.returncode == 3, done.stderr
    assert "needed" in done.stderr
    assert not (flights / "output" / "result.csv").exists()


def test_a_question_without_an_answer_is_exit_3(flights, server):
    server.say(intent(question="Which year?"))
    done = piped(flights, "flights of that year\n")
    assert done.returncode == 3
    assert "» Which year?" in done.stdout


def test_what_is_kept_needs_no_approval(flights, server):
    server.say(intent(), plan(CARRIERS))
    done = piped(flights, "flights per carrier\n/save mine.yaml\n")
    assert done.returncode == 0, done.stderr
    assert (flights / "mine.yaml").read_text() == (flights / "output" / "cities.yaml").read_text()


def test_a_query_may_begin_in_the_line_after_its_command(flights, server):
    server.say(intent(), plan(CARRIERS))
    done = piped(flights, "flights per carrier\n/sql\\\nFROM result LIMIT 1\n/save\n")
    assert done.returncode == 0, done.stderr
    assert "9E\t1168\n" in done.stdout


def test_another_file_is_not_replaced_without_a_yes(flights, server):
    server.say(intent(), plan(CARRIERS))
    (flights / "mine.yaml").write_text("mine")
    done = piped(flights, "flights per carrier\n/save mine.yaml\nno\n/quit\n")
    assert "nothing was written" in done.stderr
    assert (flights / "mine.yaml").read_text() == "mine"


def test_resuming_runs_nothing_and_says_that_a_run_was_cut_off(flights, server):
    server.say(intent(), plan(CARRIERS))
    killed = {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": "after_publish@store_result:kill"}
    done = piped(flights, "flights per carrier\n/run\nyes\n", **killed)
    assert done.returncode not in range(128)
    old = flights / "output" / "result.csv"
    old.unlink()
    again = piped(flights, "/quit\n", "--resume", "last", "--run", "--yes")
    assert again.returncode == 0, again.stderr
    assert "it ended in the middle of a run: look at what has been written" in again.stderr
    assert "- writes result to output/result.csv" in again.stdout
    assert not old.exists()
    other = plan(CARRIERS, outputs=[{**plan()["outputs"][0], "target": "output/other.csv"}])
    server.say(intent(), other)
    last = piped(flights, "/quit\n", "into another file", "--resume", "last", "--run", "--yes")
    assert last.returncode == 0, last.stderr
    assert "in the middle of a run" not in last.stderr
    assert (flights / "output" / "other.csv").exists()
    assert not old.exists()


@pytest.mark.parametrize("path", ["~nosuchuser/x.yaml", "a\0.yaml", "no/such/folder.yaml"])
def test_what_cannot_be_saved_does_not_end_it(flights, server, path):
    server.say(intent(), plan(CARRIERS))
    done = piped(flights, f"flights per carrier\n/save {path}\n/save mine.yaml\n")
    assert done.returncode == 0, done.stderr
    assert "cannot be written: " in done.stderr
    assert "saved: mine.yaml" in done.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/tabels", "there is no command '/tabels'; did you mean '/tables'?"),
        ("/show", "there is no pipeline yet: say what you want"),
        ("/run", "there is no pipeline yet: say what you want"),
        ("/diff", "there is no pipeline yet: say what you want"),
        ("/privacy sent", "nothing has been sent since this conversation was opened"),
        ("/tables @filesystem.dat", "there is no connection @filesystem.dat; did you mean '@filesystem.data'?"),
        ("/describe flight", "there is no table 'flight'; did you mean 'flights'?"),
        ("/describe", "/describe needs a table, e.g. one of /tables"),
        ("/resume", "there is no other conversation in this project"),
        ("/cost now", "/cost takes nothing after it"),
    ],
)
def test_what_cannot_be_done_says_why(flights, line, said):
    done = piped(flights, f"{line}\n")
    assert (done.returncode, done.stderr.strip()) == (2, said)


def test_a_model_that_fails_is_said_and_the_conversation_goes_on(flights, server):
    server.say(Status(401, "no such key"), intent(), plan(CARRIERS))
    done = piped(flights, "flights per carrier\nflights per carrier\n/quit\n")
    assert "no such key" in done.stderr
    assert "- computes result from flights: carrier, n" in done.stdout
    assert done.returncode == 0


def test_a_preview_changes_nothing(flights, server):
    server.say(intent(), plan(CARRIERS))
    done = piped(flights, "flights per carrier\n/preview\n/quit\n")
    assert "carrier VARCHAR\tn BIGINT\n9E\t1168\n" in done.stdout
    assert {path.name for path in flights.iterdir()} == {
        ".osiris",
        "data",
        "logs",
        "osiris.yaml",
        "osiris_connections.yaml",
        "output",
    }
    assert [path.name for path in (flights / "output").iterdir()] == ["cities.yaml"]
    assert all(path.name.startswith("chat_") or path.name.startswith(".") for path in (flights / "logs").iterdir())


def test_another_model(flights, server):
    server.models = ("test-model", "other")
    server.say(intent(), plan(CARRIERS))
    done = piped(flights, "/model openai_compatible:other\n/model\nflights per carrier\n/model nobody:x\n/quit\n")
    assert "openai_compatible:other (asked first)\nopenai_compatible:test-model\n" in done.stdout
    assert server.calls[0].body["model"] == "other"
    assert "nobody" in done.stderr


def shown_call(text):
    """The messages and the schema that /privacy has shown, the last time it did."""
    parts = re.split(r"(?m)^--- (system|user|assistant|the form of the reply \(JSON Schema\)) ---\n", text)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    schema = json.loads(found.pop("the form of the reply (JSON Schema)").split("\n")[0])
    return {role: said.removesuffix("\n") for role, said in found.items()}, schema


def sent_call(call):
    """The same of a call that has come."""
    return (
        {one["role"]: one["content"] for one in call.body["messages"]},
        call.body["response_format"]["json_schema"]["schema"],
    )


def test_privacy_shows_the_next_call_as_it_will_be(flights, server):
    server.say(intent(), plan(CARRIERS))
    done = piped(flights, "/privacy flights per carrier\nflights per carrier\n/quit\n")
    before = done.stdout.partition("pipeline cities")[0]
    assert "The next call, for 'intent', would send this and nothing else:" in before
    assert shown_call(before) == sent_call(server.calls[0])


def test_privacy_shows_the_next_call_of_a_conversation_under_way(flights, server):
    server.say(intent(), plan(CARRIERS), intent(), plan(CARRIERS))
    done = piped(flights, "flights per carrier\n/privacy by month\nby month\n/quit\n")
    assert shown_call(done.stdout.rpartition("pipeline cities")[0]) == sent_call(server.calls[2])


def test_privacy_without_clarification_shows_the_plan(flights, server):
    server.say(plan(CARRIERS), plan(CARRIERS))
    done = piped(flights, "/privacy x y\nflights per carrier\n/privacy by month\nby month\n/quit\n", "--fast")
    assert "no table has been looked at yet" in done.stderr
    assert "The next call, for 'plan', would send" in done.stdout
    assert shown_call(done.stdout.rpartition("pipeline cities")[0]) == sent_call(server.calls[1])


def test_privacy_shows_what_was_sent_last(flights, server):
    server.say(intent(), plan(CARRIERS))
    done = piped(flights, "flights per carrier\n/privacy sent\n/quit\n")
    assert "Sent last, to openai_compatible:test-model, for 'plan':" in done.stdout
    assert shown_call(done.stdout) == sent_call(server.calls[1])


def test_another_provider_gets_the_form_that_suits_it(flights, server):
    """Where the settings do not say which form, a model on this machine gets the small one."""
    settings = flights / "osiris.yaml"
    settings.write_text(settings.read_text().replace("  providers:\n", "  providers:\n    local: {path: none.gguf}\n"))
    server.say(plan(CARRIERS))
    lines = "flights per carrier\n/model local\n/privacy more\n/model openai_compatible:test-model\n/privacy more\n"
    done = piped(flights, f"{lines}/quit\n", "--fast")
    assert done.stderr.count("is asked from now on") == 2
    purposes = re.findall(r"The next call, for '(\w+)'", done.stdout)
    assert purposes == ["guided", "plan"]
    settings.write_text(settings.read_text().replace("llm:\n", "llm:\n  guided: false\n"))
    server.say(plan(CARRIERS))
    again = piped(flights, "flights per carrier\n/model local\n/privacy more\n/quit\n", "--fast")
    assert re.findall(r"The next call, for '(\w+)'", again.stdout) == ["plan"]


def test_a_query_of_ones_own(flights, server):
    server.say(intent(), plan(CARRIERS))
    done = piped(
        flights,
        "/sql SELECT name FROM airlines ORDER BY name LIMIT 2\n"
        "flights per carrier\n"
        "/sql FROM result WHERE n > 3400 ORDER BY n\n"
        "/sql SELECT count(DISTINCT f.origin) AS origins, max(r.n) AS most FROM flights f, result r\n"
        "/sql SELECT range AS i FROM range(200), airlines LIMIT 120\n/quit\n",
    )
    assert done.returncode == 0, done.stderr
    assert "name VARCHAR\nAirTran Airways Corporation\nAlaska Airlines Inc.\n" in done.stdout
    assert "carrier VARCHAR\tn BIGINT\nEV\t3456\nB6\t3629\nUA\t3806\n" in done.stdout
    # A table has all its columns, though the draft reads but one of them.
    assert "origins BIGINT\tmost BIGINT\n3\t3806\n" in done.stdout
    assert "the first 50 of 120 rows" in done.stderr
    assert not (flights / "output" / "result.csv").exists()
    assert not list(flights.glob("logs/run_*"))


REFUSED = [
    ("DELETE FROM flights", "DELETE is not run here: a query reads, and changes nothing"),
    ("DROP TABLE flights", "DROP is not run here"),
    ("COPY flights TO 'x.csv'", "COPY is not run here"),
    ("INSTALL httpfs", "INSTALL is not run here"),
    ("SELECT 1; DELETE FROM flights", "2 statements were given"),
    ("SELECT * FROM flighs", "there is no table 'flighs'"),
    ("SELECT * FROM read_csv('/etc/passwd')", "read_csv"),
    ("SELECT * FROM '/etc/passwd'", "there is no table '/etc/passwd'"),
    ("SELECT getenv('HOME') FROM airlines", "getenv"),
    ("SELECT nme FROM airlines", "name"),
    ("SELECT FROM WHERE", "the query cannot be read"),
    ("SELECT '${params.x}' FROM airlines", "'${' refers to nothing here"),
]


def test_a_query_that_does_more_than_read_is_refused_with_a_reason(flights):
    done = piped(flights, "".join(f"/sql {query}\n" for query, _ in REFUSED))
    assert done.returncode in (1, 2), done.stdout + done.stderr
    errors = done.stderr.split("error[")[1:]
    assert len(errors) == len(REFUSED), done.stderr
    for (query, said), error in zip(REFUSED, errors, strict=True):
        assert said in error, query
    assert sum(error.startswith("OSR-CHAT-035") for error in errors) >= 6
    assert "Traceback" not in done.stderr
