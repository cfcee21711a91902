"""``osiris chat`` along a pipe: a line in, lines out, an exit status."""

from __future__ import annotations

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


def test_another_file_is_not_replaced_without_a_yes(flights, server):
    server.say(intent(), plan(CARRIERS))
    (flights / "mine.yaml").write_text("mine")
    done = piped(flights, "flights per carrier\n/save mine.yaml\nno\n/quit\n")
    assert "nothing was written" in done.stderr
    assert (flights / "mine.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/tabels", "there is no command '/tabels'; did you mean '/tables'?"),
        ("/show", "there is no pipeline yet: say what you want"),
        ("/run", "there is no pipeline yet: say what you want"),
        ("/diff", "there is no pipeline yet: say what you want"),
        ("/privacy", "no table has been looked at yet, so no model has been told of any"),
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


def test_privacy_shows_what_is_sent(flights, server):
    server.say(intent(), plan(CARRIERS))
    done = piped(flights, "flights per carrier\n/privacy\n/quit\n")
    sent = server.calls[1].body["messages"][0]["content"]
    assert sent.strip() in done.stdout
