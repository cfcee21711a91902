"""The demonstration's conversation: its recording is what the present prompts ask, and it is played to its end."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "flights"
OSIRIS = Path(sys.executable).with_name("osiris")


def record(*arguments, root=ROOT):
    return subprocess.run(
        [sys.executable, root / "scripts" / "record_demo.py", *arguments], capture_output=True, text=True, check=False
    )


def copied(folder):
    """The example in a folder of its own, as it is after a clone."""
    project = folder / "examples" / "flights"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("output", "logs", "build", ".osiris"))
    (folder / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "record_demo.py", folder / "scripts")
    return project


@pytest.fixture
def copy(tmp_path):
    return copied(tmp_path)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The example after `make demo`, and what that said."""
    project = copied(tmp_path_factory.mktemp("played"))
    done = subprocess.run([project / "demo", OSIRIS], capture_output=True, text=True, cwd=project.parent, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return project, done


def test_the_recording_is_of_the_present_prompts():
    done = record("--check")
    assert done.returncode == 0, done.stderr


def test_a_recording_of_other_prompts_says_how_to_record(copy):
    path = copy / "conversation" / "recording.jsonl"
    kept = path.read_text()
    path.write_text(kept.replace("How late is each airline", "were late"))
    done = record("--check", root=copy.parents[1])
    assert done.returncode == 1
    assert "`make record-demo` records it anew" in done.stderr
    assert record(root=copy.parents[1]).returncode == 0
    assert path.read_text() == kept


def test_replies_that_lead_nowhere_are_not_recorded(copy):
    replies = copy / "conversation" / "replies.yaml"
    replies.write_text(replies.read_text().replace("f.dep_delay", "f.departure_delay"))
    done = record(root=copy.parents[1])
    assert done.returncode == 1
    assert "mend lines.txt or replies.yaml" in done.stderr


def test_the_demonstration_tells_its_story(played):
    project, done = played
    assert "this is a replay of recording.jsonl: no model is asked" in done.stderr
    for line in (project / "conversation" / "lines.txt").read_text().splitlines()[:-1]:
        assert f"osiris> {line}\n" in done.stdout
    assert "Run this pipeline? [yes / edit / no] yes\n" in done.stdout
    for name in (
        "conversation/output/late_airlines.csv",
        "output/carriers.csv",
        "output/delay_by_weather.parquet",
        "output/flights.duckdb",
    ):
        assert f"examples/flights/{name}" in done.stdout
        assert (project / name).is_file()


def test_the_evidence_is_where_it_says_and_of_the_file_that_was_approved(played):
    project, done = played
    compiled = re.search(r"build/late_airlines/([0-9a-f]{12})/manifest.yaml", done.stdout)[1]
    assert f"manifest  {compiled}" in done.stdout
    places = re.findall(r"(?m)^(?:Evidence)? +examples/flights/(\S*logs/\S+)", done.stdout)
    assert [place.partition("_")[0] for place in places] == [
        "conversation/logs/chat",
        "conversation/logs/run",
        "logs/run",
    ]
    statuses = [json.loads((project / place / "status.json").read_text()) for place in places]
    assert [status["status"] for status in statuses] == ["succeeded"] * 3
    assert statuses[1]["manifest_hash"].startswith(compiled)
    assert statuses[2]["pipeline"] == "flights"


def test_the_rows_are_those_counted_by_hand(played):
    project, _ = played
    names = {row["carrier"]: row["name"] for row in pq.read_table(project / "data" / "airlines.parquet").to_pylist()}
    flights, delays = Counter(), defaultdict(list)
    for row in pq.read_table(project / "data" / "flights.parquet", columns=["carrier", "dep_delay"]).to_pylist():
        flights[names[row["carrier"]]] += 1
        if row["dep_delay"] is not None:
            delays[names[row["carrier"]]].append(row["dep_delay"])
    expected = {
        name: (count, sum(delays[name]) / len(delays[name])) for name, count in flights.items() if count >= 1000
    }
    with (project / "conversation" / "output" / "late_airlines.csv").open(newline="") as file:
        found = [tuple(row.values()) for row in csv.DictReader(file)]
    assert {name: (int(count), pytest.approx(float(mean))) for name, count, mean in found} == expected
    assert [row[2] for row in found] == sorted((row[2] for row in found), key=float, reverse=True)


def test_other_words_are_not_answered(copy):
    done = subprocess.run(
        [OSIRIS, "chat", "--provider", "replay"],
        cwd=copy / "conversation", input="Which airlines are punctual?\n", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 5
    assert "has no call 'intent' like this one" in done.stderr
