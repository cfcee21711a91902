"""With ``--json``, standard output holds one document, whatever plugins print and however the command ends."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from osiris_core.cli.output import print_json, print_note, print_table, print_text, redactor, reporting

WAYS = ("print", "buffer", "the original stream", "descriptor")
COMMAND = "from osiris_core.cli import main; main()"


@pytest.fixture(scope="module")
def site(new_site):
    """An observer that prints."""
    site = new_site()
    site.install("osiris-watches", {"watches": "osiris_watches"}, files=["osiris_watches"])
    return site


@pytest.fixture(scope="module")
def shop(site, tmp_path_factory):
    """A project with a pipeline that runs, and one that fails."""
    folder = tmp_path_factory.mktemp("shop")
    done = site.osiris("init", str(folder))
    assert done.returncode == 0, done.stderr
    text = (folder / "pipelines" / "sample.yaml").read_text()
    assert "SELECT" in text
    failing = text.replace("SELECT", "SELECT error('no stock') AS problem,", 1).replace("name: sample", "name: failing")
    (folder / "pipelines" / "failing.yaml").write_text(failing)
    return folder


def test_an_observer_that_prints_does_not_spoil_the_document_of_a_run(site, shop):
    done = site.osiris("run", "pipelines/sample.yaml", "--json", cwd=shop)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["ok"], document["status"]) == (True, "succeeded")
    for how in ("of a hook", "of a thread", "at the end"):
        for way in WAYS:
            assert f"SPOILED by {way} {how}" in done.stderr
    assert "SPOILED by a child" in done.stderr
    record = shop / document["record"] / "events.jsonl"
    assert "observer_failed" not in record.read_text()  # every way of printing went well


def test_nor_the_document_of_a_run_that_fails(site, shop):
    done = site.osiris("run", "pipelines/failing.yaml", "--json", cwd=shop)
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["ok"] is False
    assert "no stock" in document["error"]["message"]
    assert "SPOILED by print of a hook" in done.stderr


def test_for_people_the_outcome_is_on_standard_output_too(site, shop):
    done = site.osiris("run", "pipelines/sample.yaml", cwd=shop)
    assert done.returncode == 0
    assert "sample succeeded: " in done.stdout


@pytest.mark.parametrize("options", [[], ["--json"]])
@pytest.mark.parametrize(("name", "code"), [("duckdb.processor", 0), ("absent.processor", 2)])
def test_a_reader_that_has_gone_changes_nothing(site, name, code, options):
    read, write = os.pipe()
    os.close(read)
    program = [sys.executable, "-c", COMMAND, "components", "show", name, *options]
    done = subprocess.run(program, stdout=write, stderr=write, cwd=site.folder, timeout=60)
    os.close(write)
    assert done.returncode == code


@pytest.mark.parametrize(
    ("closed", "options"), [(">&-", ["--json"]), ("2>&-", ["--json"]), ("<&- >&- 2>&-", ["--json"]), (">&- 2>&-", [])]
)
def test_a_standard_stream_may_be_closed(site, shop, closed, options):
    """As some schedulers start programs: nothing fails, and no file gets what was meant for the stream."""
    program = [sys.executable, "-c", COMMAND, "run", "pipelines/sample.yaml", *options]
    script = f'exec {closed}; exec "$@"'
    environ = {**os.environ, "PYTHONPATH": str(site.folder)}
    done = subprocess.run(
        ["sh", "-c", script, "sh", *program], capture_output=True, cwd=shop, env=environ, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    if options and " >&-" not in f" {closed}":
        assert json.loads(done.stdout)["ok"] is True
    found = [path for path in shop.rglob("*") if path.is_file() and b"SPOILED" in path.read_bytes()]
    assert found == []


def test_inside_another_program_standard_output_comes_back():
    @click.command()
    def command():
        with reporting(as_json=True):
            print("a library's remark")
            print_json({"ok": True})
        print("the program goes on")

    before = os.readlink("/proc/self/fd/1")
    done = CliRunner().invoke(command)
    assert done.stdout == '{\n  "ok": true\n}\nthe program goes on\n'
    assert done.stderr == "a library's remark\n"
    assert os.readlink("/proc/self/fd/1") == before


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (PermissionError(13, "Permission denied", "/x"), "OSR-CLI-002", "the operating system refused '/x'"),
        (RuntimeError("odd"), "OSR-CLI-001", "internal error: RuntimeError: odd"),
        (SystemExit(0), "OSR-CLI-001", "internal error: it called sys.exit(0)"),
        (type("PanicException", (BaseException,), {})("rust"), "OSR-CLI-001", "internal error: PanicException: rust"),
    ],
)
def test_whatever_escapes_ends_in_a_message_and_status_1(error, code, message):
    @click.command()
    def command():
        with reporting(as_json=True):
            raise error

    done = CliRunner().invoke(command)
    assert done.exit_code == 1
    found = json.loads(done.stdout)["error"]
    assert found["code"] == code
    assert found["message"].startswith(message)


TOKEN = "ghp_" + "a1B2" * 9
SECRET = "hunter2-hunter2"  # pragma: allowlist secret


@pytest.mark.parametrize("as_json", [False, True])
def test_everything_a_command_prints_is_redacted(as_json, monkeypatch):
    @click.command()
    def command():
        with reporting(as_json=as_json):
            redactor().register(SECRET)
            print_note(f"a note {SECRET}")
            print_text(f"a text {SECRET} {TOKEN}")
            print_table(("name",), [(f"a cell {SECRET}",)])
            if as_json:
                print_json({"properties": {"password": {"type": f"of {SECRET}"}}, "at": Path(SECRET), SECRET: [TOKEN]})
            raise RuntimeError(f"failed with {SECRET}")

    monkeypatch.setenv("OSIRIS_DEBUG", "1")
    done = CliRunner().invoke(command)
    assert done.exit_code == 1
    assert SECRET not in done.output
    assert TOKEN not in done.output
    assert "a text *** ***" in done.output
    assert "a cell ***" in done.output
    assert "failed with ***" in done.output
    assert "Traceback (most recent call last)" in done.stderr
    if as_json:
        assert '"properties": {\n    "password": {\n      "type": "of ***"' in done.stdout


def test_what_cannot_be_understood_is_redacted_and_shown_safely(site):
    for options in ([], ["--json"]):
        done = site.osiris("connections", "doctor", "--timeout", f"{TOKEN}\x1b[2J", *options)
        assert done.returncode == 2
        assert TOKEN not in done.stdout + done.stderr
        assert "\x1b" not in done.stdout + done.stderr


def test_a_lone_mistake_of_yaml_is_said_once(site, tmp_path):
    (tmp_path / "bad.yaml").write_text("name: [a\nsteps: b\n")
    done = site.osiris("compile", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("OSR-YAML-001") == 1
    assert done.stderr.count("  = ") == 1
    (tmp_path / "bad.yaml").write_text("password: &a x\n")  # its hint would quote the value
    assert site.osiris("compile", "bad.yaml", cwd=tmp_path).stderr == (
        "bad.yaml:1:11: error[OSR-YAML-008]: an anchor, alias or merge key is not allowed\n  = write the value out in full\n"
    )


def _words(folder, arguments, **environment):
    (folder / "a.yaml").write_text('oml_version: "0.1.0"\nname: café\nsteps: []\n', encoding="utf-8")
    command = [sys.executable, "-c", COMMAND, *arguments]
    env = {**os.environ, **environment}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, encoding="ascii", check=False)


def test_what_the_encoding_of_standard_output_lacks_is_escaped(tmp_path):
    done = _words(tmp_path, ["components", "show", "duckdb.writer"], PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "connection  @duckdb.\\u2026 (required)" in done.stdout


def test_and_in_a_document_as_json_does_it(tmp_path):
    done = _words(tmp_path, ["validate", "a.yaml", "--json"], PYTHONIOENCODING="ascii")
    assert done.returncode == 2, done.stderr
    sources = [found["source"] for found in json.loads(done.stdout)["files"][0]["diagnostics"]]
    assert "name: café" in sources


def test_a_name_that_is_no_utf_8_is_shown_escaped(tmp_path):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    done = _words(tmp_path, ["init", os.fsdecode(folder)], PYTHONUTF8="1")
    assert done.returncode == 0, done.stderr
    assert "caf\\udce9/osiris.yaml" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", [["components", "list"], ["components", "list", "--json"], ["nope", "--json"]])
def test_standard_output_that_takes_nothing_is_told_on_standard_error(tmp_path, arguments):
    command = [sys.executable, "-c", COMMAND, *arguments]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == (2 if "nope" in arguments else 1)
    assert "Traceback" not in done.stderr
    said = "error[OSR-CLI-003]: no command 'nope'" if "nope" in arguments else "error[OSR-CLI-002]: standard output"
    assert done.stderr.startswith(said)
    assert "ignored" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(("name", "status"), [("none.yaml", 2), ("pipelines/sample.yaml", 0)])
def test_standard_error_that_takes_nothing_changes_no_outcome(site, shop, name, status):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-c", COMMAND, "run", name]
        done = subprocess.run(command, cwd=shop, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert done.returncode == status


def test_on_a_narrow_terminal_ids_stay_whole(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    ids = [f"run_20261122T17525567445{n}Z_be2858b8" for n in range(2)]
    every = ["session", "started", "pipeline", "rows", "error"]
    for width, headers in ((80, ["session", "pipeline", "rows"]), (110, every[:-1]), (200, every)):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "stdout", Terminal())
        rows = [(one, "2026-11-22T17:52:55.674Z", "customers-of-last-quarter", "1,234,567", None) for one in ids]
        print_table(every, rows, whole=1, spare=1)
        drawn = sys.stdout.getvalue()
        plain = re.sub(r"\x1b\[[0-9;]*m", "", drawn)
        assert [word for word in plain.split() if word.isalpha()] == headers
        assert all(one in drawn for one in ids)
