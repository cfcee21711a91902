"""The README shows what ``make demo`` really prints, but for times and ids."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OSIRIS = Path(sys.executable).with_name("osiris")
MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z"), "TIME"),
    (re.compile(r"(?:run|chat)_\d{8}T\d+Z_[0-9a-f]{8}"), "SESSION"),
    (re.compile(r"\b[0-9a-f]{12}\b"), "HASH"),
    (re.compile(r"\d+(?:\.\d)? s\b"), "N s"),
)


def _masked(text):
    for pattern, mask in MASKS:
        text = pattern.sub(mask, text)
    return [line.rstrip() for line in text.splitlines()]


def _shown():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```console\n\$ make demo\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return block


@pytest.mark.slow
def test_the_readme_shows_what_the_demo_prints(tmp_path):
    copy = tmp_path / "flights"
    shutil.copytree(
        ROOT / "examples" / "flights", copy, ignore=shutil.ignore_patterns("logs", "build", "output", ".osiris")
    )
    done = subprocess.run([copy / "demo", OSIRIS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    installing, results = _shown().split("installing what Osiris needs to run\n")
    assert re.fullmatch(r"making \.venv with Python 3\.\d+\.\d+\n", installing)
    said = "\n".join(_masked(done.stdout))
    # What the README leaves out is a line of three dots in it.
    for part in results.split("…\n"):
        shown = "\n".join(_masked(part))
        assert shown in said
        said = said.partition(shown)[2]
    assert not said.strip()


def test_the_demo_announces_what_the_readme_says():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert 'echo "making $(VENV) with ' in makefile
    assert 'echo "installing what Osiris needs to run"' in makefile
