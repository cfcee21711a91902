"""A pipeline that would write into Osiris's own files is refused before it runs, and by the run itself."""

from __future__ import annotations

import pytest

from tests.commands import osiris

PIPELINE = """\
oml_version: 0.1.0
name: own
steps:
  - {{id: rows, component: filesystem.csv_extractor, mode: extract, config: {{path: a.csv}}}}
  - id: store
    component: filesystem.csv_writer
    mode: write
    needs: [rows]
    config: {{path: {path}, create_dirs: true}}
"""


@pytest.mark.parametrize("path", ["osiris.yaml", "records/x.csv", "made/x.csv", ".env"])
def test_a_run_leaves_them_as_they_are(tmp_path, path):
    (tmp_path / "osiris.yaml").write_text("logging: {dir: records}\nbuild: {dir: made}\n")
    (tmp_path / ".env").write_text("A=1\n")
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "own.yaml").write_text(PIPELINE.format(path=path))
    before = (tmp_path / "osiris.yaml").read_bytes(), (tmp_path / ".env").read_bytes()
    for command in (("validate", "--bind"), ("run",)):
        done = osiris(*command, "own.yaml", cwd=tmp_path)
        assert done.returncode != 0
        assert "OSR-FS-010" in done.stdout + done.stderr
    assert ((tmp_path / "osiris.yaml").read_bytes(), (tmp_path / ".env").read_bytes()) == before
    assert not list(tmp_path.glob("*/x.csv"))


def test_where_logs_hold_the_project_there_is_still_somewhere_to_write(tmp_path):
    (tmp_path / "osiris.yaml").write_text("logging: {dir: .}\n")
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "own.yaml").write_text(PIPELINE.format(path="b.csv"))
    assert osiris("run", "own.yaml", cwd=tmp_path).returncode == 0
    assert (tmp_path / "b.csv").read_text() == "a\n1\n"
