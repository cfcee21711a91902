"""What drivers print on its way to the terminal: masked, in order, never lost, never in the way."""

from __future__ import annotations

import json
import os
import pty
import resource
import select
import sys
import threading

import pytest
from click.testing import CliRunner

from osiris_core.cli import osiris
from tests.run.workshop import numbers, remote_shop, shop, step, store

__all__ = ["remote_shop", "shop"]

PASSWORD = "pA5s-wörd/with+everything"  # pragma: allowlist secret


def leads():
    return [os.readlink(f"/proc/self/fd/{number}") for number in (1, 2)]


def nobody_reads():
    return not any(one.name == "osiris-printed" for one in threading.enumerate())


@pytest.mark.filterwarnings("ignore:warned")
def test_inside_another_program_everything_comes_back(shop, monkeypatch):
    monkeypatch.chdir(shop.folder)
    shop.write(numbers(rows=3, says="hello \x1b[31m from a driver"), store())
    CliRunner().invoke(osiris, ["run", "p.yaml"])
    shop.until(nobody_reads)
    before = leads(), sys.stdout, sys.stderr, len(os.listdir("/proc/self/fd"))
    done = CliRunner().invoke(osiris, ["run", "p.yaml"])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("store: 3 rows -> store\n")
    assert done.stderr.count("hello \\x1b[31m from a driver") == 2
    shop.until(nobody_reads)
    assert (leads(), sys.stdout, sys.stderr, len(os.listdir("/proc/self/fd"))) == before


@pytest.mark.filterwarnings("ignore:warned")
def test_inside_a_program_that_holds_more_files_than_select_can_number(shop, monkeypatch):
    monkeypatch.chdir(shop.folder)
    shop.write(numbers(rows=3, says="hello from a driver"), store())
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most[1] < 2048:
        pytest.skip("fewer than 2048 files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(most[0], 2048), most[1]))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1024)]
    try:
        done = CliRunner().invoke(osiris, ["run", "p.yaml"])
    finally:
        for one in held:
            os.close(one)
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    assert done.exit_code == 0, done.output
    assert done.stderr.count("hello from a driver") == 2


def test_a_flood_without_a_line_end_is_shown_and_holds_nothing_up(remote_shop):
    shop = remote_shop
    flood = "x" * 300_000
    shop.write(numbers(rows=3, says=flood), store())
    done = shop.osiris("run", "p.yaml", "--json")
    assert json.loads(done.stdout)["ok"] is True
    assert done.stderr.count("x" * 1000) >= 2 * 300


def test_notes_of_the_command_and_the_summary_keep_their_order(remote_shop):
    """On a terminal both are one: what was printed and the progress come before the summary."""
    shop = remote_shop
    shop.write(numbers(rows=3, says="hello"), store())
    main, terminal = pty.openpty()
    process = shop.start("run", "p.yaml", "--verbose", terminal=terminal, merged=True)
    os.close(terminal)
    text = read_all(main)
    process.wait(timeout=20)
    at = [
        text.index(word) for word in ("step_started", "hello", "store: done", "store: 3 rows -> store", "p succeeded")
    ]
    assert at == sorted(at)


def test_what_is_printed_stands_above_the_live_table(remote_shop):
    shop = remote_shop
    connections = {"sample": {"main": {"host": "h", "password": "${SAMPLE_PASSWORD}"}}}
    (shop.folder / "osiris_connections.yaml").write_text(json.dumps({"connections": connections}))
    shop.write(step("leak", "sample.leak", connection="@sample.main"), store())
    main, terminal = pty.openpty()
    env = {"TERM": "xterm", "COLUMNS": "120", "SAMPLE_PASSWORD": PASSWORD}
    process = shop.start("run", "p.yaml", terminal=terminal, env=env)
    os.close(terminal)
    text = read_all(main)
    process.communicate(timeout=20)
    assert process.returncode == 0, text
    assert PASSWORD not in text
    for line in ("on stdout: ***\r\n", "on stderr: ***\r\n"):
        assert line in text
    assert "sample.leak" in text


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_explain_redacts_what_drivers_print(remote_shop, more):
    shop = remote_shop
    connections = {"sample": {"main": {"host": "h", "password": "${SAMPLE_PASSWORD}"}}}
    (shop.folder / "osiris_connections.yaml").write_text(json.dumps({"connections": connections}))
    shop.write(step("leak", "sample.leak", connection="@sample.main"), store())
    done = shop.osiris("explain", "p.yaml", *more, env={"SAMPLE_PASSWORD": PASSWORD})
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    assert "bound with ***" in done.stderr
    assert "bound with" not in done.stdout


def read_all(descriptor):
    seen = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], 30)
        assert ready, seen
        try:
            piece = os.read(descriptor, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(descriptor)
    return seen.decode()
