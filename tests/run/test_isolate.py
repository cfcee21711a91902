"""``--isolate``: the same run, in a child that has taken rights away from itself."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from osiris_core.report.reader import read_lines, read_session
from tests.run.workshop import numbers, sql, step, store

PASSWORD = "pA5s-wörd/with+everything"  # pragma: allowlist secret


def document(done):
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def events(folder):
    """What a record says, without what may differ between two runs."""
    varying = {"ts", "session", "seq", "environment", "token", "load_id", "duration_ms"}
    lines = read_lines(folder / "events.jsonl").lines
    kept = [{key: value for key, value in line.items() if key not in varying} for line in lines]
    return sorted((line for line in kept if line["event"] != "isolation_applied"), key=str)


def has_landlock():
    import ctypes

    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint32(1)) > 0


def can_unshare():
    with contextlib.suppress(OSError):
        return (
            subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True).returncode == 0
        )
    return False


def test_it_is_the_same_run(remote_shop):
    shop = remote_shop
    shop.write(numbers(rows=100), sql("even", "SELECT * FROM df WHERE id % 2 = 0"), store())
    plain = document(shop.osiris("run", "p.yaml", "--json"))
    isolated = document(shop.osiris("run", "p.yaml", "--json", "--isolate"))
    assert isolated["ok"] is True
    varying = {"session", "record", "duration_ms", "steps"}
    assert {k: v for k, v in plain.items() if k not in varying} == {
        k: v for k, v in isolated.items() if k not in varying
    }
    one, two = shop.records()
    assert events(one) == [
        {**line, "details": {"loads": 1}} if line.get("details") == {"loads": 2} else line for line in events(two)
    ]
    (applied,) = [line for line in read_lines(two / "events.jsonl").lines if line["event"] == "isolation_applied"]
    assert applied["limits"]["core"] == 0
    assert applied["landlock"] is has_landlock()


def test_its_progress_is_shown(remote_shop):
    remote_shop.write(numbers(rows=3), store())
    done = remote_shop.osiris("run", "p.yaml", "--isolate", "-v")
    assert "store: done, 3 rows" in done.stderr
    assert done.stdout.startswith("store: 3 rows -> store\n")


@pytest.mark.skipif(not has_landlock(), reason="the kernel has no Landlock")
@pytest.mark.parametrize("place", ["elsewhere", "shared memory"])
def test_it_cannot_read_outside(remote_shop, tmp_path, place, request):
    shop = remote_shop
    outside = tmp_path / "outside.txt"
    if place == "shared memory":
        outside = Path("/dev/shm") / f"osiris-test-{os.getpid()}"
        request.addfinalizer(outside.unlink)
    outside.write_text("mine")
    shop.write(numbers(snoop=str(outside)), store())
    assert shop.osiris("run", "p.yaml").returncode == 0
    done = shop.osiris("run", "p.yaml", "--isolate", "--json")
    assert done.returncode == 1
    assert "PermissionError" in document(done)["error"]["message"]


def test_it_cannot_take_all_memory(remote_shop):
    remote_shop.write(numbers(hungry=True), store())
    done = remote_shop.osiris("run", "p.yaml", "--isolate", "--json")
    assert document(done)["error"]["code"] == "OSR-RUN-005"


def test_errors_come_back_with_their_exit_status(remote_shop):
    shop = remote_shop
    shop.write(numbers(fault="connection"), store())
    done = shop.osiris("run", "p.yaml", "--isolate", "--json")
    assert done.returncode == 5
    assert document(done)["error"]["where"] == "step 'numbers' (sample.numbers)"
    assert {one["id"]: one["status"] for one in document(done)["steps"]} == {"numbers": "failed", "store": "cancelled"}


def test_a_child_that_dies_is_a_failed_run(remote_shop):
    shop = remote_shop
    shop.write(numbers(rows=5), store())
    env = {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": "staged:kill"}
    done = shop.osiris("run", "p.yaml", "--isolate", "--json", env=env)
    assert done.returncode == 1
    assert document(done)["error"]["code"] == "OSR-RUN-060"
    assert "SIGKILL" in document(done)["error"]["message"]
    (folder,) = shop.records()
    assert read_session(folder).status == "crashed"
    assert document(done)["session"] == folder.name
    assert shop.osiris("run", "p.yaml", "--isolate").returncode == 0
    assert shop.stored() == (list(range(5)), 1)
    assert shop.staged() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_passed_on(remote_shop, number):
    shop = remote_shop
    shop.write(numbers(wait_for="never"), store())
    process = shop.start("run", "p.yaml", "--isolate", "--json")
    shop.await_call("numbers", "run")
    process.send_signal(number)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert json.loads(out)["status"] == "interrupted"
    assert shop.staged() == []


def test_the_child_dies_with_its_parent(remote_shop):
    shop = remote_shop
    shop.write(numbers(wait_for="never"), store())
    process = shop.start("run", "p.yaml", "--isolate")
    shop.await_call("numbers", "run")
    (folder,) = shop.records()
    assert read_session(folder).status == "running"
    process.kill()
    process.communicate()
    shop.until(lambda: read_session(folder).status == "crashed")


def test_secrets_go_through_a_pipe_only(remote_shop):
    shop = remote_shop
    (shop.folder / "osiris_connections.yaml").write_text(
        "connections:\n  sample:\n    main:\n      host: h\n      password: ${SAMPLE_PASSWORD}\n"
    )
    shop.write(step("leak", "sample.leak", connection="@sample.main", wait_for="go"), store())
    env = {"SAMPLE_PASSWORD": PASSWORD, "OTHER_SECRET": "not asked for"}  # pragma: allowlist secret
    process = shop.start("run", "p.yaml", "--isolate", "-v", env=env)
    shop.until(lambda: any('"sample.said"' in one for one in said(shop)))
    (folder,) = shop.records()
    child = json.loads((folder / "session.json").read_text())["process"]["pid"]
    assert child != process.pid
    for name in ("cmdline", "environ"):
        seen = Path(f"/proc/{child}/{name}").read_bytes()
        assert PASSWORD.encode() not in seen
        assert b"not asked for" not in seen
    (shop.folder / "go").touch()
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert PASSWORD not in out + err
    assert "on stderr: ***" in err
    assert "on stdout: ***" in err
    assert "on stdout" not in out
    found = [path for path in folder.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert found == []


def said(shop):
    return [(folder / "events.jsonl").read_text() for folder in shop.records()]


VAULT = """\
import os
from osiris_core.api import SecretStoreSpec, hookimpl
OSIRIS_API = "1.0"

