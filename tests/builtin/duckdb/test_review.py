"""What ``osiris validate`` says about queries, at their line, before anything runs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from osiris_core.builtin.duckdb.spec import osiris_validate_pipeline
from tests.commands import osiris


@pytest.fixture
def validate(tmp_path):
    (tmp_path / "osiris.yaml").write_text("{}\n")
    (tmp_path / "osiris_connections.yaml").write_text("connections: {duckdb: {default: {path: w.duckdb}}}\n")

    def run(query, *, inputs=("some-rows",), params=None, mode="warn"):
        steps = [
            {"id": name, "component": "duckdb.extractor", "mode": "extract", "config": {"table": "t"}}
            for name in inputs
        ]
        config = {"query": query} | ({"query_params": params} if params else {})
        steps.append(
            {"id": "sql", "component": "duckdb.processor", "mode": "transform", "needs": list(inputs), "config": config}
        )
        steps.append(
            {"id": "w", "component": "duckdb.writer", "mode": "write", "config": {"table": "x", "mode": "append"}}
        )
        document = {"oml_version": "0.1.0", "name": "p", "steps": steps}
        (tmp_path / "p.yaml").write_text(json.dumps(document, indent=1))
        done = osiris("validate", "p.yaml", "--json", "--mode", mode, cwd=tmp_path)
        return done.returncode, json.loads(done.stdout)

    return run


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELEC 1", "OSR-DUCKDB-001"),
        ("SELECT 1; SELECT 2", "OSR-DUCKDB-002"),
        ("DROP TABLE some_rows", "OSR-DUCKDB-002"),
        ("SELECT * FROM some_row", "OSR-DUCKDB-003"),
        ("SELECT * FROM 'x.csv'", "OSR-DUCKDB-003"),
        ("SELECT * FROM read_csv('x.csv')", "OSR-DUCKDB-004"),
    ],
)
def test_a_query_that_would_be_refused_is_found_at_its_place(validate, query, code):
    status, said = validate(query)
    assert status == 2
    text = json.dumps(said)
    assert code in text
    assert "$.steps[1].config.query" in text


def test_inputs_are_seen_under_their_sql_names(validate):
    assert validate("SELECT * FROM some_rows JOIN df USING (i)")[0] == 0
    assert validate("SELECT * FROM some_rows JOIN other USING (i)", inputs=("some-rows", "other"))[0] == 0
    status, said = validate("SELECT * FROM df", inputs=("some-rows", "other"))
    assert status == 2
    assert "reads 'df', which is not one of its inputs ('other', 'some_rows')" in json.dumps(said)


def test_a_query_whose_result_varies_is_a_warning(validate):
    status, said = validate("SELECT now() AS t FROM df")
    assert status == 0
    assert "OSR-DUCKDB-013" in json.dumps(said)
    assert validate("SELECT now() AS t FROM df", mode="strict")[0] == 2


def test_bound_values_are_fine(validate):
    assert validate("SELECT * FROM df WHERE i > :least", params={"least": 3})[0] == 0


def test_a_pipeline_without_queries_does_not_import_the_engine():
    code = (
        "import sys\n"
        "from types import SimpleNamespace as N\n"
        "from osiris_core.builtin.duckdb import osiris_validate_pipeline as hook\n"
        "assert list(hook(N(steps=[N(component='x.y')]), None)) == []\n"
        "assert 'duckdb' not in sys.modules and '_duckdb' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert callable(osiris_validate_pipeline)
