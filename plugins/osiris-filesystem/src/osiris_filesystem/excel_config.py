"""What a step states to read a sheet of an Excel workbook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from osiris_core.api import Problem, config, field
from osiris_filesystem.checks import type_problems, unique


@config
class ExcelExtractor:
    """Rows of a sheet of an Excel workbook (.xlsx, .xlsm, .xlsb, .xls) or an OpenDocument one (.ods)."""

    path: str = field(
        doc="A workbook, or a pattern, below the connection's root; files are read in the order of their paths.",
        path="read",
        min_length=1,
        examples=["budget.xlsx"],
    )
    sheet: str | int = field(default=0, doc="The sheet's name, or its number from 0.", examples=["2026", 0])
    columns: tuple[str, ...] | None = field(
        default=None, doc="The columns to give, in this order; all of them when absent.", examples=[["id", "total"]]
    )
    types: Mapping[str, str] = field(
        factory=dict,
        doc="The type of a column by its name; whatever is not named here follows the cells, which must agree.",
        examples=[{"id": "BIGINT", "total": "DECIMAL(12,2)"}],
    )
    header: bool = field(default=True, doc="Whether the first row names the columns.")
    names: tuple[str, ...] | None = field(default=None, doc="The columns' names; required when there is no header.")
    skip_rows: int = field(default=0, doc="Rows to skip before the header.", minimum=0, maximum=1_048_576)
    error_cells: Literal["fail", "null"] = field(
        default="fail",
        doc="What to do with cells that hold an error such as #DIV/0!: fail, or take them for NULL. Known for .xlsx and"
        " .xlsm only; in other formats they are always NULL.",
    )
    max_uncompressed_bytes: int = field(
        default=1 << 30,
        doc="The most a workbook may unpack to; what exceeds it is refused before it is read.",
        minimum=1 << 20,
        maximum=1 << 36,
    )
    filename_column: str | None = field(
        default=None, doc="Add a column of this name with each row's file.", min_length=1
    )

    def check(self) -> Iterable[Problem]:
        """The fields agree with one another."""
        yield from type_problems(self.types)
        yield from unique("columns", self.columns)
        yield from unique("names", self.names)
        if not self.header and self.names is None:
            yield Problem(field=("names",), message="is required when 'header' is false")