class Store:
    def __init__(self, variables):
        self.key = variables["VAULT_KEY"]  # what only the parent has
    def get(self, name):
        if name == "broken":
            raise RuntimeError(self.key)
        return f"{self.key}-{name}"

@hookimpl
def osiris_secret_stores():
    return (SecretStoreSpec(scheme="vault", ref="osiris_vault:Store", summary="For tests."),)
"""


@pytest.mark.parametrize("source", ["p.yaml", "--last-compile"])
def test_secrets_of_a_store_reach_the_child(remote_shop, source):
    shop = remote_shop
    shop.site.install("osiris-vault", {"vault": "osiris_vault"}, sources={"osiris_vault.py": VAULT})
    connections = shop.folder / "osiris_connections.yaml"
    connections.write_text("connections:\n  sample:\n    main: {host: h, password: '${vault:sample/pw}'}\n")
    shop.write(step("leak", "sample.leak", connection="@sample.main"), store())
    env = {"VAULT_KEY": PASSWORD}
    shop.osiris("compile", "p.yaml", env=env)
    done = shop.osiris("run", source, "--isolate", env=env)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stderr
    assert "on stderr: ***" in done.stderr

    connections.write_text("connections:\n  sample:\n    main: {host: h, password: '${vault:broken}'}\n")
    plain = document(shop.osiris("run", source, "--json", env=env))
    isolated = document(shop.osiris("run", source, "--json", "--isolate", env=env))
    assert plain["error"] == isolated["error"]
    assert [(one["code"], one["message"].rpartition(" ")[2]) for one in plain["diagnostics"]] == [
        (one["code"], one["message"].rpartition(" ")[2]) for one in isolated["diagnostics"]
    ]


def test_what_is_missing_is_named_as_in_a_plain_run(remote_shop):
    shop = remote_shop
    (shop.folder / "osiris_connections.yaml").write_text(
        "connections:\n  sample:\n    main: {host: h, password: '${NOWHERE}'}\n"
    )
    shop.write(step("leak", "sample.leak", connection="@sample.main"), store())
    plain = document(shop.osiris("run", "p.yaml", "--json"))
    isolated = document(shop.osiris("run", "p.yaml", "--json", "--isolate"))
    assert len(plain["diagnostics"]) == 1
    assert plain["diagnostics"] == isolated["diagnostics"]


def test_a_child_that_dies_leaves_no_step_undecided(remote_shop):
    shop = remote_shop
    shop.write(numbers(rows=5), store("a", ["numbers"], path="a"), store("b", ["numbers"], path="b"))
    (shop.folder / "osiris.yaml").write_text("run: {jobs: 1}\n")
    env = {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": "staged@a:kill"}
    done = document(shop.osiris("run", "p.yaml", "--isolate", "--json", env=env))
    assert [one["status"] for one in done["steps"]] == ["succeeded", "cancelled", "skipped"]


def test_something_left_behind_with_the_pipe_does_not_keep_the_run(remote_shop):
    """A fork of a driver's has all descriptors of the child; the run is over when the child is."""
    shop = remote_shop
    shop.write(numbers(rows=5, forks=True), store())
    done = shop.osiris("run", "p.yaml", "--isolate", "--json")
    assert document(done)["ok"] is True


