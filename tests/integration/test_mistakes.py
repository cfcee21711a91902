"""Every mistake of the table ends in its message and exit status, with no traceback and nothing half-done.

``OSIRIS_RECORD_MISTAKES=1`` writes what the commands say now to ``mistakes.json``, to be read line by line in review.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.commands import osiris
from tests.integration.mistakes import MISTAKES, Mistake

pytestmark = pytest.mark.slow

EXPECTED = Path(__file__).with_name("mistakes.json")
RECORD = os.environ.get("OSIRIS_RECORD_MISTAKES") == "1"


def lay_out(mistake: Mistake, folder: Path) -> None:
    for name, content in mistake.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    for name in ("data", "out"):
        (folder / name).mkdir(exist_ok=True)
    if mistake.prepare is not None:
        mistake.prepare(folder)


def outcome(mistake: Mistake, folder: Path) -> tuple[dict[str, Any], str]:
    """What the command said, without what differs between machines, and its stderr."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("OSIRIS_")} | dict(mistake.environ)
    done = osiris(*mistake.argv, "--json", cwd=folder, env=environ)
    said: dict[str, Any] = {"exit": done.returncode}
    if done.stdout.strip():
        document = json.loads(done.stdout)
        if document.get("error"):
            error = document["error"]
            said["error"] = {key: error.get(key) for key in ("code", "where", "message", "hint")}
        if document.get("diagnostics"):
            said["findings"] = [
                f"{d['file'] or '-'}:{d['line'] or '-'}:{d['column'] or '-'} {d['severity']}[{d['code']}] {d['path']}: "
                f"{d['message']}" + (f" = {d['hint']}" if d["hint"] else "")
                for d in document["diagnostics"]
            ]
    else:
        said["stderr"] = done.stderr
    text = json.dumps(said, ensure_ascii=False).replace(str(folder), "PROJECT").replace(str(folder.parent), "OUTSIDE")
    return json.loads(text), done.stderr + done.stdout


def leftovers(folder: Path) -> list[str]:
    """Staging files that a failed run must not leave."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name.startswith(".osiris-") or path.suffix in {".tmp", ".part", ".wal"}
    )


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.name)
def test_mistake(mistake: Mistake, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    lay_out(mistake, folder)
    before = {name: (folder / name).read_bytes() for name in mistake.keeps}

    said, text = outcome(mistake, folder)

    assert "Traceback" not in text
    assert "internal error" not in text
    assert said["exit"] in (1, 2, 3, 5)
    assert {name: (folder / name).read_bytes() for name in mistake.keeps} == before
    assert leftovers(folder) == []
    if RECORD:
        lock_and_record(mistake.name, said)
        return
    assert said == json.loads(EXPECTED.read_text())[mistake.name]


def lock_and_record(name: str, said: dict[str, Any]) -> None:
    known = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    known[name] = said
    ordered = {m.name: known[m.name] for m in MISTAKES if m.name in known}
    EXPECTED.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")


def test_table_is_complete() -> None:
    names = [m.name for m in MISTAKES]
    assert len(names) == len(set(names))
    assert len(names) >= 60
    assert set(json.loads(EXPECTED.read_text())) == set(names)
