from __future__ import annotations

from pathlib import Path

import pytest

from osiris_core.project.paths import Project, find_project


def test_the_nearest_folder_with_a_settings_file_is_the_project(tmp_path):
    inner = tmp_path / "inner"
    deep = inner / "pipelines" / "daily"
    deep.mkdir(parents=True)
    (tmp_path / "osiris.yaml").write_text("")
    assert find_project(deep) == Project(tmp_path)
    (inner / "osiris.yaml").write_text("")
    assert find_project(deep) == Project(inner)
    pipeline = deep / "x.yaml"
    pipeline.write_text("")
    assert find_project(pipeline) == Project(inner)


def test_a_folder_without_a_settings_file_is_its_own_project(tmp_path, monkeypatch):
    assert find_project(tmp_path).root == tmp_path
    monkeypatch.chdir(tmp_path)
    assert find_project().root == Path.cwd()


def test_a_project_above_in_a_folder_that_everyone_may_write_to_is_passed_over(tmp_path):
    public = tmp_path / "public"
    mine = public / "mine"
    mine.mkdir(parents=True)
    public.chmod(0o1777)
    (public / "osiris.yaml").write_text("")
    assert find_project(mine).root == mine
    assert find_project(public).root == public  # named, or the current folder: that is the person's own choice


def test_a_directory_called_osiris_yaml_is_no_project(tmp_path):
    (tmp_path / "osiris.yaml").mkdir()
    below = tmp_path / "below"
    below.mkdir()
    assert find_project(below).root == below


@pytest.mark.parametrize(
    ("folder", "expected"), [("build", "/p/build"), ("out/b", "/p/out/b"), ("/var/build", "/var/build")]
)
def test_folders_are_below_the_root_unless_absolute(folder, expected):
    assert Project(Path("/p"), build_folder=folder).build == Path(expected)
    assert Project(Path("/p"), logs_folder=folder).logs == Path(expected)


def test_paths_are_shown_relative_to_the_root():
    project = Project(Path("/p"))
    assert project.shown(project.connections_file) == "osiris_connections.yaml"
    assert project.shown(Path("/p/a/b")) == "a/b"
    assert project.shown(Path("/other/.env")) == "/other/.env"