@pytest.mark.skipif(not can_unshare(), reason="needs a process id namespace")
def test_it_runs_where_its_parent_is_process_1(remote_shop):
    """As in a container without an init."""
    shop = remote_shop
    shop.write(numbers(rows=5), store())
    command = ["--mount-proc", sys.executable, "-c", "from osiris_core.cli import main; main()"]
    with subprocess.Popen(
        ["unshare", "--pid", "--fork", *command, "run", "p.yaml", "--isolate", "--json"],
        env={**os.environ, "PYTHONPATH": str(shop.site.folder)},
        cwd=shop.folder,
        stdout=subprocess.PIPE,
    ) as process:
        out, _ = process.communicate(timeout=60)
    assert json.loads(out)["ok"] is True


WATCHES = """\
import os
from osiris_core.api import hookimpl
OSIRIS_API = "1.0"
SEEN = []

@hookimpl
def osiris_run_event(event):
    SEEN.append(event["event"])
    if event["event"] == "run_finished":
        assert os.environ["COLLECTOR"]
        open(os.environ["COLLECTOR"], "a").write(" ".join(SEEN))
        if "COLLECTOR_DOWN" in os.environ:
            raise ValueError("nobody there")
"""


def test_who_observes_does_so_outside_and_is_heard_until_the_end(remote_shop, tmp_path, monkeypatch):
    shop = remote_shop
    shop.site.install("osiris-watch", {"watch": "osiris_watch"}, sources={"osiris_watch.py": WATCHES})
    shop.write(numbers(rows=3), store())
    seen = tmp_path / "outside" / "seen"
    seen.parent.mkdir()
    monkeypatch.setenv("COLLECTOR", str(seen))
    assert shop.osiris("run", "p.yaml", "--isolate").returncode == 0
    (record,) = shop.records()
    assert seen.read_text().split() == [line["event"] for line in read_lines(record / "events.jsonl").lines]

    monkeypatch.setenv("COLLECTOR_DOWN", "1")
    done = shop.osiris("run", "p.yaml", "--isolate")
    assert done.returncode == 0
    assert "nobody there" in done.stderr
    failed = [line for line in read_lines(shop.records()[-1] / "events.jsonl").lines if "observer" in line["event"]]
    assert ["'watch'" in line["message"] for line in failed] == [True]
    assert read_session(shop.records()[-1]).status == "succeeded"
