"""A target is, at any instant, as it was before or as it is after; whatever happens in between leaves nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import duckdb
import pyarrow as pa
import pytest

from osiris_core.errors import Cancelled, DriverError

from .conftest import tuples

WRITERS = ["csv_writer", "parquet_writer", "jsonl_writer"]
ROOT_SKIP = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def reader(component):
    return component.replace("writer", "extractor")


def values(folder, component, path):
    return [row[0] for row in tuples(folder.read(reader(component), path=path))]


class Broken:
    """A stream that ends in an error after some rows."""

    def __init__(self, rows):
        self.schema = pa.schema([("a", pa.int64())])
        self.rows = rows

    def __arrow_c_stream__(self, requested_schema=None):
        def batches():
            for start in range(0, self.rows, 1000):
                yield pa.record_batch([pa.array(range(start, start + 1000), pa.int64())], names=["a"])
            raise ValueError("the source broke")

        return pa.RecordBatchReader.from_batches(self.schema, batches()).__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("component", WRITERS)
def test_a_file_is_replaced_and_keeps_its_mode(folder, component):
    folder.write(component, "SELECT 1 a", path="o")
    (folder.path / "o").chmod(0o640)
    folder.write(component, "SELECT 2 a", path="o")
    assert values(folder, component, "o") == [2]
    assert (folder.path / "o").stat().st_mode & 0o777 == 0o640
    assert folder.names() == ["o"]


@pytest.mark.parametrize("component", WRITERS)
@pytest.mark.parametrize("config", [{}, {"layout": "folder"}, {"layout": "folder", "mode": "append"}])
def test_a_source_that_breaks_leaves_the_target_as_it_was(folder, component, config):
    for existing in (False, True):
        if existing:
            folder.write(component, "SELECT 1::BIGINT a", path="o", **config)
        before = folder.names(), folder.names("o") if existing and config else None
        with pytest.raises(Exception, match="the source broke"):
            folder.write_stream(component, Broken(5000), path="o", **config)
        assert (folder.names(), folder.names("o") if existing and config else None) == before
        if existing:
            assert values(folder, component, "o") == [1]


@pytest.mark.parametrize("component", WRITERS)
def test_an_empty_source_empties_the_target(folder, component):
    for config in ({}, {"layout": "folder"}):
        path = f"o{len(config)}"
        folder.write(component, "SELECT 1 a", path=path, **config)
        folder.write(component, "SELECT 1 a WHERE false", path=path, **config)
        if component == "jsonl_writer":
            with pytest.raises(DriverError):
                values(folder, component, path)  # no lines, no keys
        else:
            assert values(folder, component, path) == []


@pytest.mark.parametrize("component", WRITERS)
def test_a_folder_grows_by_parts_and_a_repeated_load_changes_nothing(folder, component):
    config = {"path": "lake", "layout": "folder", "mode": "append"}
    first = folder.write(component, "SELECT 1 a UNION ALL SELECT 2", load_id="a" * 32, **config)
    second = folder.write(component, "SELECT 3 a", load_id="b" * 32, **config)
    names = folder.names("lake")
    again = folder.write(component, "SELECT 1 a UNION ALL SELECT 2", load_id="a" * 32, **config)
    assert (first.rows, second.rows, again.rows) == (2, 1, 2)
    assert (first.already, again.already) == (False, True)
    assert folder.names("lake") == names
    assert sorted(values(folder, component, "lake")) == [1, 2, 3]
    record = json.loads(folder.bytes("lake/_osiris_parts.json"))
    assert [load["rows"] for load in record["loads"]] == [2, 1]
    assert {entry["name"] for entry in record["files"]} | {"_osiris_parts.json"} == set(names)
    for entry in record["files"]:
        raw = folder.bytes(f"lake/{entry['name']}")
        import zlib

        assert (len(raw), f"{zlib.crc32(raw):08x}") == (entry["bytes"], entry["crc32"])


def test_a_folder_is_replaced_whole(folder):
    config = {"path": "lake", "layout": "folder"}
    folder.write("csv_writer", "SELECT 1 a", mode="append", **config)
    folder.write("csv_writer", "SELECT 2 a", mode="append", **config)
    folder.write("csv_writer", "SELECT 3 a", mode="replace", load_id="c" * 32, **config)
    assert values(folder, "csv_writer", "lake") == [3]
    assert len(folder.names("lake")) == 2
    again = folder.write("csv_writer", "SELECT 3 a", mode="replace", load_id="c" * 32, **config)
    assert again.already
    assert folder.names() == ["lake"]


def test_appended_rows_must_have_the_folders_columns(folder):
    config = {"path": "lake", "layout": "folder", "mode": "append"}
    folder.write("csv_writer", "SELECT 1 a, 'x' b", **config)
    with pytest.raises(DriverError) as caught:
        folder.write("csv_writer", "SELECT 1 a, 1.5::DOUBLE b", **config)
    assert (caught.value.code, caught.value.message) == (
        "OSR-FS-050",
        "the rows have other columns than the parts in 'lake' (missing: b VARCHAR; new: b DOUBLE)",
    )
    with pytest.raises(DriverError) as caught:
        folder.write("parquet_writer", "SELECT 1 a, 'x' b", **config)
    assert caught.value.message == "the folder 'lake' was written by filesystem.csv_writer"
    assert values(folder, "csv_writer", "lake") == [1]


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_a_folder_with_other_peoples_files_is_left_alone(folder, mode):
    folder.file("lake/mine.txt", "precious")
    with pytest.raises(DriverError) as caught:
        folder.write("csv_writer", "SELECT 1 a", path="lake", layout="folder", mode=mode)
    assert caught.value.message == "the folder 'lake' holds 'mine.txt', which is no part of it"
    assert folder.names("lake") == ["mine.txt"]
    folder.write("csv_writer", "SELECT 1 a", path="empty/lake", layout="folder", mode=mode, create_dirs=True)
    assert values(folder, "csv_writer", "empty/lake") == [1]


def test_a_target_of_another_kind_is_left_alone(folder):
    folder.file("f", "x")
    (folder.path / "d").mkdir()
    for path, config in (("d", {}), ("f", {"layout": "folder"}), ("f", {"layout": "folder", "mode": "append"})):
        with pytest.raises(DriverError) as caught:
            folder.write("csv_writer", "SELECT 1 a", path=path, **config)
        assert caught.value.code == "OSR-FS-051"
    for path in (".", "./", "_osiris_parts.json", ".osiris-x"):
        with pytest.raises(DriverError) as caught:
            folder.write("csv_writer", "SELECT 1 a", path=path)
        assert caught.value.code in ("OSR-FS-051", "OSR-FS-001")
    assert (folder.names(), folder.bytes("f")) == (["d", "f"], b"x")


def test_a_damaged_record_is_an_error(folder):
    folder.write("csv_writer", "SELECT 1 a", path="lake", layout="folder")
    [part] = [name for name in folder.names("lake") if name.startswith("part-")]
    folder.file(f"lake/{part}", "a\n1\n2\n")
    with pytest.raises(DriverError) as caught:
        values(folder, "csv_writer", "lake")
    assert caught.value.message == f"'lake/{part}' has 6 bytes, and 4 according to '_osiris_parts.json' beside it"
    for damaged in (
        "",
        "{",
        "[]",
        '{"format": 2}',
        '{"format": 1, "component": "x", "columns": [], "loads": [], "files": [{"name": "../x"}]}',
    ):
        folder.file("lake/_osiris_parts.json", damaged)
        for action in (
            lambda: values(folder, "csv_writer", "lake"),
            lambda: folder.write("csv_writer", "SELECT 1 a", path="lake", layout="folder"),
        ):
            with pytest.raises(DriverError) as caught:
                action()
            assert caught.value.code == "OSR-FS-009", damaged


def test_a_part_that_the_record_does_not_list_is_no_part(folder):
    config = {"path": "lake", "layout": "folder", "mode": "append"}
    folder.write("csv_writer", "SELECT 1 a", **config)
    folder.file("lake/part-deadbeefdeadbeef-00000.csv", "a\n99\n")
    assert values(folder, "csv_writer", "lake") == [1]
    folder.write("csv_writer", "SELECT 2 a", **config)
    assert sorted(values(folder, "csv_writer", "lake")) == [1, 2]
    assert "part-deadbeefdeadbeef-00000.csv" not in folder.names("lake")


def test_two_runs_do_not_write_one_target_at_the_same_time(folder):
    from osiris_filesystem.roots import Root
    from osiris_filesystem.targets import Target

    root = Root.of(".", folder.path)
    held = Target.lock(root, "o.csv", load_id="f" * 32, create_dirs=False)
    with pytest.raises(DriverError) as caught:
        folder.write("csv_writer", "SELECT 1 a", path="o.csv")
    assert (caught.value.code, caught.value.retriable) == ("OSR-FS-054", True)
    folder.write("csv_writer", "SELECT 1 a", path="other.csv")
    held.release()
    folder.write("csv_writer", "SELECT 1 a", path="o.csv")
    assert folder.names() == ["o.csv", "other.csv"]


def test_a_cancelled_write_leaves_nothing(folder):
    class Endless:
        schema = pa.schema([("a", pa.int64())])

        def __arrow_c_stream__(self, requested_schema=None):
            def batches():
                while True:
                    yield pa.record_batch([pa.array(range(1000), pa.int64())], names=["a"])

            return pa.RecordBatchReader.from_batches(self.schema, batches()).__arrow_c_stream__(requested_schema)

    for config in ({}, {"layout": "folder", "mode": "append"}, {"layout": "folder"}):
        from osiris_core.run.cancel import CancelToken

        folder.token = CancelToken()
        timer = threading.Timer(0.3, lambda token=folder.token: token.cancel(Cancelled("OSR-RUN-002", "stopped")))
        timer.start()
        with pytest.raises(Cancelled):
            folder.write_stream("csv_writer", Endless(), path="o", **config)
        assert folder.names() == []


PROGRAM = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import Folder
folder = Folder(Path(sys.argv[2]))
folder.failpoints = sys.argv[3]
folder.runs = int(sys.argv[6])
config = eval(sys.argv[5])
written = folder.write(sys.argv[4], "SELECT range + 100 AS a FROM range(50000)", load_id="d" * 32, path="o", **config)
print(written.rows, written.already)
"""
POINTS = ["begin", "staged", "before_publish", "renamed", "after_publish"]
FOLDER_POINTS = ["begin", "staged", "before_publish", "parts_placed", "swapped", "after_publish"]


