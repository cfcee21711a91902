"""The error codes of the filesystem components, and how they are raised."""

from __future__ import annotations

from typing import Final

from osiris_core.api import ErrorEntry

PATHS: Final = (
    ErrorEntry("OSR-FS-001", "the path is not allowed", "use a path below the connection's root, with forward slashes"),
    ErrorEntry("OSR-FS-002", "the path leads out of the root", "keep the file below the root, or move the root up"),
    ErrorEntry("OSR-FS-003", "no such file", "check the path and the connection's root"),
    ErrorEntry("OSR-FS-004", "not a regular file", "name a file, or a folder of files where one is allowed"),
    ErrorEntry("OSR-FS-005", "the file or folder cannot be opened", "check its permissions"),
    ErrorEntry("OSR-FS-006", "no file matches the pattern", "check the pattern and the connection's root"),
    ErrorEntry("OSR-FS-007", "the root is unusable", "let 'root' name a folder that exists"),
    ErrorEntry(
        "OSR-FS-008",
        "the folders' names are no clear partitions",
        "name folders key=value, alike everywhere, each key once",
    ),
    ErrorEntry(
        "OSR-FS-009", "a folder's record of its parts cannot be trusted", "write the folder anew with mode replace"
    ),
    ErrorEntry("OSR-FS-010", "a hidden file, or one of Osiris's own, would be written", "choose another path"),
)

READING: Final = (
    ErrorEntry("OSR-FS-020", "the columns of two files differ", "read them in two steps, or set union_by_name: true"),
    ErrorEntry("OSR-FS-021", "no such column", "correct 'columns' or 'types'"),
    ErrorEntry(
        "OSR-FS-022", "a value does not fit its column's type", "state the column's type in 'types', or mend the file"
    ),
    ErrorEntry("OSR-FS-023", "a row has too many or too few cells", "mend the row, or check delimiter and quote"),
    ErrorEntry("OSR-FS-024", "a quoted cell is not closed properly", "mend the cell, or check quote and escape"),
    ErrorEntry("OSR-FS-025", "the text is not in the stated encoding", "set 'encoding' to the file's own"),
    ErrorEntry("OSR-FS-026", "the file holds NUL bytes", "remove them; a file of UTF-16 text needs encoding: utf-16"),
    ErrorEntry("OSR-FS-027", "a line is too long", "raise max_line_bytes, or check quote and newline"),
    ErrorEntry("OSR-FS-028", "the header is unusable", "mend the header, or set header: false and 'names'"),
    ErrorEntry("OSR-FS-029", "the compressed data is damaged or cut off", "copy the file again from where it came"),
    ErrorEntry("OSR-FS-030", "the Parquet file is damaged or cut off", "copy the file again from where it came"),
    ErrorEntry("OSR-FS-031", "a line is no JSON object", "write one JSON object a line"),
    ErrorEntry("OSR-FS-032", "a line has a key that is no column", "name it in 'types', or set unknown_keys: ignore"),
    ErrorEntry("OSR-FS-033", "the dialect could not be told", "state 'delimiter'"),
    ErrorEntry("OSR-FS-034", "the file could not be read", "check the file"),
    ErrorEntry("OSR-FS-035", "the file changed while it was read", "read it when nobody writes it"),
    ErrorEntry("OSR-FS-040", "Excel files need another package", "pip install 'osiris-filesystem[excel]'"),
    ErrorEntry("OSR-FS-041", "the workbook is damaged or too large", "check the file, or raise max_uncompressed_bytes"),
    ErrorEntry("OSR-FS-042", "no such sheet", "correct 'sheet'"),
    ErrorEntry("OSR-FS-043", "a cell holds an error", "mend the formula, or set error_cells: 'null'"),
)

WRITING: Final = (
    ErrorEntry("OSR-FS-050", "the rows cannot be written in this format", "cast or drop the column in a step before"),
    ErrorEntry("OSR-FS-051", "the target is in the way", "choose another path, or remove what is there"),
    ErrorEntry("OSR-FS-052", "the folder does not exist", "create it, or set create_dirs: true"),
    ErrorEntry("OSR-FS-053", "the folder holds files that Osiris did not write", "write into a folder of its own"),
    ErrorEntry("OSR-FS-054", "another run is writing the same target", "let it end, then run again"),
    ErrorEntry("OSR-FS-055", "the disk is full", "free some space and run again; the target is as it was"),
    ErrorEntry("OSR-FS-056", "the connection is read-only", "set writable: true on the connection, or use another one"),
    ErrorEntry("OSR-FS-057", "the file could not be written", "check disk and permissions; the target is as it was"),
    ErrorEntry("OSR-FS-058", "the counts of a load do not agree", "nothing was changed; report this as a defect"),
)

ENTRIES: Final = (*PATHS, *READING, *WRITING)
