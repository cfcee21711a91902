from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris

SHOP = Path(__file__).parents[1] / "project/plugin/osiris_shop.py"
SECRET = 'hunter2"hünter2'  # pragma: allowlist secret


@pytest.fixture
def shop(on_path, tmp_path, monkeypatch):
    """A project folder, with the plugin ``shop`` installed for this process and its children."""
    on_path.install("osiris-shop", {"shop": "osiris_shop"}, sources={"osiris_shop.py": SHOP.read_text()})
    monkeypatch.setenv("PYTHONPATH", str(on_path.folder))
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "osiris.yaml").write_text("")
    monkeypatch.chdir(folder)
    return folder


def connections(folder, text):
    (folder / "osiris_connections.yaml").write_text(f"connections:\n  shop:\n{text}")


def run(*arguments, env=None):
    return CliRunner(env=env).invoke(osiris, ["connections", *arguments])


def found(*arguments, env=None):
    return json.loads(run(*arguments, "--json", env=env).stdout)["connections"]


ENTRY = """\
    main:
      host: ${SHOP_HOST}
      port: 3307
      password: ${SHOP_PASSWORD}
      login: {user: me, password: '${EMPTY}'}
      headers: {x: '${vault:db/password}', y: '${UNSET}'}
      default: true
    other: {host: h}
"""


def test_list_shows_masked_config_and_where_variables_come_from(shop):
    connections(shop, ENTRY)
    (shop / ".env").write_text("\nSHOP_HOST=h.example\nEMPTY=\n")
    main, other = found("list")
    assert main["ref"] == "@shop.main"
    assert main["default"] is True
    assert (main["file"], main["line"]) == ("osiris_connections.yaml", 3)
    assert main["problems"] == []
    assert main["config"] == {
        "host": "${SHOP_HOST}",
        "port": 3307,
        "password": "${SHOP_PASSWORD}",
        "login": {"user": "me", "password": "${EMPTY}"},
        "headers": {"x": "${vault:db/password}", "y": "${UNSET}"},
    }
    assert [(item["reference"], item["status"], item["origin"]) for item in main["variables"]] == [
        ("${SHOP_HOST}", "set", ".env:2"),
        ("${SHOP_PASSWORD}", "set", "environment"),
        ("${EMPTY}", "empty", ".env:3"),
        ("${vault:db/password}", "store", "store 'vault'"),
        ("${UNSET}", "unset", None),
    ]
    assert other["default"] is False


def test_list_as_text(shop):
    connections(shop, "    a: {host: '${SHOP_HOST}', tags: [x, y]}\n")
    done = run("list", env={"SHOP_HOST": "h"})
    assert done.stdout.splitlines() == [
        "connection\tdefault\tconfig\tvariables\tproblems",
        '@shop.a\t\thost=${SHOP_HOST}, tags=["x", "y"]\t${SHOP_HOST} set (environment)\t',
    ]


def test_list_masks_what_should_not_have_been_written_there(shop):
    literal = "hunter2-literal"
    connections(
        shop,
        f"""\
    secret: {{host: h, password: {literal}}}
    typo: {{host: h, passwrod: {literal}}}
    url: {{host: h, database: 'mysql://u:{literal}@h/x'}}
    nested: {{host: h, login: {{user: u, password: {literal}}}, headers: {{x: {literal}}}}}
""",
    )
    with (shop / "osiris_connections.yaml").open("a") as file:
        file.write(f"  oracle:\n    x: {{host: {literal}, port: 1521, password: '${{P}}', odd: ['a${{P}}']}}\n")
    done = run("list", "--json")
    assert literal not in done.output
    by_ref = {item["ref"]: item for item in json.loads(done.stdout)["connections"]}
    assert by_ref["@shop.secret"]["config"]["password"] == "***"
    assert by_ref["@shop.typo"]["config"]["passwrod"] == "***"
    assert by_ref["@shop.url"]["config"]["database"] == "mysql://u:***@h/x"
    assert by_ref["@shop.nested"]["config"]["login"] == {"user": "u", "password": "***"}
    assert by_ref["@shop.nested"]["config"]["headers"] == {"x": "***"}
    assert by_ref["@oracle.x"]["config"] == {"host": "***", "port": "***", "password": "${P}", "odd": ["***"]}
    assert [problem["code"] for problem in by_ref["@shop.secret"]["problems"]] == ["OSR-CFG-008"]
    assert [problem["code"] for problem in by_ref["@oracle.x"]["problems"]] == ["OSR-PLG-020"]
    assert literal not in run("list").output


