"""``osiris logs``: whatever state a record is in, it lists."""

from __future__ import annotations

import json
import os

import pytest

from osiris_core.ids import new_session_id
from osiris_core.run.process import this_process
from tests.run.workshop import numbers, remote_shop, store

__all__ = ["remote_shop"]


def ran(shop, *steps, name="p", env=None):
    shop.write(*(steps or (numbers(rows=3), store())), name=name)
    return shop.osiris("run", f"{name}.yaml", env=env)


def listed(shop, *arguments):
    done = shop.osiris("logs", "list", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["sessions"]


def made(shop, **files):
    """A record written by hand."""
    folder = shop.folder / "logs" / new_session_id("run")
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    return folder


def test_an_empty_project_has_none(remote_shop):
    assert listed(remote_shop) == []
    done = remote_shop.osiris("logs", "last")
    assert done.returncode == 2
    assert "OSR-LOG-003" in done.stderr


def test_list_show_and_last(remote_shop):
    shop = remote_shop
    ran(shop)
    ran(shop, numbers(fault="driver"), store(), name="bad")
    newest, oldest = listed(shop)
    assert (newest["pipeline"], newest["status"], newest["error"]["code"]) == ("bad", "failed", "OSR-SAMPLE-001")
    assert (oldest["pipeline"], oldest["status"], oldest["rows"]) == ("p", "succeeded", 3)
    assert [one["pipeline"] for one in listed(shop, "--status", "failed")] == ["bad"]
    assert [one["pipeline"] for one in listed(shop, "--pipeline", "p")] == ["p"]
    assert [one["pipeline"] for one in listed(shop, "--limit", "1")] == ["bad"]
    assert listed(shop, "--kind", "compile") == []
    assert listed(shop, "--since", "2999-01-01") == []
    assert len(listed(shop, "--since", oldest["started"])) == 2
    assert [one["pipeline"] for one in listed(shop, "--since", newest["started"].replace("Z", "+00:00"))] == ["bad"]
    refused = shop.osiris("logs", "list", "--since", "31/01/2026", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (2, "OSR-CLI-003")
    message = json.loads(refused.stdout)["error"]["message"]
    assert "'31/01/2026' is no time; write 2026-01-31, " in message
    assert "%Y" not in message

    shown = json.loads(shop.osiris("logs", "show", oldest["session"][-8:], "--json", "--events").stdout)
    assert shown["session"] == oldest["session"]
    assert [event["event"] for event in shown["events"]][-1] == "run_finished"
    assert json.loads(shop.osiris("logs", "last", "--pipeline", "p", "--json").stdout)["session"] == oldest["session"]

    text = shop.osiris("logs", "last", "--events").stdout
    assert "bad" in text
    assert "error[OSR-SAMPLE-001] at step 'numbers' (sample.numbers): as told" in text
    assert "  = tell it otherwise" in text
    assert "step_started step=numbers" in text
    table = shop.osiris("logs", "list").stdout.splitlines()
    assert table[0].split("\t")[:3] == ["session", "status", "pipeline"]
    assert len(table) == 3


def test_a_session_that_is_not_there(remote_shop):
    shop = remote_shop
    ran(shop)
    ran(shop)
    done = shop.osiris("logs", "show", "nonsense", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "OSR-LOG-001"
    assert json.loads(shop.osiris("logs", "show", "run", "--json").stdout)["error"]["code"] == "OSR-LOG-002"
    assert shop.osiris("logs", "show", "../../etc").returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("files", "status"),
    [
        ({}, "damaged"),
        ({"session_json": ""}, "damaged"),
        ({"session_json": '{"kind": "run", "process": {"pid": "x"}}'}, "damaged"),
        ({"session_json": "[" * 100_000}, "damaged"),
        ({"status_json": '{"status": "succee'}, "damaged"),
        ({"status_json": '{"status": "perfect"}'}, "damaged"),
        ({"status_json": '{"status": "succeeded", "rows": "many", "steps": 7, "error": []}'}, "succeeded"),
        (
            {
                "status_json": f'{{"status": "failed", "duration_ms": 1{"0" * 400}, "steps": [{{"bytes": 1{"0" * 400}}}]}}'
            },
            "failed",
        ),
        ({"status_json": '{"status": "failed", "steps": [1, {"id": 5}], "error": {"message": null}}'}, "failed"),
    ],
)
def test_a_damaged_record_still_lists_and_shows(remote_shop, files, status):
    shop = remote_shop
    folder = made(shop, **files)
    (folder / "events.jsonl").write_bytes(b'{"event": "run_started"}\n{"ts": 1, "event": "step_\n\xff\xfe\n[1]\n')
    ran(shop)
    assert [one["status"] for one in listed(shop)] == ["succeeded", status]
    shown = json.loads(shop.osiris("logs", "show", folder.name, "--json").stdout)
    assert (status == "damaged") <= (shown["damage"] is not None)
    for extra in ([], ["--json"], ["--events"]):
        done = shop.osiris("logs", "show", folder.name, *extra)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
    assert json.loads(shop.osiris("logs", "show", folder.name, "--json").stdout)["damaged_lines"] == 3
    (folder / "events.jsonl").unlink()
    gone = shop.osiris("logs", "show", folder.name)
    assert "damaged" not in gone.stderr
    assert "events.jsonl is missing" in gone.stderr


def test_a_status_cut_short_is_damage_and_no_crash(remote_shop):
    shop = remote_shop
    ran(shop)
    (folder,) = shop.records()
    status = folder / "status.json"
    status.write_text(status.read_text()[:40])
    shown = shop.osiris("logs", "last")
    assert shown.stdout.splitlines()[0].endswith(": damaged")
    assert "status.json cannot be read" in shown.stdout
    assert "numbers\tsample.numbers\tsucceeded" in shown.stdout


def test_a_day_that_is_none(remote_shop):
    """The folder has the form of a session's name and a date that no calendar has."""
    folder = remote_shop.folder / "logs/run_20269999T999999999999Z_0123abcd"
    folder.mkdir(parents=True)
    (one,) = listed(remote_shop)
    assert (one["status"], one["started"]) == ("damaged", "20269999T999999999999Z")


def test_a_run_that_is_still_going(remote_shop):
    mark = this_process()
    opening = {"kind": "run", "pipeline": "p", "started": "2026-01-01T00:00:00.000Z"}
    process = {"pid": mark.pid, "started": mark.started, "host": mark.host}
    made(remote_shop, session_json=json.dumps({**opening, "process": process}))
    assert [one["status"] for one in listed(remote_shop)] == ["running"]
    dead = {**process, "started": "another time"}
    made(remote_shop, session_json=json.dumps({**opening, "process": dead}))
    assert [one["status"] for one in listed(remote_shop)] == ["crashed", "running"]


def test_a_crashed_run_shows_how_far_it_got(remote_shop):
    shop = remote_shop
    ran(shop, env={"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": "staged:kill"})
    shown = json.loads(shop.osiris("logs", "last", "--json").stdout)
    assert shown["status"] == "crashed"
    assert {one["id"]: one["status"] for one in shown["steps"]} == {"numbers": "running", "store": "running"}


def test_text_from_data_does_nothing_to_a_terminal(remote_shop):
    evil = "\x1b[2J[bold]x[/nonsense]\u202e"
    error = {"code": "OSR-X-001", "message": evil, "where": None, "hint": evil}
    status = {"status": "failed", "pipeline": evil, "error": error, "steps": [{"id": evil}]}
    folder = made(remote_shop, status_json=json.dumps(status))
    (folder / "events.jsonl").write_text(json.dumps({"ts": evil, "event": evil, "step": evil}) + "\n")
    for arguments in (["list"], ["last"], ["last", "--events"]):
        done = remote_shop.osiris("logs", *arguments)
        assert done.returncode == 0, done.stderr
        assert "\x1b" not in done.stdout
        assert "\u202e" not in done.stdout
        assert "[bold]x[/nonsense]" in done.stdout


def test_other_files_in_the_folder_are_ignored(remote_shop):
    ran(remote_shop)
    (remote_shop.folder / "logs" / "notes.txt").write_text("mine")
    (remote_shop.folder / "logs" / new_session_id("run")).write_text("a file with a session's name")
    os.symlink("nowhere", remote_shop.folder / "logs" / new_session_id("run"))
    assert len(listed(remote_shop)) == 1
