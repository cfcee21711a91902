"""What an .xlsx archive says that the reader of its cells does not pass on: its true size, and cells with errors.

Format: ECMA-376, parts ``xl/workbook.xml``, ``xl/_rels/workbook.xml.rels`` and the worksheets (``<c r="B2" t="e">``).
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from osiris_core.api import DriverError

if TYPE_CHECKING:
    from osiris_filesystem.listing import InputFile

_ZIP: Final = b"PK\x03\x04"
_CHUNK: Final = 1 << 20
_MEMBERS: Final = 10_000
_SHEET: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}sheet"
_LINK: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_CELL: Final = re.compile(rb'<c\b[^>]*\bt="e"[^>]*>')
_PLACE: Final = re.compile(rb'\br="([A-Z]+[0-9]+)"')


def is_archive(raw: bytes) -> bool:
    """Whether a workbook is a ZIP archive."""
    return raw.startswith(_ZIP)


def require_bounded(raw: bytes, file: InputFile, limit: int) -> None:
    """Unpack every member, and keep none, to know that all are sound and how large they really are."""
    try:
        size = _true_size(raw, limit)
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise DriverError("OSR-FS-041", f"'{file.path}' is no sound workbook: {error}") from error
    except Exception as error:
        raise DriverError("OSR-FS-041", f"'{file.path}' is no sound workbook: {type(error).__name__}") from error
    if size is None:
        raise DriverError("OSR-FS-041", f"'{file.path}' unpacks to more than {limit:,} bytes")


def error_cell(raw: bytes, sheet: str) -> str | None:
    """The first cell of a sheet that holds an error, None when there is none or the archive is no .xlsx."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        member = _member_of(archive, sheet)
        if member is None:
            return None
        match = _CELL.search(archive.read(member))
    if match is None:
        return None
    place = _PLACE.search(match.group())
    return place[1].decode() if place else "?"


def _true_size(raw: bytes, limit: int) -> int | None:
    """The bytes that all members unpack to; None beyond ``limit``."""
    total = 0
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = archive.infolist()
        if len(members) > _MEMBERS:
            return None
        for member in members:
            with archive.open(member) as content:
                while chunk := content.read(_CHUNK):
                    total += len(chunk)
                    if total > limit:
                        return None
    return total


def _member_of(archive: zipfile.ZipFile, sheet: str) -> str | None:
    """The member that holds a sheet's cells."""
    names = set(archive.namelist())
    if not {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"} <= names:
        return None
    try:
        book = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314 - expat bounds expansion since 2.4
        links = ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314 - as above
    except ET.ParseError:
        return None
    link = next((one.get(_LINK) for one in book.iter(_SHEET) if one.get("name") == sheet), None)
    target = next((one.get("Target") for one in links if one.get("Id") == link), None)
    if target is None:
        return None
    member = target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    return member if member in names else None
