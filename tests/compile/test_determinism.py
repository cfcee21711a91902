"""Two compiles anywhere are equal byte for byte: other folders, times, locales, hash seeds and Python versions.

Each leg is a process of its own. ``OSIRIS_TEST_PYTHONS`` (paths, separated like ``PATH``) names further interpreters
that have the core installed; without it, ``.venv*/bin/python`` beside the repository's own are used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

PIPELINE = """\
oml_version: "0.1.0"
name: iii-tagesumsatz
description: "Umsätze für İstanbul, ıssız ve 東京 🦆"
metadata: {owner: Ünal, scores: [0.1, 1e22, -0.0, 3.0, 123456789012345678901234567890], "ß": null, SS: true, ss: false}
params:
  day: {type: date, default: 2024-02-29, description: Schaltjahr}
  share: {type: number, default: 0.30000000000000004}
  title: {default: "I ı İ i"}
profiles:
  büro: {}
  prod: {params: {share: 1}, connections: {duckdb: z}}
steps:
  - {id: w, component: duckdb.writer, mode: write, needs: [c], config: {table: "${params.title}", mode: upsert, primary_key: [Ñ, ß]}}
  - id: c
    component: duckdb.processor
    mode: transform
    needs: [b, a]
    config:
      query: |
        SELECT *, 'ı' AS "${params.title}" FROM a JOIN b USING (k)
        WHERE day >= CAST(:day AS DATE) AND share > :share
      query_params: {share: "${params.share}", day: "${params.day}"}
  - {id: a, component: duckdb.extractor, mode: read, config: {table: "Straße", columns: [k, "day"]}}
  - {id: b, component: duckdb.extractor, mode: extract, config: {table: x, connection_overrides: {lock_timeout: 1}}}
""".replace("büro", "buero")

CONNECTIONS = 'connections: {duckdb: {z: {path: "${Z}"}, y: {path: "dört/ı.duckdb", default: true}}}\n'

OTHER_CLOCK = """\
import datetime, random, time
time.time = lambda: 4_000_000_000.5
time.time_ns = lambda: 4_000_000_000_500_000_000
random.seed(7)
"""
PROGRAM = "{prelude}\nfrom osiris_core.cli import main\nmain()\n"


def other_pythons():
    named = os.environ.get("OSIRIS_TEST_PYTHONS", "")
    found = [Path(path) for path in named.split(os.pathsep) if path] or sorted(REPOSITORY.glob(".venv*/bin/python"))
    return [
        path for path in found if path.exists() and version_of(path) != f"{sys.version_info[0]}.{sys.version_info[1]}"
    ]


def version_of(python):
    code = "import sys; print(f'{sys.version_info[0]}.{sys.version_info[1]}')"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60).stdout.strip()


def compiled(folder, *arguments, python=sys.executable, env=None, cwd=None, prelude="", options=()):
    """The bytes of the build folder of a project in ``folder``, compiled by another process."""
    (folder / "pipelines").mkdir(parents=True)
    (folder / "osiris.yaml").write_text("", "utf-8")
    (folder / "osiris_connections.yaml").write_text(CONNECTIONS, "utf-8")
    (folder / "pipelines" / "p.yaml").write_text(PIPELINE, "utf-8")
    program = PROGRAM.format(prelude=textwrap.dedent(prelude))
    done = subprocess.run(
        [python, *options, "-c", program, "compile", str(folder / "pipelines" / "p.yaml"), *arguments],
        env={**os.environ, **(env or {})},
        cwd=cwd or folder,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return tree(folder / "build")


def tree(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    files = compiled(tmp_path_factory.mktemp("first") / "p")
    assert len(files) == 7
    assert "🦆" in next(content.decode() for name, content in files.items() if name.endswith("manifest.yaml"))
    return files


LEGS = {
    "another folder, called from elsewhere": {"cwd": "/"},
    "hash seed 0": {"env": {"PYTHONHASHSEED": "0"}},
    "hash seed 4242": {"env": {"PYTHONHASHSEED": "4242"}},
    "Honolulu": {"env": {"TZ": "Pacific/Honolulu"}},
    "Kiritimati": {"env": {"TZ": "Pacific/Kiritimati"}},
    "another time": {"prelude": OTHER_CLOCK},
    "locale C without UTF-8 mode": {"env": {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}},
    "locale POSIX": {"env": {"LC_ALL": "POSIX"}},
    "another user and host": {"env": {"USER": "nobody", "LOGNAME": "nobody", "HOME": "/nonexistent", "HOSTNAME": "h"}},
    "optimised": {"options": ("-OO",)},
    "unrelated variables": {"env": {"OSIRIS_PARAM_OTHER": "1", "Z": "z.duckdb", "COLUMNS": "20", "NO_COLOR": "1"}},
    "one worker, other settings of a run": {"env": {"OSIRIS_RUN_JOBS": "1", "OSIRIS_RUN_MEMORY_LIMIT": "1GB"}},
}


@pytest.mark.parametrize("leg", LEGS)
def test_the_same_bytes_wherever_it_is_compiled(tmp_path, expected, leg):
    assert compiled(tmp_path / leg.split()[0] / "p", **LEGS[leg]) == expected


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["tr_TR", "de_DE", "ar_SA", "th_TH"])
def test_the_same_bytes_in_every_locale(tmp_path, expected, locale):
    if shutil.which("localedef") is None:
        pytest.skip(f"NOT PROVED HERE: locale {locale}, because there is no localedef to make it with")
    made = subprocess.run(
        ["localedef", "-i", locale, "-f", "UTF-8", tmp_path / f"{locale}.UTF-8"], capture_output=True, text=True
    )
    if not (tmp_path / f"{locale}.UTF-8").is_dir():
        pytest.skip(f"NOT PROVED HERE: locale {locale}, because localedef cannot make it: {made.stderr.strip()[:200]}")
    env = {"LOCPATH": str(tmp_path), "LC_ALL": f"{locale}.UTF-8"}
    set_it = "import locale; locale.setlocale(locale.LC_ALL, '')"
    assert compiled(tmp_path / "p", env=env, prelude=set_it) == expected


def test_the_same_bytes_with_other_pythons(tmp_path, expected):
    pythons = other_pythons()
    if not pythons:
        pytest.skip("NOT PROVED HERE: another Python version; set OSIRIS_TEST_PYTHONS to an interpreter with the core")
    for number, python in enumerate(pythons):
        assert compiled(tmp_path / str(number) / "p", python=python) == expected, version_of(python)


def test_a_profile_and_parameters_too(tmp_path, expected):
    arguments = ("--profile", "prod", "--param", "title=x y")
    here = compiled(tmp_path / "a" / "p", *arguments)
    there = compiled(tmp_path / "b" / "p", *arguments, env={"PYTHONHASHSEED": "1", "TZ": "Asia/Kolkata"})
    assert here == there
    assert here.keys() != expected.keys()


def test_nothing_of_this_machine_is_in_it(tmp_path, expected):
    content = b"".join(expected.values())
    for told in (str(tmp_path), str(REPOSITORY), os.uname().nodename, str(Path.home())):
        assert told.encode() not in content or len(told) < 3
