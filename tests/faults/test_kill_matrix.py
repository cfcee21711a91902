"""SIGKILL at every named point of every mode of every writer: before or after, and a re-run converges.

For each cell: the destination holds some rows; a run is killed at the point; a reader then finds exactly the old rows
or exactly the new ones; running the same command again ends well, with the rows that one run would have given (an
append neither lost nor doubled) and nothing staged left over. The matrix is printed at the end of the session.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import attrs
import duckdb
import pytest

from osiris_core.run.failpoints import RUNTIME_POINTS
from tests.commands import osiris as command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Cell = Callable[[str, str, str, str], None]

pytestmark = pytest.mark.slow

OLD = [(1, "old"), (2, "old")]
NEW = [(2, "new"), (3, "new"), (4, "new")]

Rows = list[tuple[int, str]]


@attrs.frozen(kw_only=True)
class Destination:
    """A writer in one mode, the rows it must leave, and how to look at them."""

    name: str
    step: str
    after: Rows
    read: Callable[[Path], Rows]
    seed: Callable[[Path], None]


def duck(folder: Path) -> Rows:
    with duckdb.connect(str(folder / "main.duckdb"), read_only=True) as connection:
        return sorted(connection.execute("SELECT id, name FROM target").fetchall())


def seed_duck(folder: Path) -> None:
    with duckdb.connect(str(folder / "main.duckdb")) as connection:
        connection.execute("CREATE TABLE target (id BIGINT, name VARCHAR)")
        connection.executemany("INSERT INTO target VALUES (?, ?)", OLD)


def reader(scan: str) -> Callable[[Path], Rows]:
    def read(folder: Path) -> Rows:
        with duckdb.connect() as connection:
            return sorted(connection.execute(f"SELECT id::BIGINT, name FROM {scan.format(folder)}").fetchall())

    return read


def seeder(path: str, form: str) -> Callable[[Path], None]:
    def seed(folder: Path) -> None:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        values = ", ".join(f"({i}, '{n}')" for i, n in OLD)
        with duckdb.connect() as connection:
            connection.execute(f"COPY (SELECT * FROM (VALUES {values}) t(id, name)) TO '{target}' ({form})")

    return seed


def seed_folder(component: str, path: str) -> Callable[[Path], None]:
    """A folder of parts is written by a load of its own: it takes no files that came from elsewhere."""

    def seed(folder: Path) -> None:
        (folder / "old.csv").write_text("id,name\n" + "".join(f"{i},{n}\n" for i, n in OLD))
        step = file_step(component, f"path: {path}, layout: folder, create_dirs: true")
        (folder / "seed.yaml").write_text(pipeline("seed", "old.csv", step))
        done = osiris(folder, "run", "seed.yaml")
        assert done.returncode == 0, done.stderr

    return seed


def duck_step(more: str) -> str:
    return f'{{id: load, component: duckdb.writer, mode: write, config: {{connection: "@duckdb.main", table: target, {more}}}}}'


def file_step(component: str, more: str) -> str:
    return f"{{id: load, component: filesystem.{component}, mode: write, config: {{{more}}}}}"


DESTINATIONS = (
    Destination(
        name="duckdb append", step=duck_step("mode: append"), after=sorted(OLD + NEW), read=duck, seed=seed_duck
    ),
    Destination(name="duckdb replace", step=duck_step("mode: replace"), after=NEW, read=duck, seed=seed_duck),
    Destination(
        name="duckdb upsert",
        step=duck_step("mode: upsert, primary_key: [id]"),
        after=[(1, "old"), *NEW],
        read=duck,
        seed=seed_duck,
    ),
    Destination(
        name="duckdb delete_insert",
        step=duck_step("mode: delete_insert, replace_keys: [id]"),
        after=[(1, "old"), *NEW],
        read=duck,
        seed=seed_duck,
    ),
    Destination(
        name="csv replace",
        step=file_step("csv_writer", "path: out/target.csv"),
        after=NEW,
        read=reader("read_csv('{}/out/target.csv', header = true)"),
        seed=seeder("out/target.csv", "FORMAT csv, HEADER"),
    ),
    Destination(
        name="csv append",
        step=file_step("csv_writer", "path: out/target, layout: folder, mode: append"),
        after=sorted(OLD + NEW),
        read=reader("read_csv('{}/out/target/*.csv', header = true)"),
        seed=seed_folder("csv_writer", "out/target"),
    ),
    Destination(
        name="parquet replace",
        step=file_step("parquet_writer", "path: out/target.parquet"),
        after=NEW,
        read=reader("read_parquet('{}/out/target.parquet')"),
        seed=seeder("out/target.parquet", "FORMAT parquet"),
    ),
    Destination(
        name="parquet append",
        step=file_step("parquet_writer", "path: out/target, layout: folder, mode: append"),
        after=sorted(OLD + NEW),
        read=reader("read_parquet('{}/out/target/*.parquet')"),
        seed=seed_folder("parquet_writer", "out/target"),
    ),
    Destination(
        name="jsonl replace",
        step=file_step("jsonl_writer", "path: out/target.jsonl"),
        after=NEW,
        read=reader("read_json('{}/out/target.jsonl', format = 'newline_delimited')"),
        seed=seeder("out/target.jsonl", "FORMAT json"),
    ),
    Destination(
        name="jsonl append",
        step=file_step("jsonl_writer", "path: out/target, layout: folder, mode: append"),
        after=sorted(OLD + NEW),
        read=reader("read_json('{}/out/target/*.jsonl', format = 'newline_delimited')"),
        seed=seed_folder("jsonl_writer", "out/target"),
    ),
    Destination(
        name="parquet folder replace",
        step=file_step("parquet_writer", "path: out/target, layout: folder"),
        after=NEW,
        read=reader("read_parquet('{}/out/target/*.parquet')"),
        seed=seed_folder("parquet_writer", "out/target"),
    ),
)


def pipeline(name: str, source: str, step: str) -> str:
    types = "{id: BIGINT, name: VARCHAR}"
    read = f"{{id: read, component: filesystem.csv_extractor, mode: read, config: {{path: {source}, types: {types}}}}}"
    return f'oml_version: "0.1.0"\nname: {name}\nsteps:\n  - {read}\n  - {step}\n'


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Destination], Path]:
    """Makes a project with a destination that holds the old rows; each is laid out once and then copied."""
    templates: dict[str, Path] = {}

    def copy(destination: Destination) -> Path:
        if destination.name not in templates:
            template = tmp_path_factory.mktemp("template")
            lay_out(template, destination)
            templates[destination.name] = template
        return shutil.copytree(templates[destination.name], tmp_path_factory.mktemp("matrix") / "project")

    return copy


def lay_out(folder: Path, destination: Destination) -> None:
    (folder / "osiris.yaml").write_text("{}\n")
    (folder / "osiris_connections.yaml").write_text("connections:\n  duckdb:\n    main: {path: main.duckdb}\n")
    (folder / "in.csv").write_text("id,name\n" + "".join(f"{i},{n}\n" for i, n in NEW))
    (folder / "load.yaml").write_text(pipeline("load", "in.csv", destination.step))
    destination.seed(folder)


def osiris(folder: Path, *argv: str, failpoint: str | None = None) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("OSIRIS_")}
    if failpoint:
        environ |= {"OSIRIS_TEST_FAILPOINTS": "1", "OSIRIS_FAILPOINT": failpoint}
    return command(*argv, cwd=folder, env=environ)


def staged(folder: Path) -> list[str]:
    """What stands in the project for a write that is under way."""
    files = [str(p.relative_to(folder)) for p in folder.rglob("*") if p.name.startswith(".osiris-")]
    database = folder / "main.duckdb"
    tables: list[Any] = []
    if database.exists():
        with duckdb.connect(str(database), read_only=True) as connection:
            query = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_name != '_osiris_loads'"
            tables = [t for t in connection.execute(query).fetchall() if t != ("main", "target")]
    return files + [str(t) for t in tables]


@pytest.mark.extra
@pytest.mark.parametrize("point", RUNTIME_POINTS)
@pytest.mark.parametrize("destination", DESTINATIONS, ids=lambda d: d.name)
def test_killed(destination: Destination, point: str, laid_out: Callable[[Destination], Path], cell: Cell) -> None:
    folder = laid_out(destination)
    assert destination.read(folder) == OLD

    killed = osiris(folder, "run", "load.yaml", failpoint=f"{point}:kill")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    found = destination.read(folder)
    assert found in (OLD, destination.after)
    assert (found == destination.after) == (point in {"after_publish", "before_status"})
    if point == "mid_write":
        crashed = json.loads(osiris(folder, "logs", "list", "--json").stdout)
        assert "crashed" in json.dumps(crashed)

    again = osiris(folder, "run", "load.yaml", "--json")
    assert again.returncode == 0, again.stderr + again.stdout
    assert destination.read(folder) == destination.after
    assert staged(folder) == []

    state = "after" if found == destination.after else "before"
    cell(*destination.name.rsplit(" ", 1), f"kill -9 at {point}", state)
    if point != "after_publish":
        return
    # A success ends the chain: the next run is a load of its own, and an append appends.
    third = osiris(folder, "run", "load.yaml")
    assert third.returncode == 0, third.stderr
    twice = sorted(destination.after + NEW) if "append" in destination.name else destination.after
    assert destination.read(folder) == twice


@pytest.mark.extra
@pytest.mark.parametrize("action", ["interrupt", "full", "raise", "retry"])
@pytest.mark.parametrize("destination", DESTINATIONS, ids=lambda d: d.name)
def test_failed(destination: Destination, action: str, laid_out: Callable[[Destination], Path], cell: Cell) -> None:
    folder = laid_out(destination)
    done = osiris(folder, "run", "load.yaml", failpoint=f"before_publish:{action}")
    assert "Traceback" not in done.stderr
    if action == "retry":
        assert done.returncode == 0, done.stderr
        assert destination.read(folder) == destination.after
        state = "after"
    else:
        assert done.returncode == (130 if action == "interrupt" else 1), done.stderr
        # A signal may find the step past its last look at it; then the load is published, whole.
        allowed = (OLD, destination.after) if action == "interrupt" else (OLD,)
        found = destination.read(folder)
        assert found in allowed
        state = "before" if found == OLD else "after"
        assert staged(folder) == []
        again = osiris(folder, "run", "load.yaml")
        assert again.returncode == 0, again.stderr
        assert destination.read(folder) == destination.after
    assert staged(folder) == []
    cell(*destination.name.rsplit(" ", 1), f"{action} at before_publish", state)
