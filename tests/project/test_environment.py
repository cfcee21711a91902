from __future__ import annotations

import os

import pytest

from osiris_core.errors import InvalidInput

# Which sources set X, in order of precedence: environment, current folder, root, testing_env. "" is set to nothing.
ORDER = [
    (("e", "c", "r", "t"), "e", "environment"),
    ((None, "c", "r", "t"), "c", "sub/.env:1"),
    ((None, None, "r", "t"), "r", ".env:1"),
    ((None, None, None, "t"), "t", "testing_env/.env:1"),
    ((None, None, None, None), None, None),
    (("e", None, None, "t"), "e", "environment"),
    (("", "c", "r", "t"), "c", "sub/.env:1"),
    (("", "", "r", "t"), "r", ".env:1"),
    (("", "", "", "t"), "t", "testing_env/.env:1"),
    (("", "", "", ""), None, None),
    ((None, "", "r", None), "r", ".env:1"),
]


@pytest.mark.parametrize(("values", "expected", "origin"), ORDER)
def test_the_first_source_that_gives_a_value_wins(project, values, expected, origin):
    environ, *files = values
    for name, value in zip(("sub/.env", ".env", "testing_env/.env"), files, strict=True):
        if value is not None:
            project.write(name, f"X={value}\n")
    cwd = project.root / "sub"
    cwd.mkdir(exist_ok=True)
    environment = project.environment({} if environ is None else {"X": environ}, cwd)
    assert environment.get("X") == expected
    assert environment.origin("X") == origin
    assert ("X" in environment) is (expected is not None)
    set_to_nothing = expected is None and "" in values
    assert (environment.empty_at("X") is not None) is set_to_nothing


def test_the_project_root_as_current_folder_is_read_once(project):
    project.write(".env", "X=1\n")
    assert project.environment().searched == ("environment", ".env", "testing_env/.env")


def test_a_current_folder_outside_the_project_counts_and_is_named_in_full(project, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / ".env").write_text("X=1\n")
    environment = project.environment(cwd=elsewhere)
    assert environment["X"] == "1"
    assert environment.origin("X") == f"{elsewhere}/.env:1"


def test_it_is_a_mapping_and_its_repr_shows_no_value(project):
    project.write(".env", "B=2\n")
    environment = project.environment({"A": "1", "E": ""})
    assert dict(environment) == {"A": "1", "B": "2"}
    assert len(environment) == 2
    assert repr(environment) == "Environment(2 variables from environment, .env, testing_env/.env)"


def test_a_byte_order_mark_is_skipped(project):
    (project.root / ".env").write_bytes(b"\xef\xbb\xbfX=1\r\n")
    assert project.environment()["X"] == "1"


def _directory(path):
    path.mkdir()


def _pipe(path):
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b"A=1\nX=\xff\n"), "is not UTF-8 text"),
        (lambda path: path.write_bytes(b"#" * (1 << 20) + b"\nX=1"), "is larger than 1048576 bytes"),
        (_directory, "is not a regular file"),
        (_pipe, "is not a regular file"),
        (lambda path: path.symlink_to(path), "cannot be read: Too many levels of symbolic links"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_with_its_place(project, make, message):
    make(project.root / ".env")
    with pytest.raises(InvalidInput) as caught:
        project.environment()
    assert caught.value.code == "OSR-SET-012"
    assert caught.value.message == message
    assert caught.value.where.startswith(".env")


def test_a_malformed_line_is_an_error_at_its_line(project):
    project.write("testing_env/.env", "A=1\noops\n")
    with pytest.raises(InvalidInput) as caught:
        project.environment()
    assert str(caught.value.diagnostics[0].position) == "testing_env/.env:2:1"
