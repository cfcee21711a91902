"""No path leads out of a connection's root, and nothing but regular files opens."""

from __future__ import annotations

import os
import socket
import threading

import pytest

from osiris_core.errors import ConnectionUnusable, DriverError


def read_refused(folder, path, code):
    with pytest.raises(DriverError) as caught:
        folder.read("csv_extractor", path=path)
    assert caught.value.code == code, caught.value
    return caught.value.message


def write_refused(folder, path, code, **config):
    before = sorted(entry.relative_to(folder.path) for entry in folder.path.rglob("*") if "logs" not in entry.parts)
    with pytest.raises(DriverError) as caught:
        folder.write("csv_writer", "SELECT 1 a", path=path, **config)
    assert caught.value.code == code, caught.value
    after = sorted(entry.relative_to(folder.path) for entry in folder.path.rglob("*") if "logs" not in entry.parts)
    assert after == before or code == "OSR-FS-052"
    return caught.value.message


@pytest.fixture
def rooted(folder):
    """A connection whose root is ``data``, with a secret beside it."""
    folder.file("data/a.csv", "a\n1\n")
    folder.file("secret.csv", "s\n42\n")
    folder.file("database/b.csv", "s\n43\n")
    folder.connect(root="data")
    return folder


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("../secret.csv", "OSR-FS-002"),
        ("./../secret.csv", "OSR-FS-002"),
        ("x/../../secret.csv", "OSR-FS-002"),
        ("..", "OSR-FS-002"),
        ("../*.csv", "OSR-FS-002"),
        ("../data/a.csv", "OSR-FS-002"),
        ("../database/b.csv", "OSR-FS-002"),
        ("/etc/passwd", "OSR-FS-002"),
        ("//server/share/a.csv", "OSR-FS-001"),
        ("\\\\server\\share\\a.csv", "OSR-FS-001"),
        ("C:/a.csv", "OSR-FS-001"),
        ("c:\\a.csv", "OSR-FS-001"),
        ("~/a.csv", "OSR-FS-001"),
        ("file:///etc/passwd", "OSR-FS-001"),
        ("https://example.org/a.csv", "OSR-FS-001"),
        ("s3://bucket/a.csv", "OSR-FS-001"),
        ("a\0.csv", "OSR-FS-001"),
        ("a\n.csv", "OSR-FS-001"),
        ("a\x1b[2J.csv", "OSR-FS-001"),
        ("a\u202e.csv", "OSR-FS-001"),
        (" ", "OSR-FS-001"),
    ],
)
def test_paths_that_mean_anything_else_are_refused(rooted, path, code):
    for refused in (read_refused, write_refused):
        message = refused(rooted, path, code)
        assert "42" not in message
        assert not any(ord(char) < 32 for char in message)


def test_an_absolute_path_inside_the_root_is_the_path_below_it(rooted):
    assert rooted.rows("csv_extractor", path=str(rooted.path / "data" / "a.csv")) == [(1,)]
    read_refused(rooted, str(rooted.path / "secret.csv"), "OSR-FS-002")
    read_refused(rooted, str(rooted.path / "database" / "b.csv"), "OSR-FS-002")


def test_links_are_followed_inside_the_root_only(rooted):
    root = rooted.path / "data"
    (root / "in.csv").symlink_to("a.csv")
    (root / "out.csv").symlink_to("../secret.csv")
    (root / "abs.csv").symlink_to(rooted.path / "secret.csv")
    (root / "dir").symlink_to("../database")
    (root / "loop").symlink_to("loop")
    (root / "chain.csv").symlink_to("out.csv")
    assert rooted.rows("csv_extractor", path="in.csv") == [(1,)]
    for path in ("out.csv", "abs.csv", "chain.csv", "dir/b.csv", "dir", "dir/*.csv", "*t.csv"):
        assert "leads out of" in read_refused(rooted, path, "OSR-FS-002"), path
    read_refused(rooted, "loop", "OSR-FS-004")
    write_refused(rooted, "dir/new.csv", "OSR-FS-002")
    # A link in the target's place is neither followed nor replaced.
    for path in ("out.csv", "in.csv", "loop"):
        write_refused(rooted, path, "OSR-FS-051")
    assert rooted.bytes("secret.csv") == b"s\n42\n"