FILES = [({}, point) for point in POINTS]
FOLDERS = [({"layout": "folder", "mode": mode}, point) for mode in ("append", "replace") for point in FOLDER_POINTS]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("component", "config", "point"),
    [(WRITERS[0], *case) for case in FILES + FOLDERS]
    # What publishes does not know the format.
    + [
        pytest.param(component, *case, marks=pytest.mark.extra) for component in WRITERS[1:] for case in FILES + FOLDERS
    ],
)
def test_killed_at_any_point_the_target_is_before_or_after_and_running_again_converges(
    folder, component, config, point
):
    folder.write(component, "SELECT range a FROM range(3)", load_id="a" * 32, path="o", **config)
    old = [0, 1, 2]
    new = list(range(100, 50100))
    appended = old + new if config.get("mode") == "append" else new

    def run(failpoint):
        arguments = [os.path.dirname(__file__), str(folder.path), failpoint, component, repr(config), "7"]
        return subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True)

    killed = run(f"{point}:kill")
    reached = not (
        (point == "parts_placed" and config["mode"] == "replace") or (point == "swapped" and config["mode"] == "append")
    )
    assert (killed.returncode != 0) == reached, killed.stderr
    assert values(folder, component, "o") in (old, appended)
    again = run("")
    assert again.returncode == 0, again.stderr
    assert again.stdout.split()[0] == "50000"
    assert values(folder, component, "o") == appended
    assert folder.names() == ["o"]
    if config:
        record = json.loads(folder.bytes("o/_osiris_parts.json"))
        assert set(folder.names("o")) == {entry["name"] for entry in record["files"]} | {"_osiris_parts.json"}