def test_list_says_which_secrets_are_too_weak_to_be_masked(shop):
    connections(shop, "    a: {host: '${H}', password: '${P}'}\n")
    (item,) = found("list", env={"H": "db", "P": "1234"})
    assert [(variable["name"], variable["weak"]) for variable in item["variables"]] == [("H", False), ("P", True)]
    assert "${P} set (environment, too weak to be masked)" in run("list", env={"H": "db", "P": "1234"}).stdout


@pytest.mark.parametrize(
    ("file", "arguments", "said"),
    [
        (None, [], "there is no osiris_connections.yaml; `osiris init` writes an example\n"),
        ("connections: {}\n", [], "osiris_connections.yaml has no connections\n"),
        ("connections: {}\n", ["--family", "shop"], "osiris_connections.yaml has no connections of family 'shop'\n"),
    ],
)
def test_list_of_nothing(shop, file, arguments, said):
    if file is not None:
        (shop / "osiris_connections.yaml").write_text(file)
    done = run("list", *arguments)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", said)
    assert found("list", *arguments) == []


def test_list_of_a_broken_file(shop):
    (shop / "osiris_connections.yaml").write_text(f"connections:\n  shop:\n    a: {{password: {SECRET}\n")
    done = run("list")
    assert done.exit_code == 2
    assert "error[OSR-YAML-001]" in done.stderr
    assert "hunter2" not in done.output


# what the doctor does, the category, and the message
BEHAVIOURS = [
    ("ok", "ok", "hello from ok.example"),
    ("auth", "auth", "'***' was refused"),
    ("hang", "timeout", "no answer within 2 seconds"),
    ("busy", "timeout", "no answer within 2 seconds"),
    ("raise", "internal", "the check failed: RuntimeError: driver says: login with *** failed"),
    ("osiris", "internal", "OSR-SHOP-001: shut: ***"),
    ("panic", "internal", "the check failed: PanicException: panicked at ***"),
    ("exit", "internal", "the check ended its process (status 7)"),
    ("nonsense", "internal", "the check returned int, not Health"),
]