def test_patterns_do_not_walk_through_links_to_folders(rooted):
    (rooted.path / "data" / "sub").mkdir()
    (rooted.path / "data" / "sub" / "up").symlink_to("..")
    rooted.file("data/sub/c.csv", "a\n2\n")
    assert rooted.rows("csv_extractor", path="**/*.csv") == [(1,), (2,)]


def test_devices_pipes_sockets_and_folders_do_not_open(rooted):
    root = rooted.path / "data"
    os.mkfifo(root / "pipe.csv")
    server = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(root)  # a socket's path is short
    try:
        server.bind("socket.csv")
    finally:
        os.chdir(here)
    (root / "folder.csv").mkdir()
    done = threading.Event()

    def read():
        assert "a pipe" in read_refused(rooted, "pipe.csv", "OSR-FS-004")
        assert "a socket" in read_refused(rooted, "socket.csv", "OSR-FS-004")
        read_refused(rooted, "pipe*", "OSR-FS-004")
        done.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(60)
    assert done.is_set()
    server.close()
    for path in ("pipe.csv", "socket.csv", "folder.csv"):
        write_refused(rooted, path, "OSR-FS-051")
    read_refused(rooted, "folder.csv", "OSR-FS-006")
    rooted.connect(root="/dev")
    assert "a device" in read_refused(rooted, "zero", "OSR-FS-004")
    read_refused(rooted, "null", "OSR-FS-004")


def test_missing_things_are_named(rooted):
    assert read_refused(rooted, "nope.csv", "OSR-FS-003").startswith("the file 'nope.csv' cannot be opened")
    read_refused(rooted, "no/such.csv", "OSR-FS-052")
    assert read_refused(rooted, "*.tsv", "OSR-FS-006") == "no file matches '*.tsv'"
    read_refused(rooted, "no/*.csv", "OSR-FS-006")
    assert write_refused(rooted, "no/such/o.csv", "OSR-FS-052") == "the folder 'no' does not exist"
    rooted.write("csv_writer", "SELECT 1 a", path="no/such/o.csv", create_dirs=True)
    assert rooted.bytes("data/no/such/o.csv") == b"a\n1\n"
    write_refused(rooted, "a.csv/o.csv", "OSR-FS-004")


def test_names_that_act_do_not_match(rooted):
    rooted.file("data/x\x1b[2J.csv", "a\n1\n")
    message = read_refused(rooted, "x*.csv", "OSR-FS-001")
    assert "\x1b" not in message
    assert "\\u001b" in message


@pytest.mark.parametrize("root", ["nope", "secret.csv", "\0", "x\ny"])
def test_unusable_roots(folder, root):
    folder.file("secret.csv", "")
    folder.connect(root=root)
    with pytest.raises(ConnectionUnusable) as caught:
        folder.read("csv_extractor", path="a.csv")
    assert caught.value.code == "OSR-FS-007"


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "data/.env",
        ".osiris/chat.sqlite",
        ".git/hooks/pre-commit",
        "./.x/../y.csv",
        "osiris.yaml",
        "osiris_connections.yaml",
        "./osiris.yaml",
        "logs/run_1/events.jsonl",
        "logs",
        "build/latest.json",
        "linked/chat.sqlite",
        "elsewhere/events.jsonl",
    ],
)
@pytest.mark.parametrize("root", [None, "."])
def test_what_is_hidden_or_osiriss_own_is_not_written(folder, path, root):
    for name in (".osiris", "data", "logs"):
        (folder.path / name).mkdir()
    (folder.path / "linked").symlink_to(".osiris")
    (folder.path / "elsewhere").symlink_to("logs")
    folder.file("osiris.yaml", "mine")
    if root is not None:
        folder.connect(root=root)
    write_refused(folder, path, "OSR-FS-002" if ".." in path else "OSR-FS-010", create_dirs=True)
    assert folder.bytes("osiris.yaml") == b"mine"


