"""What a step states to read or write Parquet files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from osiris_core.api import Problem, config, field
from osiris_filesystem.checks import unique, write_problems


@config
class ParquetExtractor:
    """Rows of Parquet files."""

    path: str = field(
        doc="A file, a folder, or a pattern (`*`, `?`, `[a-c]`, `**`) below the connection's root; files are read in"
        " the order of their paths.",
        path="read",
        min_length=1,
        examples=["orders.parquet", "orders/*/*.parquet"],
    )
    columns: tuple[str, ...] | None = field(
        default=None, doc="The columns to give, in this order; all of them when absent.", examples=[["id", "total"]]
    )
    union_by_name: bool = field(
        default=False,
        doc="Accept files with different columns: match them by name, widen their types without loss, and fill what a"
        " file lacks with NULL.",
    )
    hive_partitioning: bool = field(default=False, doc="Add the columns that folders named `key=value` carry.")
    filename_column: str | None = field(
        default=None, doc="Add a column of this name with each row's file.", min_length=1
    )

    def check(self) -> Iterable[Problem]:
        """The fields agree with one another."""
        yield from unique("columns", self.columns)


@config
class ParquetWriter:
    """One Parquet file, or a folder of them; the same rows give the same bytes."""

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
    compression: Literal["zstd", "snappy", "gzip", "lz4_raw", "uncompressed"] = field(
        default="zstd", doc="How column chunks are compressed."
    )
    compression_level: int | None = field(
        default=None, doc="The level of zstd; its own default when absent.", minimum=1, maximum=22
    )
    row_group_size: int = field(
        default=122_880,
        doc="Rows in a row group; what a reader can skip or share out.",
        minimum=2048,
        maximum=10_000_000,
    )
    create_dirs: bool = field(default=False, doc="Make the folders of the path that are missing.")

    def check(self) -> Iterable[Problem]:
        """The fields agree with one another."""
        yield from write_problems(self)
        if self.compression_level is not None and self.compression != "zstd":
            yield Problem(field=("compression_level",), message="has a meaning for zstd only")
        if self.row_group_size % 2048:
            yield Problem(field=("row_group_size",), message="must be a multiple of 2048")
