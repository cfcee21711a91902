"""The make targets that a newcomer types, run in the environment of the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = Path(sys.prefix)


def _make(*arguments, sandbox):
    # The environment is the one that runs this test; -o keeps make from installing into it.
    kept = [f"-o{ENVIRONMENT}/{stamp}" for stamp in (".runtime", ".test", ".dev")]
    settings = [f"VENV={ENVIRONMENT}", f"SANDBOX={sandbox}"]
    return subprocess.run(["make", *kept, *settings, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_sample_project_is_made_checked_and_run(tmp_path):
    sandbox = tmp_path / "sandbox"
    for target, said in (
        ("init", "pipelines/sample.yaml"),
        ("validate", "valid: osiris.yaml"),
        ("run-sample", "succeeded"),
    ):
        made = _make(target, sandbox=sandbox)
        assert made.returncode == 0, made.stdout + made.stderr
        assert said in made.stdout


def test_help_lists_every_target_of_the_readme_and_of_continuous_integration(tmp_path):
    listed = {line.split()[0] for line in _make("help", sandbox=tmp_path).stdout.splitlines()}
    assert {"demo", "test", "check", "bench", "docs", "dev", "format", "lint", "type-check", "clean"} <= listed
    called = [
        line.split()[1] for line in (ROOT / ".ci" / "run").read_text("utf-8").splitlines() if line.startswith("make ")
    ]
    assert called == ["check", "test"]


def test_the_prompts_are_written_once(tmp_path):
    made = _make("dump-prompts", sandbox=tmp_path)
    assert made.returncode == 0, made.stderr
    prompt = tmp_path / "prompts" / "plan.md"
    prompt.write_text("mine {{tables}} {{destinations}}")
    assert _make("dump-prompts", sandbox=tmp_path).returncode == 0
    assert prompt.read_text().startswith("mine")


@pytest.mark.parametrize("target", ["chat", "chat-pro"])
def test_a_conversation_needs_a_model(target, tmp_path):
    made = _make(target, sandbox=tmp_path)
    assert made.returncode != 0
    assert "no model is chosen" in made.stderr


@pytest.mark.slow
def test_the_benchmarks_run_over_little_data():
    done = subprocess.run(
        [sys.executable, "benchmarks/run.py", "--quick"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for section in (
        "## Streaming: peak memory",
        "## Files: beside DuckDB alone",
        "## Servers: beside their own clients",
        "## Steps",
        "## Compile",
    ):
        assert section in done.stdout