def test_a_root_does_not_make_osiriss_own_folders_writable(folder):
    (folder.path / ".osiris").mkdir()
    folder.connect(root=".osiris")
    write_refused(folder, "a.csv", "OSR-FS-010")
    folder.connect(root=str(folder.path / "logs"))
    (folder.path / "logs").mkdir(exist_ok=True)
    write_refused(folder, "a.csv", "OSR-FS-010")


def test_what_only_looks_like_it_is_written(folder):
    for path in ("logs.csv", "builds/a.csv", "data/osiris.yaml", "a.b/c.csv"):
        folder.write("csv_writer", "SELECT 1 a", path=path, create_dirs=True)
        assert folder.bytes(path) == b"a\n1\n"


def test_what_lies_above_the_project_may_be_called_anything(tmp_path):
    from .conftest import Folder

    (tmp_path / ".hidden" / "project").mkdir(parents=True)
    folder = Folder(tmp_path / ".hidden" / "project")
    folder.write("csv_writer", "SELECT 1 a", path="a.csv")
    folder.connect(root=str(tmp_path))
    folder.write("csv_writer", "SELECT 1 a", path=".hidden/project/b.csv")
    assert folder.bytes("b.csv") == b"a\n1\n"


def test_a_read_only_connection_is_not_written(rooted):
    rooted.connect(root="data", writable=False)
    assert rooted.rows("csv_extractor", path="a.csv") == [(1,)]
    write_refused(rooted, "o.csv", "OSR-FS-056")


@pytest.mark.parametrize("moment", range(1, 12))
def test_a_link_put_in_place_between_check_and_use_is_not_followed(rooted, monkeypatch, moment):
    """The race itself: the file is swapped for a link right after its path was resolved for the nth time."""
    from osiris_filesystem import roots

    real = roots.Root.real_parts
    calls = 0

    def swapped(self, parts):
        nonlocal calls
        found = real(self, parts)
        calls += 1
        if calls == moment:
            target = rooted.path / "data" / "a.csv"
            target.unlink()
            target.symlink_to("../secret.csv")
        return found

    monkeypatch.setattr(roots.Root, "real_parts", swapped)
    try:
        assert rooted.rows("csv_extractor", path="a.csv") == [(1,)]
    except DriverError as error:
        assert error.code in ("OSR-FS-002", "OSR-FS-004", "OSR-FS-005")
        assert "42" not in error.message


def test_folders_are_in_the_order_of_their_paths_wherever_they_were_made(folder):
    for name in ("b/2.csv", "a/10.csv", "a/9.csv", "B/1.csv", "é/1.csv", "b-c/1.csv"):
        folder.file(name, f"p\n{name}\n")
    assert [path for (path,) in folder.rows("csv_extractor", path="**/*.csv")] == [
        "B/1.csv",
        "a/10.csv",
        "a/9.csv",
        "b/2.csv",
        "b-c/1.csv",
        "é/1.csv",
    ]


def test_a_file_that_changes_while_it_is_read(folder):
    from .conftest import configured

    folder.file("a.csv", "a\n" + "1\n" * 200_000)
    ctx = folder.context("filesystem.csv_extractor")
    config = configured("filesystem.csv_extractor", {"path": "a.csv"})
    stream = folder.driver("filesystem.csv_extractor").run(step_id="step", config=config, inputs={}, ctx=ctx)["df"]
    batches = stream.batches()
    next(batches)
    folder.file("a.csv", "a\n" + "1\n" * 200_001)
    with pytest.raises(DriverError) as caught:
        list(batches)
    assert caught.value.code == "OSR-FS-035"
