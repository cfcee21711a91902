from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from osiris_core.cli import osiris
from osiris_core.model import yaml
from osiris_core.project.dotenv import parse

FILES = [
    "osiris.yaml",
    "osiris_connections.yaml",
    ".env.example",
    ".gitignore",
    "pipelines/sample.yaml",
    ".osiris/oml.schema.json",
    ".osiris/settings.schema.json",
]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(osiris, [str(argument) for argument in arguments])


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_new_project_has_every_file(here):
    done = run("init")
    assert done.exit_code == 0
    assert tree(here) == sorted(FILES)
    assert done.stdout.splitlines() == [f"wrote  {name}" for name in FILES]
    assert done.stderr == "next: osiris run pipelines/sample.yaml\n"


def test_a_folder_can_be_named(here):
    done = run("init", "new/shop")
    assert done.exit_code == 0
    assert tree(here / "new/shop") == sorted(FILES)
    assert done.stderr == "next: cd new/shop && osiris run pipelines/sample.yaml\n"


def test_json(here):
    (here / "osiris.yaml").write_text("run: {retries: 0}\n")
    done = run("init", "--json")
    document = json.loads(done.stdout)
    assert document == {
        "ok": True,
        "project": str(here),
        "written": [name for name in FILES if name != "osiris.yaml"],
        "kept": ["osiris.yaml"],
    }
    assert done.stderr == ""


def test_nothing_is_overwritten_and_what_was_kept_is_said(here):
    for name in FILES:
        path = here / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("# mine\n")
    done = run("init")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [f"kept   {name} (it exists)" for name in FILES]
    assert all((here / name).read_text() == "# mine\n" for name in FILES)


def test_a_dangling_link_is_kept_and_not_followed(here):
    (here / ".env.example").symlink_to(here / "elsewhere")
    assert run("init").exit_code == 0
    assert not (here / "elsewhere").exists()
    assert "kept   .env.example (it exists)" in run("init").stdout


def test_a_file_where_a_folder_must_be_is_an_error(here):
    (here / "pipelines").write_text("")
    done = run("init")
    assert done.exit_code == 2
    assert done.stderr == (
        "error[OSR-CLI-010]: pipelines: init needs a folder where a file is\n"
        "  = choose another folder, or move the file away\n"
    )


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder where nobody may write")
def test_a_folder_that_cannot_be_written_is_an_error():
    done = run("init", "/proc/nowhere")
    assert done.exit_code == 1
    assert "error[OSR-CLI-011]: /proc/nowhere/osiris.yaml: cannot be written: No such file or directory" in done.stderr


def test_a_broken_project_is_told_before_anything_is_written(here):
    (here / "osiris.yaml").write_text("rnu: {}\n")
    done = run("init")
    assert done.exit_code == 2
    assert "osiris.yaml:1:1: error[OSR-CFG-002]: unknown key 'rnu'" in done.stderr
    assert tree(here) == ["osiris.yaml"]


def test_the_new_project_is_valid_and_its_sample_runs_with_the_core_alone(here):
    assert run("init").exit_code == 0
    command = [sys.executable, "-c", "from osiris_core.cli import main; main()"]

    def osiris_command(*arguments):
        return subprocess.run([*command, *arguments], cwd=here, capture_output=True, text=True, timeout=120)

    validated = osiris_command("validate", "--mode", "strict", "--json")
    assert validated.returncode == 0, validated.stdout + validated.stderr
    done = osiris_command("run", "pipelines/sample.yaml", "--param", "orders=730", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    with duckdb.connect(str(here / "output/sample.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT month, orders, revenue FROM revenue_by_month ORDER BY month").fetchall()
    amounts = [((n * 37) % 500 + 1, n % 365) for n in range(730)]
    assert len(rows) == 12
    assert sum(row[1] for row in rows) == 730
    assert sum(row[2] for row in rows) == sum(amount for amount, _ in amounts)
    assert rows[0][1:] == (62, sum(amount for amount, day in amounts if day < 31))


def test_the_schemas_are_those_that_editors_will_find(here):
    assert run("init").exit_code == 0
    for name in ("osiris.yaml", "pipelines/sample.yaml"):
        path = here / name
        first = path.read_text().splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema=")
        schema = json.loads((path.parent / first.partition("=")[2]).read_text())
        Draft202012Validator.check_schema(schema)
        Draft202012Validator(schema).validate(yaml.load_file(path).data)


def test_the_example_of_a_dotenv_file_is_in_its_own_grammar(here):
    run("init")
    text = (here / ".env.example").read_text()
    assert parse(text, file=".env.example") == {}
    named = [line.removeprefix("# ") for line in text.splitlines() if line.endswith("=")]
    assert list(parse("\n".join(named), file=".env")) == ["LANDING_FOLDER"]
    shown = [line.removeprefix("# ").split("   ")[0] for line in text.splitlines() if line.startswith("# NAME=")]
    assert [parse(line.strip(), file=".env")["NAME"].value for line in shown] == ["value", "any $ text", "a\nb"]


def test_git_ignores_secrets_and_leavings_and_nothing_else(here):
    run("init")
    subprocess.run(["git", "init", "-q"], cwd=here, check=True)
    for name in (".env", "logs/x/events.jsonl", "output/sample.duckdb", "data/in.csv", "build/sample/LATEST"):
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    seen = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"], cwd=here, capture_output=True, text=True, check=True
    )
    assert sorted(seen.stdout.split()) == [
        ".env.example",
        ".gitignore",
        "build/sample/LATEST",
        "data/in.csv",
        "osiris.yaml",
        "osiris_connections.yaml",
        "pipelines/sample.yaml",
    ]


def test_the_templates_are_part_of_the_package():
    import osiris_core

    folder = Path(osiris_core.__file__).parent / "cli/templates"
    assert len(list(folder.iterdir())) == 5
