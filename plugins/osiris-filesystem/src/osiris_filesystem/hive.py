"""Columns that the folders' names carry: ``year=2026/month=11/part.csv``.

Names and values are percent-decoded, as Hive writes them; ``__HIVE_DEFAULT_PARTITION__`` is NULL.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from osiris_core.api import DriverError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_filesystem.listing import InputFile

_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


def partition_of(file: InputFile) -> dict[str, str | None]:
    """The partition columns of one file, in the order of its folders; raises DriverError."""
    found: dict[str, str | None] = {}
    for part in file.parts[:-1]:
        key, sign, value = part.partition("=")
        if sign and key:
            column = _decoded(key, file)
            if column in found:
                raise DriverError("OSR-FS-008", f"'{file.path}' has the partition column '{column}' twice")
            found[column] = None if value == _NULL else _decoded(value, file)
    return found


def _decoded(text: str, file: InputFile) -> str:
    if _BAD_ESCAPE.search(text):
        raise DriverError("OSR-FS-008", f"'{file.path}': '%' in the folder name '{text}' begins no percent escape")
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise DriverError("OSR-FS-008", f"'{file.path}': '{text}' in a folder's name is no UTF-8") from error


def partitions(files: Sequence[InputFile]) -> tuple[str, ...]:
    """The names of the partition columns, the same in every file; raises DriverError when they are not."""
    names = tuple(partition_of(files[0]))
    for file in files[1:]:
        others = tuple(partition_of(file))
        if others != names:
            raise DriverError(
                "OSR-FS-008",
                f"'{file.path}' has the partition columns {list(others)}, and '{files[0].path}' has {list(names)}",
            )
    if not names:
        raise DriverError("OSR-FS-008", f"'{files[0].path}' has no key=value folder, and hive_partitioning is true")
    return names
