"""The samples of the documentation are executed, and the README shows what really happens."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OSIRIS = Path(sys.executable).with_name("osiris")
BLOCK = re.compile(r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<body>.*?)^```$', re.MULTILINE | re.DOTALL)


def _blocks(page: str):
    return list(BLOCK.finditer((ROOT / page).read_text(encoding="utf-8")))


def _osiris(*arguments, cwd, path=None):
    env = {key: value for key, value in os.environ.items() if not key.startswith("OSIRIS_")}
    if path:
        env["PYTHONPATH"] = str(path)
    done = subprocess.run([OSIRIS, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def calendar(tmp_path):
    """The tutorial's files, and its plugin installed into a folder of its own."""
    source, site = tmp_path / "source", tmp_path / "site"
    for block in _blocks("docs/how-to/write-a-plugin.md"):
        if block["title"]:
            file = source / block["title"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block["body"], encoding="utf-8")
    (source / "osiris.yaml").write_text("{}\n", encoding="utf-8")
    options = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")
    install = [sys.executable, "-m", "pip", "install", *options, "--target", site, source]
    subprocess.run([str(part) for part in install], check=True, capture_output=True)
    return source, site


def test_the_plugin_of_the_tutorial_works(calendar):
    source, site = calendar
    checked = _osiris("plugins", "check", "calendar", cwd=source, path=site)
    assert checked == "calendar (osiris-calendar 0.1.0): ok\n"
    assert "first" in _osiris("components", "config-example", "calendar.days_extractor", cwd=source, path=site)
    _osiris("run", "weekdays.yaml", cwd=source, path=site)
    import duckdb

    with duckdb.connect(str(source / "weekdays.duckdb"), read_only=True) as connection:
        counts = connection.sql("SELECT weekday, days FROM weekdays ORDER BY weekday").fetchall()
    # 2024 began on a Monday and had 366 days, 2025 began on a Wednesday and had 365.
    assert counts == [(1, 105), (2, 105), (3, 105), (4, 104), (5, 104), (6, 104), (7, 104)]


def test_the_tutorial_shows_the_error_it_names(calendar):
    source, site = calendar
    swapped = (source / "weekdays.yaml").read_text(encoding="utf-8").replace("last: 2025", "last: 2023")
    (source / "swapped.yaml").write_text(swapped, encoding="utf-8")
    done = subprocess.run(
        [OSIRIS, "run", "swapped.yaml"],
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "OSR-CAL-001" in done.stderr
    assert "swap 'first' and 'last'" in done.stderr
    assert not (source / "weekdays.duckdb").exists()


def _commands(page):
    """The commands of a page that call ``osiris``, in their order, without their comments."""
    lines = (line for block in _blocks(page) if block["language"] == "sh" for line in block["body"].splitlines())
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("osiris ")]


def test_the_quickstart_works_from_its_first_command_to_its_last(tmp_path):
    commands = _commands("docs/quickstart.md")
    started = commands.index(["init"]) + 1
    for command in commands[:started]:
        _osiris(*command, cwd=tmp_path)
    for block in _blocks("docs/quickstart.md"):
        if block["title"]:
            file = tmp_path / block["title"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block["body"], encoding="utf-8")
    for command in commands[started:]:
        _osiris(*command, cwd=tmp_path)
    import duckdb

    rows = duckdb.sql(f"SELECT dest FROM '{tmp_path / 'output/long.parquet'}'").fetchall()
    assert rows == [("HNL",), ("SFO",), ("LAX",)]


def test_the_commands_of_the_ci_page_work_on_a_committed_build(tmp_path):
    _osiris("init", cwd=tmp_path)
    sample = (tmp_path / "pipelines/sample.yaml").read_text(encoding="utf-8")
    (tmp_path / "pipelines/daily.yaml").write_text(sample.replace("name: sample", "name: daily"), encoding="utf-8")
    _osiris("compile", "pipelines/daily.yaml", cwd=tmp_path)
    commands = _commands("docs/how-to/continuous-integration.md")
    assert [command[0] for command in commands] == ["validate", "compile", "diff", "run"]
    for command in commands:
        files = [str(path) for path in tmp_path.glob("pipelines/*.yaml")]
        _osiris(*(file for word in command for file in (files if "*" in word else [word])), cwd=tmp_path)


@pytest.mark.parametrize("page", ["docs/reference/oml.md", "docs/quickstart.md", "README.md"])
def test_documents_of_the_documentation_are_valid(page, tmp_path):
    documents = [b["body"] for b in _blocks(page) if b["language"] == "yaml" and b["body"].startswith("oml_version")]
    (tmp_path / "osiris.yaml").write_text("{}\n", encoding="utf-8")
    connections = {"connections": {"duckdb": {"shop": {"path": "shop.duckdb"}}}}
    (tmp_path / "osiris_connections.yaml").write_text(json.dumps(connections), encoding="utf-8")
    for number, document in enumerate(documents):
        file = tmp_path / f"{number}.yaml"
        file.write_text(document, encoding="utf-8")
        _osiris("oml", "validate", file.name, "--mode", "strict", cwd=tmp_path)


def test_json_and_yaml_samples_can_be_read():
    from osiris_core.model import yaml

    for page in (ROOT / "docs").rglob("*.md"):
        for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
            if block["language"] == "yaml":
                yaml.load(block["body"], file=str(page.relative_to(ROOT)))
