"""Reading Excel workbooks, made by another library."""

from __future__ import annotations

import datetime as dt
import io
import subprocess
import sys
import zipfile
from decimal import Decimal

import openpyxl
import pytest

from osiris_core.errors import DriverError

from .conftest import tuples


def workbook(*rows, title="Sheet"):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = title
    for row in rows:
        sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def refused(folder, code, **config):
    with pytest.raises(DriverError) as caught:
        folder.read("excel_extractor", **config)
    assert caught.value.code == code, caught.value
    return caught.value.message


HEADER = ["id", "amount", "day", "at", "t", "ok", "txt"]
ROW = [1, 1.5, dt.date(2026, 1, 2), dt.datetime(2026, 1, 2, 3, 4, 5), dt.time(1, 2, 3), True, "007"]


def test_types_follow_the_cells(folder):
    folder.file("a.xlsx", workbook(HEADER, ROW, [None] * 7, [2.0, 2, None, dt.datetime(2026, 1, 3), None, False, None]))
    table = folder.read("excel_extractor", path="a.xlsx")
    assert tuples(table) == [
        tuple(ROW),
        (2, 2.0, None, dt.datetime(2026, 1, 3), None, False, None),
    ]
    [event] = folder.events("schema_inferred")
    assert [one["type"] for one in event["columns"]] == [
        "BIGINT",
        "DOUBLE",
        "DATE",
        "TIMESTAMP",
        "TIME",
        "BOOLEAN",
        "VARCHAR",
    ]


def test_stated_types_are_exact(folder):
    folder.file("a.xlsx", workbook(HEADER, ROW))
    found = folder.rows(
        "excel_extractor", path="a.xlsx", types={"amount": "DECIMAL(10,2)", "txt": "INTEGER"}, columns=["txt", "amount"]
    )
    assert found == [(7, Decimal("1.50"))]
    assert refused(folder, "OSR-FS-022", path="a.xlsx", types={"amount": "INTEGER"}) == (
        "'a.xlsx' cell B2: the column 'amount' is INTEGER, and '1.5' is not"
    )


def test_cells_of_several_kinds(folder):
    folder.file("a.xlsx", workbook(["a"], [1], ["x"]))
    assert refused(folder, "OSR-FS-022", path="a.xlsx") == (
        "the cells of the column 'a' are of several kinds: text in 'a.xlsx' cell A3, whole number in 'a.xlsx' cell A2"
    )
    assert folder.rows("excel_extractor", path="a.xlsx", types={"a": "VARCHAR"}) == [("1",), ("x",)]


def test_sheets_headers_and_skipped_rows(folder):
    folder.file("a.xlsx", workbook(["report"], [], ["a", "b"], [1, 2], title="Q1"))
    assert folder.rows("excel_extractor", path="a.xlsx", sheet="Q1", skip_rows=1) == [(1, 2)]
    assert refused(folder, "OSR-FS-042", path="a.xlsx", sheet="Q2") == "'a.xlsx' has no sheet 'Q2'"
    assert refused(folder, "OSR-FS-042", path="a.xlsx", sheet=1) == "'a.xlsx' has 1 sheets, and none is number 1"
    assert (
        refused(folder, "OSR-FS-028", path="a.xlsx", skip_rows=9)
        == "the sheet '0' of 'a.xlsx' is empty: it has no header"
    )
    folder.file("b.xlsx", workbook(["a", None, "c"], [1, 2, 3]))
    assert refused(folder, "OSR-FS-028", path="b.xlsx") == "the column B of 'b.xlsx' has no name"
    assert folder.rows(
        "excel_extractor", path="b.xlsx", header=False, names=["x", "y", "z"], types={"x": "VARCHAR", "z": "VARCHAR"}
    ) == [
        ("a", None, "c"),
        ("1", 2, "3"),
    ]


def test_several_workbooks(folder):
    folder.file("d/1.xlsx", workbook(["a"], [1]))
    folder.file("d/2.xlsx", workbook(["a"], [2.5]))
    assert folder.rows("excel_extractor", path="d/*.xlsx", filename_column="f") == [
        (1.0, "d/1.xlsx"),
        (2.5, "d/2.xlsx"),
    ]


def test_damaged_and_oversized_workbooks(folder):
    raw = workbook(["a"], *([["x" * 1000]] * 3000))
    folder.file("a.xlsx", raw)
    for damaged in (b"", b"no workbook", raw[: len(raw) // 2], raw[:100] + b"\0" * 100 + raw[200:]):
        folder.file("bad.xlsx", damaged)
        assert refused(folder, "OSR-FS-041", path="bad.xlsx").startswith("'bad.xlsx' is no sound workbook")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"0" * (8 << 20))
    assert len(bomb.getvalue()) < 100_000
    folder.file("bomb.xlsx", bomb.getvalue())
    assert refused(folder, "OSR-FS-041", path="bomb.xlsx", max_uncompressed_bytes=4 << 20) == (
        "'bomb.xlsx' unpacks to more than 4,194,304 bytes"
    )


def test_without_the_extra_the_error_says_what_to_install(folder):
    folder.file("a.xlsx", workbook(["a"], [1]))
    program = """
import sys
sys.modules["python_calamine"] = None
from pathlib import Path
from osiris_filesystem.excel_read import _workbook
from osiris_filesystem.excel_config import ExcelExtractor
from osiris_filesystem.listing import described
from osiris_filesystem.roots import Root
from osiris_filesystem.errors import READING
from osiris_core.errors import DriverError
root = Root.of(".", Path(sys.argv[1]))
try:
    _workbook(root, described(root, ("a.xlsx",)), ExcelExtractor(path="a.xlsx"))
except DriverError as error:
    print(error.code, error.message)
    print(next(entry.remedy for entry in READING if entry.code == error.code))
"""
    done = subprocess.run([sys.executable, "-c", program, str(folder.path)], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "OSR-FS-040 reading Excel files needs the package 'python-calamine'\npip install 'osiris-filesystem[excel]'\n"
    )


def test_error_cells_are_not_null_unless_it_is_said(folder):
    folder.file("a.xlsx", workbook(["a", "b"], [1, "x"], [2, "#DIV/0!"], title="S & 1"))
    assert refused(folder, "OSR-FS-043", path="a.xlsx") == "'a.xlsx' cell B3 of the sheet 'S & 1' holds an error"
    assert folder.rows("excel_extractor", path="a.xlsx", error_cells="null") == [(1, "x"), (2, None)]
