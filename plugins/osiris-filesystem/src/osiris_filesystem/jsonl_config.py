"""What a step states to read or write JSON Lines files (one JSON object a line, https://jsonlines.org)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from osiris_core.api import Problem, config, field
from osiris_filesystem.checks import type_problems, unique, write_problems


@config
class JsonlExtractor:
    """Rows of JSON Lines files."""

    path: str = field(
        doc="A file, a folder, or a pattern (`*`, `?`, `[a-c]`, `**`) below the connection's root; files are read in"
        " the order of their paths.",
        path="read",
        min_length=1,
        examples=["events.jsonl", "events/*.jsonl.gz"],
    )
    columns: tuple[str, ...] | None = field(
        default=None,
        doc="The keys to give as columns, in this order; all of them when absent.",
        examples=[["id", "at"]],
    )
    types: Mapping[str, str] = field(
        factory=dict,
        doc="The type of a column by its key; whatever is not named here is inferred. A key named here is a column even"
        " when the sample lacks it.",
        examples=[{"id": "BIGINT", "price": "DECIMAL(12,2)", "tags": "VARCHAR[]"}],
    )
    sample_rows: int = field(
        default=20_480,
        doc="Lines looked at in each of up to ten files to infer keys and types; -1 for all lines.",
        minimum=-1,
        maximum=100_000_000,
    )
    unknown_keys: Literal["fail", "ignore"] = field(
        default="fail", doc="What to do with a line that has a key which is no column: fail, or leave the key out."
    )
    binary: Literal["hex", "base64"] = field(default="hex", doc="How BLOB columns are written.")
    encoding: Literal["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252", "ascii"] = field(
        default="utf-8", doc="How the text is encoded."
    )
    compression: Literal["auto", "none", "gzip", "zstd"] = field(
        default="auto", doc="How the files are compressed; `auto` looks at their first bytes."
    )
    max_line_bytes: int = field(
        default=16 << 20, doc="The longest line accepted, in bytes.", minimum=1024, maximum=1 << 30
    )
    hive_partitioning: bool = field(default=False, doc="Add the columns that folders named `key=value` carry.")
    filename_column: str | None = field(
        default=None, doc="Add a column of this name with each row's file.", min_length=1
    )

    def check(self) -> Iterable[Problem]:
        """The fields agree with one another."""
        yield from type_problems(self.types, nested=True)
        yield from unique("columns", self.columns)


@config
class JsonlWriter:
    """One JSON Lines file, or a folder of them; the same rows give the same bytes."""

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
    nulls: Literal["write", "omit"] = field(default="write", doc="Write NULL as `null`, or leave the key out.")
    non_finite: Literal["fail", "text"] = field(
        default="fail",
        doc='What to do with NaN and infinities, which JSON lacks: fail, or write `"NaN"`, `"Infinity"`.',
    )
    binary: Literal["hex", "base64"] = field(default="hex", doc="How binary values are written.")
    compression: Literal["auto", "none", "gzip", "zstd"] = field(
        default="auto", doc="How to compress; `auto` goes by the path's ending (`.gz`, `.zst`)."
    )
    create_dirs: bool = field(default=False, doc="Make the folders of the path that are missing.")

    def check(self) -> Iterable[Problem]:
        """The fields agree with one another."""
        yield from write_problems(self)