FULL = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import Folder
from osiris_core.errors import DriverError
folder = Folder(Path(sys.argv[2]))
folder.write(sys.argv[3], "SELECT 1 a", path="o", **eval(sys.argv[4]))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    folder.write(sys.argv[3], "SELECT md5(range::VARCHAR) a FROM range(100000)", path="p", **eval(sys.argv[4]))
except DriverError as error:
    print(error.code, error.message)
print(folder.names())
"""


@pytest.mark.slow
@pytest.mark.parametrize("component", WRITERS)
@pytest.mark.parametrize("config", [{}, {"layout": "folder"}, {"layout": "folder", "mode": "append"}])
def test_a_full_disk_is_named_and_leaves_nothing(folder, component, config):
    """The process's limit on file sizes gives the same error of the system, without a disk to fill."""
    arguments = [os.path.dirname(__file__), str(folder.path), component, repr(config)]
    done = subprocess.run([sys.executable, "-c", FULL, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code, names = done.stdout.splitlines()
    assert code.startswith("OSR-FS-055 ")
    assert "no space left on the disk" in code
    assert names == "['o']"


@ROOT_SKIP
def test_a_folder_without_permission(folder):
    (folder.path / "d").mkdir(mode=0o555)
    with pytest.raises(DriverError) as caught:
        folder.write("csv_writer", "SELECT 1 a", path="d/o.csv")
    assert caught.value.code == "OSR-FS-057"


def test_long_names_fit(folder):
    name = "x" * 250 + ".csv"
    folder.write("csv_writer", "SELECT 1 a", path=name)
    assert folder.names() == [name]
    assert duckdb.connect().sql(f"SELECT * FROM '{folder.path}/{name}'").fetchall() == [(1,)]


def test_staged_names_of_other_targets_are_left_alone(folder):
    folder.file(".osiris-00000000-ffff-00000", "other")
    folder.write("csv_writer", "SELECT 1 a", path="o.csv")
    assert folder.names() == [".osiris-00000000-ffff-00000", "o.csv"]
