"""What a step states to read or write CSV files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from osiris_core.api import Problem, config, field
from osiris_filesystem.checks import one_character, type_problems, unique, write_problems

Encoding = Literal["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252", "cp1250", "ascii"]


@config
class CsvExtractor:
    """Rows of CSV files."""

    path: str = field(
        doc="A file, a folder, or a pattern (`*`, `?`, `[a-c]`, `**`) below the connection's root; files are read in"
        " the order of their paths.",
        path="read",
        min_length=1,
        examples=["orders.csv", "orders/2026-*.csv.gz"],
    )
    columns: tuple[str, ...] | None = field(
        default=None, doc="The columns to give, in this order; all of them when absent.", examples=[["id", "total"]]
    )
    types: Mapping[str, str] = field(
        factory=dict,
        doc="The type of a column by its name; whatever is not named here is inferred.",
        examples=[{"id": "BIGINT", "total": "DECIMAL(12,2)"}],
    )
    infer_types: bool = field(
        default=True, doc="Infer the types of the other columns from a sample; otherwise they are text (VARCHAR)."
    )
    sample_rows: int = field(
        default=20_480,
        doc="Rows looked at in each of up to ten files to infer types; -1 for all rows.",
        minimum=-1,
        maximum=100_000_000,
    )
    delimiter: str | None = field(
        default=None,
        doc="The character between cells; found among comma, semicolon, tab and bar when absent.",
        min_length=1,
        max_length=1,
    )
    quote: str = field(default='"', doc="The character around quoted cells; empty for none.", max_length=1)
    escape: str | None = field(
        default=None,
        doc="The character before a quote inside a quoted cell; the quote itself when absent.",
        min_length=1,
        max_length=1,
    )
    header: bool = field(default=True, doc="Whether the first row names the columns.")
    names: tuple[str, ...] | None = field(default=None, doc="The columns' names; required when there is no header.")
    skip_rows: int = field(default=0, doc="Lines to skip before the header.", minimum=0, maximum=1_000_000)
    comment: str | None = field(
        default=None, doc="Lines that start with this character are skipped.", min_length=1, max_length=1
    )
    null_values: tuple[str, ...] = field(
        default=("",),
        doc="Unquoted texts that mean NULL. A quoted one is text in a VARCHAR column, and NULL in any other.",
    )
    date_format: str | None = field(default=None, doc="How dates are written, as for strptime; ISO 8601 when absent.")
    timestamp_format: str | None = field(
        default=None, doc="How timestamps are written, as for strptime; ISO 8601 when absent."
    )
    binary: Literal["hex", "base64"] = field(default="hex", doc="How BLOB columns are written.")
    encoding: Encoding = field(default="utf-8", doc="How the text is encoded. A UTF-8 byte order mark is always taken.")
    compression: Literal["auto", "none", "gzip", "zstd"] = field(
        default="auto", doc="How the files are compressed; `auto` looks at their first bytes."
    )
    max_line_bytes: int = field(
        default=16 << 20, doc="The longest row accepted, in bytes.", minimum=1024, maximum=1 << 30
    )
    parallel: bool = field(
        default=True,
        doc="Let several threads read one file, each from another place in it. Set false for a file whose long quoted"
        " cells hold line breaks, where a thread cannot tell the beginning of a row; that is slow.",
    )
    union_by_name: bool = field(
        default=False,
        doc="Accept files with different columns: match them by name, and fill what a file lacks with NULL.",
    )
    hive_partitioning: bool = field(default=False, doc="Add the columns that folders named `key=value` carry.")
    filename_column: str | None = field(
        default=None, doc="Add a column of this name with each row's file.", min_length=1
    )

    def check(self) -> Iterable[Problem]:
        """The fields agree with one another."""
        yield from type_problems(self.types)
        yield from unique("columns", self.columns)
        yield from unique("names", self.names)
        yield from one_character(delimiter=self.delimiter, quote=self.quote, escape=self.escape, comment=self.comment)
        if not self.header and self.names is None:
            yield Problem(field=("names",), message="is required when 'header' is false")
        if not self.quote and self.escape:
            yield Problem(field=("escape",), message="has no meaning without a quote")


@config
class CsvWriter:
    """One CSV file, or a folder of them; the same rows give the same bytes."""

    path: str = field(doc="The file, or folder, to write below the connection's root.", path="write", min_length=1)
    mode: Literal["replace", "append"] = field(
        default="replace",
        doc="`replace` what is there; `append` a part to a folder. There is no upsert: a file has no keys.",
    )
    layout: Literal["file", "folder"] = field(
        default="file", doc="One file, or a folder of parts with a record of them."
    )
    columns: tuple[str, ...] | None = field(default=None, doc="The columns to write, in this order; all when absent.")
    sort_columns: bool = field(default=False, doc="Write the columns in the order of their names (by code point).")
    delimiter: str = field(default=",", doc="The character between cells.", min_length=1, max_length=1)
    quote: str = field(
        default='"', doc="The character around quoted cells; doubled inside them.", min_length=1, max_length=1
    )
    quoting: Literal["minimal", "all", "non_numeric"] = field(
        default="minimal",
        doc="Which cells are quoted: those that need it; all; or all of columns that are neither number nor boolean."
        " NULL is never quoted, so it stays distinct from text.",
    )
    header: bool = field(default=True, doc="Write the columns' names first.")
    newline: Literal["lf", "crlf", "cr"] = field(default="lf", doc="What ends each row.")
    null_text: str = field(default="", doc="The text of NULL.", max_length=64)
    binary: Literal["hex", "base64"] = field(default="hex", doc="How binary values are written.")
    nested: Literal["refuse", "json"] = field(
        default="refuse", doc="What to do with lists, structs and maps: refuse them, or write them as JSON text."
    )
    excel_safe: bool = field(
        default=False,
        doc="Put an apostrophe before text that a spreadsheet would take for a formula. It changes the data.",
    )
    byte_order_mark: bool = field(
        default=False, doc="Start with a UTF-8 byte order mark, as older spreadsheets want it."
    )
    compression: Literal["auto", "none", "gzip", "zstd"] = field(
        default="auto", doc="How to compress; `auto` goes by the path's ending (`.gz`, `.zst`)."
    )
    create_dirs: bool = field(default=False, doc="Make the folders of the path that are missing.")

    def check(self) -> Iterable[Problem]:
        """The fields agree with one another."""
        yield from write_problems(self)
        yield from one_character(delimiter=self.delimiter, quote=self.quote)
        if any(c in self.null_text for c in (self.delimiter, self.quote, "\r", "\n")):
            yield Problem(field=("null_text",), message="must not contain the delimiter, the quote or a line break")
