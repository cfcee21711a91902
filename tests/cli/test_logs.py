"""``osiris logs``: whatever state a record is in, it lists."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import zipfile

import pytest

from osiris_core.ids import new_session_id
from osiris_core.report.session import Session
from osiris_core.run.process import this_process
from tests.report.records import record
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
    for time in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        assert shop.osiris("logs", "list", "--since", time).returncode == 2
        assert shop.osiris("logs", "list", "--until", time).returncode == 2
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
    stopped = shown["stopped"]
    assert (stopped["event"], stopped["step"], stopped["running"]) == ("write_staged", "store", ["numbers", "store"])
    text = shop.osiris("logs", "last").stdout
    assert f"after write_staged of step 'store' at {stopped['at']}; running then: numbers, store" in text
    assert " s\n" not in text.partition("step")[2]  # nobody knows how long they took
    tail = shop.osiris("logs", "tail", "-f", "-n", "1")
    assert tail.returncode == 0
    assert "write_staged" in tail.stdout
    assert "crashed after write_staged of step 'store'" in tail.stderr


@pytest.mark.parametrize("command", ["list", "last", "gc"])
def test_a_folder_that_is_named_and_not_there_is_no_empty_one(remote_shop, command):
    done = remote_shop.osiris("logs", command, "--logs", "nope", *(["--days", "1"] if command == "gc" else []))
    assert done.returncode == 2
    assert "'nope' does not exist" in done.stderr


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


def test_filters_and_order(remote_shop):
    logs = remote_shop.folder / "logs"
    slow = record(logs, days=3, pipeline="a", duration_ms=9000, rows=1, labels={"team": "x", "tier": "1"})
    fast = record(logs, days=2, pipeline="a", duration_ms=10, rows=5, labels={"team": "y"}, target="e2b")
    record(logs, days=1, kind="chat", pipeline=None)

    def ids(*arguments):
        return [one["session"] for one in listed(remote_shop, *arguments)]

    assert ids("--label", "team") == [fast.name, slow.name]
    assert ids("--label", "team=x", "--label", "tier=1") == [slow.name]
    assert ids("--label", "team=x", "--label", "tier=2") == []
    assert ids("--target", "e2b") == [fast.name]
    assert ids("--kind", "run", "--until", "2026-05-30") == [slow.name]
    assert ids("--kind", "run", "--sort", "duration") == [slow.name, fast.name]
    assert ids("--kind", "run", "--sort", "rows") == [fast.name, slow.name]
    assert ids("--kind", "run", "--reverse") == [slow.name, fast.name]
    assert "team=x, tier=1" in remote_shop.osiris("logs", "list").stdout
    assert "labels    team=x, tier=1" in remote_shop.osiris("logs", "show", slow.name).stdout
    assert remote_shop.osiris("logs", "list", "--sort", "colour").returncode == 2


def test_a_bundle_goes_elsewhere(remote_shop, tmp_path, new_site):
    shop = remote_shop
    ran(shop, numbers(fault="driver"), store())
    (record_folder,) = shop.records()
    made = json.loads(shop.osiris("logs", "bundle", record_folder.name, "--json").stdout)
    assert made["bundle"] == f"{record_folder.name}.zip"
    assert made["files"][0] == "events.jsonl"
    file = shop.folder / made["bundle"]
    assert (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest()) == (made["bytes"], made["sha256"])
    again = shop.osiris("logs", "bundle", record_folder.name)
    assert (again.returncode, "OSR-LOG-007" in again.stderr) == (2, True)
    assert shop.osiris("logs", "bundle", record_folder.name, "--force").returncode == 0
    assert hashlib.sha256(file.read_bytes()).hexdigest() == made["sha256"]

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shown = json.loads(new_site().osiris("logs", "show", "--bundle", str(file), "--json", cwd=elsewhere).stdout)
    assert (shown["session"], shown["status"]) == (record_folder.name, "failed")
    assert shown["record"] == str(file)
    assert shown["error"]["code"] == "OSR-SAMPLE-001"
    text = shop.osiris("logs", "show", "--bundle", str(file), "--events").stdout
    assert "step_started step=numbers" in text
    for arguments in ([], [record_folder.name, "--bundle", str(file)]):
        refused = shop.osiris("logs", "show", *arguments)
        assert (refused.returncode, "OSR-LOG-004" in refused.stderr) == (2, True)
    file.write_text("no zip")
    refused = shop.osiris("logs", "show", "--bundle", str(file))
    assert (refused.returncode, "OSR-LOG-005" in refused.stderr) == (2, True)


def test_a_bundle_knows_the_secrets_of_the_project(remote_shop):
    """Also of a connection that lacks something else, and those that came into the record before they were secret."""
    shop = remote_shop
    ran(shop)
    (folder,) = shop.records()
    with (folder / "osiris.log").open("a") as log:
        log.write("it said sup3r-s3cret-words-1 and sup3r-s3cret-words-2\n")
    (shop.folder / "osiris_connections.yaml").write_text(
        "version: 1\nconnections:\n  sample:\n"
        "    whole: {path: x, password: '${ONE}'}\n"
        "    lacking: {path: '${NOT_SET_ANYWHERE}', password: '${TWO}'}\n"
    )
    env = {"ONE": "sup3r-s3cret-words-1", "TWO": "sup3r-s3cret-words-2"}  # pragma: allowlist secret
    done = shop.osiris("logs", "bundle", folder.name, env=env)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(shop.folder / f"{folder.name}.zip") as archive:
        said = archive.read(f"{folder.name}/osiris.log").decode()
    assert "it said *** and ***" in said


def test_gc(remote_shop):
    shop = remote_shop
    ran(shop)
    ran(shop)
    ran(shop, numbers(fault="driver"), store(), name="bad")
    refused = shop.osiris("logs", "gc", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (2, "OSR-LOG-008")
    oldest, last, bad = (folder.name for folder in shop.records())
    planned = json.loads(shop.osiris("logs", "gc", "--days", "0", "--dry-run", "--json").stdout)
    assert [one["session"] for one in planned["removed"]] == [oldest, bad]
    assert planned["kept"] == {"the last success of its pipeline": 1}
    assert len(shop.records()) == 3
    done = shop.osiris("logs", "gc", "--keep-last", "0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].startswith(f"{oldest}\tsucceeded\tp\t")
    assert "1 session removed" in done.stdout
    assert "kept: 1 (not old: the next run may resume it)" in done.stderr
    assert [one["session"] for one in listed(shop)] == [bad, last]


@pytest.mark.parametrize("option", ["--days", "--max-gb"])
def test_gc_by_no_number(remote_shop, option):
    done = remote_shop.osiris("logs", "gc", option, "nan", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "OSR-CLI-003")


def test_gc_says_what_it_cannot_remove(remote_shop):
    """A file system that refuses: the folder is the root of another one."""
    logs = remote_shop.folder / "logs"
    stuck, other = record(logs, days=9, status="failed"), record(logs, days=8, status="failed")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(stuck)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        for name in ("session.json", "status.json"):
            (stuck / name).write_bytes((other / name).read_bytes())
        done = remote_shop.osiris("logs", "gc", "--days", "1", "--json")
    finally:
        subprocess.run(["umount", str(stuck)], check=True)
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["error"]["code"]) == (1, False, "OSR-LOG-009")
    assert stuck.name in document["error"]["message"]
    assert [one["session"] for one in document["removed"]] == [other.name]


def test_diff(remote_shop):
    shop = remote_shop
    for rows in (3, 3, 4):
        ran(shop, numbers(rows=rows), store())
    one, same, other = (folder.name for folder in shop.records())
    equal = shop.osiris("logs", "diff", one, same, "--exit-code")
    assert equal.returncode == 0
    assert equal.stdout.splitlines()[-1] == "equal"
    differ = shop.osiris("logs", "diff", one, other)
    assert differ.returncode == 0
    assert "numbers\tconfig\tconfig.rows\t3\t4" in differ.stdout
    strict = shop.osiris("logs", "diff", one, other, "--exit-code", "--json")
    assert strict.returncode == 1
    document = json.loads(strict.stdout)
    assert not document["equal"]
    assert document["before"]["session"] == one


@pytest.mark.slow
def test_tail_follows_a_run_from_another_terminal(remote_shop):
    shop = remote_shop
    shop.write(numbers(rows=3), store())
    env = {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": "staged:hang"}
    run = shop.start("run", "p.yaml", env=env)
    shop.until(lambda: (shop.folder / "logs").exists() and "write_staged" in _events(shop))
    tail = shop.start("logs", "tail", "-f", "--json")
    first = json.loads(tail.stdout.readline())
    assert first["event"] == "run_started"
    run.send_signal(signal.SIGINT)
    rest, said = tail.communicate(timeout=60)
    run.communicate(timeout=60)
    assert tail.returncode == 0
    assert json.loads(rest.splitlines()[-1])["event"] == "run_finished"
    assert said.endswith(": interrupted\n")


def _events(shop):
    return "".join(path.read_text() for path in (shop.folder / "logs").glob("run_*/events.jsonl"))


def test_tail_says_what_it_cannot_read(remote_shop):
    assert remote_shop.osiris("logs", "tail").returncode == 2
    folder = record(remote_shop.folder / "logs")
    with (folder / "events.jsonl").open("a") as file:
        file.write('\n{"event": "step_finished", "step": "s"}\n{"half\n')
    done = remote_shop.osiris("logs", "tail")
    assert done.stdout.splitlines() == ["t run_started ", "{'event': 'step_finished', 'step': 's'}"]
    assert "1 line of events.jsonl cannot be read" in done.stderr


def test_open_says_where_the_page_is_and_shows_it_where_there_is_a_display(remote_shop, tmp_path):
    shop = remote_shop
    none = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": ""}
    assert "OSR-LOG-003" in shop.osiris("logs", "open", env=none).stderr
    ran(shop)
    done = shop.osiris("logs", "open", env=none)
    assert done.returncode == 0, done.stderr
    assert "there is no display here" in done.stderr
    page = shop.folder / done.stdout.strip()
    assert page.is_file()
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    (record_folder,) = shop.records()
    done = shop.osiris("logs", "open", record_folder.name, "--json", env={**none, "BROWSER": str(browser)})
    assert json.loads(done.stdout) == {"ok": True, "page": str(page), "opened": True}
    assert (tmp_path / "opened").read_text().strip() == page.as_uri()


def test_a_browser_that_does_not_start(remote_shop):
    """One document, which says so; of `open` it is no failure."""
    shop = remote_shop
    ran(shop)
    env = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": "/bin/false", "PATH": "/nowhere"}
    done = shop.osiris("logs", "open", "--json", env=env)
    assert (done.returncode, json.loads(done.stdout)["opened"]) == (0, False)
    assert "no browser could be started" in done.stderr
    done = shop.osiris("logs", "html", "--open", "--json", env=env)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (1, "OSR-LOG-031")


def test_a_folder_that_cannot_be_read_hides_no_other(tmp_path):
    closed, sound = record(tmp_path / "logs", days=1), record(tmp_path / "logs", days=2)
    closed.chmod(0)
    # Root may read everything, but without its capabilities.
    plain = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []

    def logs(*arguments):
        command = [*plain, sys.executable, "-m", "osiris_core", "logs", *arguments, "--logs", "logs"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    try:
        both = json.loads(logs("list", "--json"))["sessions"]
        assert [(one["session"], one["status"]) for one in both] == [
            (closed.name, "damaged"),
            (sound.name, "succeeded"),
        ]
        assert "its folder cannot be read" in both[0]["damage"]
        assert f"{closed.name}: damaged" in logs("last")
        assert "its folder cannot be read" in logs("show", closed.name)
        assert "succeeded" in logs("show", sound.name)
        assert "kept: 1 (its folder cannot be read)" in logs("gc", "--days", "0")
    finally:
        closed.chmod(0o755)
    assert (closed / "status.json").exists()


def test_the_last_one_is_a_run_and_no_conversation(remote_shop):
    logs = remote_shop.folder / "logs"
    run, chat = record(logs, days=1), record(logs, kind="chat")
    shown = json.loads(remote_shop.osiris("logs", "last", "--json").stdout)
    assert shown["session"] == run.name
    assert json.loads(remote_shop.osiris("logs", "aiop").stdout)["evidence"]["run"]["@id"].endswith(f"{run.name}")
    page = json.loads(remote_shop.osiris("logs", "html", "--json").stdout)["page"]
    assert run.name in page
    assert Session.last(logs=logs).id == run.name
    assert Session.last(kind="chat", logs=logs).id == Session.last(kind=None, logs=logs).id == chat.name


def test_a_record_without_a_pipeline_is_no_first_run(remote_shop):
    folder = record(remote_shop.folder / "logs")
    for name in ("session.json", "status.json"):
        (folder / name).write_text("{")
    packed = remote_shop.osiris("logs", "aiop").stdout
    assert json.loads(packed)["delta"]["first_run"] is False
    assert "the first run of its pipeline" not in packed


def test_minutes_may_have_a_zone(remote_shop):
    made = record(remote_shop.folder / "logs")  # at 12:00 UTC
    assert [one["session"] for one in listed(remote_shop, "--since", "2026-06-01T12:00Z")] == [made.name]
    assert listed(remote_shop, "--since", "2026-06-01T12:01Z") == []
    assert listed(remote_shop, "--since", "2026-06-01T12:00-01:00") == []


def test_a_page_that_cannot_be_written_is_named_as_it_was_given(remote_shop):
    made = record(remote_shop.folder / "logs")
    done = remote_shop.osiris("logs", "html", made.name, "--out", "nowhere/x.html")
    assert done.returncode != 0
    assert "nowhere/x.html" in done.stderr
    assert ".tmp" not in done.stderr


@pytest.mark.parametrize("command", [("run", "p.yaml"), ("connections", "doctor")])
def test_no_timeout_is_nan(remote_shop, command):
    done = remote_shop.osiris(*command, "--timeout", "nan")
    assert done.returncode == 2
    assert "nan is no number" in done.stderr
