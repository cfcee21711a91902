"""What the child process of a doctor makes of each end of a check; that it is contained, tests/cli shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from osiris_core.project import doctor_child
from osiris_core.redaction import Redactor

SECRET = "hunter2hunter2"  # pragma: allowlist secret
PLUGIN = Path(__file__).parent / "plugin/osiris_shop.py"


@pytest.fixture
def check(on_path, project, monkeypatch):
    """The finding about a connection with these fields."""
    on_path.install("osiris-shop", {"shop": "osiris_shop"}, sources={"osiris_shop.py": PLUGIN.read_text()})
    monkeypatch.setenv("SHOP_PASSWORD", SECRET)
    monkeypatch.chdir(project.root)

    def run(fields, ref="@shop.a", allow=None):
        project.write("osiris_connections.yaml", f"connections:\n  shop:\n    a: {{{fields}}}\n")
        request = {"root": str(project.root), "ref": ref, "timeout": 1.0, "allow": allow, "block": []}
        return doctor_child.check(request, Redactor())

    return run


ENDS = [
    ("ok", True, "ok", "hello from h"),
    ("auth", False, "auth", "'***' was refused"),
    ("raise", False, "internal", "the check failed: RuntimeError: driver says: login with *** failed"),
    ("TimeoutError", False, "timeout", "the check failed: TimeoutError: ***"),
    ("PermissionError", False, "permission", "the check failed: PermissionError: ***"),
    ("FileNotFoundError", False, "missing", "the check failed: FileNotFoundError: ***"),
    ("ConnectionResetError", False, "network", "the check failed: ConnectionResetError: ***"),
    ("osiris", False, "internal", "OSR-SHOP-001: shut: ***"),
    ("panic", False, "internal", "the check failed: PanicException: panicked at ***"),
    ("nonsense", False, "internal", "the check returned int, not Health"),
    ("lying", True, "ok", "ok?"),
]


@pytest.mark.parametrize(("behave", "ok", "category", "message"), ENDS)
def test_ends(check, behave, ok, category, message):
    found = check(f"host: h, password: '${{SHOP_PASSWORD}}', behave: {behave}")
    assert (found["ok"], found["category"], found["message"]) == (ok, category, message)
    assert SECRET not in json.dumps(found)
    assert found["latency_ms"] >= 0


def test_details_have_a_bound(check):
    assert check("host: h, behave: lying")["details"] == {"omitted": "more than 10,000 characters"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("host: '${UNSET}'", "'host' refers to ${UNSET}, which is not set"),
        ("hots: h", "unknown key 'hots'"),
        (f"host: h, password: {SECRET}", "'password'"),
    ],
)
def test_a_connection_that_cannot_be_resolved_is_a_matter_of_config(check, fields, message):
    found = check(fields)
    assert (found["ok"], found["category"]) == (False, "config")
    assert message in found["message"]
    assert SECRET not in json.dumps(found)


def test_a_blocked_plugin_is_a_matter_of_config(check):
    found = check("host: h", allow=["env"])
    assert found["category"] == "config"
    assert "blocked" in found["message"]


def test_an_interrupt_is_not_a_finding(check):
    with pytest.raises(KeyboardInterrupt):
        check("host: h, behave: stopped")


def test_the_child_ends_when_its_parent_does(project):
    """Its stdin closes before it has answered."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "osiris_core.project.doctor_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=project.root,
    ) as child:
        child.stdin.write(json.dumps({"root": str(project.root)}).encode() + b"\n")
        child.stdin.close()
        assert child.wait(timeout=60) in (0, 1)
