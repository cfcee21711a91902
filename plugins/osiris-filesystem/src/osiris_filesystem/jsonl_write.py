"""The driver of ``filesystem.jsonl_writer``: each row becomes one line of text in SQL, which COPY writes as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from osiris_core.api import DriverError
from osiris_filesystem.csv_write import compression_of, require_forms
from osiris_filesystem.engine import literal, name
from osiris_filesystem.file_writer import FileWriter
from osiris_filesystem.json_forms import INVALID_MARK, NON_FINITE_MARK, JsonFormat, json_form, json_text
from osiris_filesystem.writing import Column, append_all, chosen_columns, copy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_core.api import Dataset, DriverContext, Schema
    from osiris_filesystem.jsonl_config import JsonlWriter

_OPTIONS: Final = (
    "FORMAT csv",
    "HEADER false",
    "DELIMITER ''",
    "QUOTE ''",
    "ESCAPE ''",
    "NEW_LINE '\\n'",
)
"""COPY as a writer of lines: what stands in the one column goes into the file as it is."""


class JsonlWriterDriver(FileWriter):
    """Writes JSON Lines: the same rows give the same bytes."""

    component = "filesystem.jsonl_writer"

    def extension(self, config: JsonlWriter) -> str:
        """The ending of a part's name."""
        return {"none": "jsonl", "gzip": "jsonl.gz", "zstd": "jsonl.zst"}[compression_of(config)]

    def plan(self, config: JsonlWriter, schema: Schema) -> Sequence[tuple[str, str]]:
        """The columns to write; refuses types that have no form as text."""
        columns = chosen_columns(schema, config)
        require_forms(columns, "JSON")
        return [(column.name, column.type_name) for column in columns]

    def write_rows(
        self, rows: Dataset, descriptor: int, *, first: bool, config: JsonlWriter, ctx: DriverContext
    ) -> int:
        """Write all rows to an open file."""
        columns = chosen_columns(rows.schema, config)
        form = JsonFormat(binary=config.binary, non_finite=config.non_finite)
        try:
            return copy(
                rows,
                descriptor,
                items=[f"{_line(columns, form, omit=config.nulls == 'omit')} AS line"],
                options=[*_OPTIONS, f"COMPRESSION {compression_of(config)}"],
                path=config.path,
                ctx=ctx,
            )
        except DriverError as error:
            raise _explained(error) from error

    def join(self, pieces: Sequence[int], into: int, *, config: JsonlWriter, ctx: DriverContext) -> None:
        """One piece behind the other."""
        append_all(pieces, into)


def _line(columns: Sequence[Column], form: JsonFormat, *, omit: bool) -> str:
    members = []
    for column in columns:
        value = name(column.name)
        member = f"{literal(json_text(column.name) + ':')} || {json_form(value, column.type, form)}"
        members.append(f"CASE WHEN {value} IS NOT NULL THEN {member} END" if omit else member)
    return f"'{{' || concat_ws(',', {', '.join(members)}) || '}}'"


def _explained(error: DriverError) -> DriverError:
    """``error``, or what it means when a value raised it."""
    if NON_FINITE_MARK in error.message:
        return DriverError(
            "OSR-FS-050",
            "a value is NaN or infinite, for which JSON has no number",
            hint="set non_finite: text, or replace such values in a step before",
        )
    if INVALID_MARK in error.message:
        return DriverError("OSR-FS-050", "a value of a JSON column is no valid JSON", hint="cast the column to text")
    return error
