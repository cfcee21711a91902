"""What each command may import: lists of modules in a fresh interpreter, not clocks."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"arro3", "duckdb", "_duckdb", "nanoarrow", "rich", "sqlglot", "pyarrow", "polars", "pandas", "numpy"}

PROBE = """\
import json, sys
sys.argv = ["osiris", *{arguments!r}]
before = set(sys.modules)
try:
    from osiris_core.cli import main
    main()
except SystemExit as end:
    assert not end.code, end.code
print("\\n" + json.dumps(sorted(set(sys.modules) - before)))
"""


def modules(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def imported(*arguments):
    return modules(PROBE.format(arguments=list(arguments)))


def packages(names):
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"]])
def test_help_and_version_import_click_and_the_standard_library_only(arguments):
    found = imported(*arguments)
    assert packages(found) == {"click", "osiris_core"}
    assert [name for name in found if name.startswith("osiris_core")] == ["osiris_core", "osiris_core.cli"]


def test_the_plugin_api_is_light():
    code = "import json, sys; import osiris_core.api; print(json.dumps(sorted(sys.modules)))"
    found = modules(code)
    assert not packages(found) & HEAVY
    assert not [name for name in found if name.startswith(("osiris_core.run", "osiris_core.oml", "osiris_core.cli"))]


@pytest.mark.parametrize("arguments", [["plugins", "list"], ["components", "list"], ["plugins", "--help"]])
def test_listing_plugins_imports_nothing_heavy(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not packages(imported(*arguments)) & HEAVY