def test_doctor_checks_all_at_once_and_contains_every_failure(shop):
    entries = "".join(
        f"    {name}: {{host: {name}.example, password: '${{SHOP_PASSWORD}}', behave: {name}}}\n"
        for name, _, _ in BEHAVIOURS
    )
    connections(
        shop, entries + "    unset: {host: '${UNSET_HOST}'}\n    wrong: {hots: h}\n    odd: {host: h, behave: odd}\n"
    )
    done = run("doctor", "--timeout", "2", "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == 5
    assert document["ok"] is False
    by_ref = {item["ref"]: item for item in document["connections"]}
    assert list(by_ref) == [f"@shop.{name}" for name in [*(name for name, _, _ in BEHAVIOURS), "unset", "wrong", "odd"]]
    for name, category, message in BEHAVIOURS:
        item = by_ref[f"@shop.{name}"]
        assert (item["category"], item["message"]) == (category, message)
        assert item["ok"] is (category == "ok")
    assert by_ref["@shop.unset"]["category"] == "config"
    assert by_ref["@shop.unset"]["message"].startswith("'host' refers to ${UNSET_HOST}, which is not set (looked in")
    assert by_ref["@shop.wrong"]["category"] == "config"
    assert by_ref["@shop.wrong"]["hint"]
    assert by_ref["@shop.odd"]["category"] == "internal"
    assert len(by_ref["@shop.odd"]["message"]) == 500
    assert by_ref["@shop.hang"]["latency_ms"] >= 2000
    assert by_ref["@shop.exit"]["latency_ms"] is None
    assert by_ref["@shop.auth"]["hint"] == "not ***?"
    assert by_ref["@shop.auth"]["variables"][0]["status"] == "set"
    assert "nter2" not in done.output
    assert "\x1b" not in done.output


def test_connections_are_checked_at_the_same_time(shop):
    """Each check ends when all four have begun."""
    connections(shop, "".join(f"    {name}: {{host: {name}, behave: meet}}\n" for name in "abcd"))
    done = run("doctor", "--timeout", "60", "--json")
    assert done.exit_code == 0, done.output


def test_doctor_as_text(shop):
    connections(shop, "    a: {host: h.example}\n    b: {host: h, password: '${SHOP_PASSWORD}', behave: auth}\n")
    done = run("doctor")
    assert done.exit_code == 5
    header, first, second = done.stdout.splitlines()
    assert header == "connection\tstatus\tlatency\tmessage"
    assert first.startswith("@shop.a\tok\t")
    assert first.endswith(" ms\thello from h.example")
    assert second.startswith("@shop.b\tauth\t")
    assert done.stderr == "@shop.b: not ***?\n"


def test_doctor_of_named_connections(shop):
    connections(shop, "    a: {host: h}\n    b: {host: h, behave: auth}\n")
    done = run("doctor", "@shop.a", "@shop.a", "--json")
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert document["ok"] is True
    assert [item["ref"] for item in document["connections"]] == ["@shop.a"]


def test_doctor_of_a_connection_that_is_not_there(shop):
    connections(shop, "    a: {host: h}\n")
    done = run("doctor", "@shop.b")
    assert done.exit_code == 2
    assert "error[OSR-CON-005]: there is no connection @shop.b; osiris_connections.yaml has @shop.a" in done.stderr


def test_an_unknown_family_is_refused(shop):
    done = run("list", "--family", "shpo")
    assert done.exit_code == 2
    assert "error[OSR-CLI-004]: --family shpo:" in done.stderr
    assert "did you mean 'shop'?" in done.stderr


def test_doctor_of_nothing(shop):
    done = run("doctor")
    assert (done.exit_code, done.stderr) == (
        0,
        "there is no osiris_connections.yaml; `osiris init` writes an example\n",
    )


def test_doctor_of_a_family_without_a_doctor_and_of_one_that_nobody_serves(shop):
    connections(shop, "    a: {host: h}\n  shop_quiet:\n    q: {host: h}\n  oracle:\n    o: {host: h}\n")
    _, quiet, oracle = found("doctor")
    assert (quiet["ok"], quiet["message"]) == (True, "resolves; 'shop_quiet' has no check of its own")
    assert (oracle["ok"], oracle["category"]) == (False, "config")
    assert "'oracle' is not installed" in oracle["message"]


def test_doctor_takes_its_timeout_from_the_settings(shop):
    (shop / "osiris.yaml").write_text("connections: {doctor_timeout: 0.5}\n")
    connections(shop, "    a: {host: h, behave: hang}\n")
    (item,) = found("doctor")
    assert item["message"] == "no answer within 0.5 seconds"
    done = run("doctor", "--timeout", "-1")
    assert done.exit_code == 2
    assert "command line: 'doctor_timeout' must be more than 0, not -1" in done.stderr


def test_doctor_warns_of_a_weak_secret(shop):
    connections(shop, "    a: {host: h, password: '${P}'}\n")
    done = run("doctor", env={"P": "1234"})
    assert done.exit_code == 0
    assert "warning[OSR-CON-017]: @shop.a: the secret in ${P} is too weak to be masked in text" in done.stderr


def test_modules_in_the_projects_folder_are_not_imported(shop):
    for name in ("json.py", "duckdb.py", "osiris_shop.py"):
        (shop / name).write_text("open('imported', 'w').close()\nraise ImportError('from the project folder')\n")
    connections(shop, "    a: {host: h}\n")
    (item,) = found("doctor")
    assert item["ok"] is True
    assert not (shop / "imported").exists()


def _children_of(pid):
    task = Path(f"/proc/{pid}/task")
    return [int(child) for file in task.glob("*/children") for child in file.read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupt_ends_every_child(shop, stop):
    connections(shop, "    a: {host: h, behave: hang}\n    b: {host: h, behave: hang}\n")
    command = [
        sys.executable,
        "-c",
        "from osiris_core.cli import main; main()",
        "connections",
        "doctor",
        "--timeout",
        "60",
    ]
    with subprocess.Popen(command, cwd=shop, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as parent:
        children = _wait_for(lambda: len(_children_of(parent.pid)) == 2 and _children_of(parent.pid))
        parent.send_signal(stop)
        _, said = parent.communicate(timeout=30)
    assert parent.returncode == (130 if stop is signal.SIGINT else -9)
    if stop is signal.SIGINT:
        assert b"error[OSR-CLI-130]: interrupted" in said
    assert _wait_for(lambda: not any(_alive(child) for child in children))


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait_for(condition):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        os.sched_yield()
    raise AssertionError("it did not happen within 30 seconds")
