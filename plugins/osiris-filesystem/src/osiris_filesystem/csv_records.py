"""Records of a CSV text with the lines they stand on, and what is wrong with the first bad one.

DuckDB reads the rows; this reads a header, a sample for the delimiter, and - when DuckDB has refused a file - finds the
place again, so that the message names line and reason. The grammar is RFC 4180 with a choice of characters.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CANDIDATES: Final = (",", ";", "\t", "|")
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_SAMPLE_RECORDS: Final = 200
_HEAD_LINES: Final = 400
_HEAD_CHARACTERS: Final = 4 << 20

TOO_LONG: Final = "is longer than"


@attrs.frozen(kw_only=True)
class Dialect:
    """The characters that structure a CSV file; ``quote`` may be empty."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    comment: str = ""


@attrs.frozen(kw_only=True)
class Record:
    """One record: its first line (from 1), its cells (None: unquoted and empty), and what is wrong with it."""

    line: int
    cells: tuple[str | None, ...]
    fault: str | None = None


def lines_of(chunks: Iterable[str], limit: int) -> Iterator[str]:
    """The lines of a text given in pieces, each with its end, which is any of the three in use.

    A line of more than ``limit`` characters is given as far as it is known by then, and is the last: a text without
    line breaks must not fill the memory.
    """
    held: list[str] = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        # A carriage return at the very end may be half a line break.
        if size <= limit and "\n" not in chunk and "\r" not in chunk and not (held and held[-1].endswith("\r")):
            held.append(chunk)
            continue
        text = "".join(held) + chunk
        cut = max(text.rfind("\n"), text.rfind("\r", 0, len(text) - 1)) + 1
        yield from (match for match in _LINE.findall(text[:cut]) if match)
        held, size = [text[cut:]], len(text) - cut
        if size > limit:
            break
    yield from (match for match in _LINE.findall("".join(held)) if match)


def records(lines: Iterable[str], dialect: Dialect, *, skip: int = 0, limit: int | None = None) -> Iterator[Record]:
    """The records of ``lines``; blank lines and comments are left out, as DuckDB leaves them out.

    A record of more than ``limit`` bytes, or one that never ends, is the last; so is a line of that length anywhere.
    """
    cell = _cell_pattern(dialect)
    number = 0
    source = iter(lines)
    for text in source:
        number += 1
        size = len(text)
        if limit is not None and size > limit:
            yield _too_long(number, limit)
            return
        if number <= skip or not text.rstrip("\r\n") or (dialect.comment and text.startswith(dialect.comment)):
            continue
        first = number
        parts = [text]
        is_open = _is_open(text, dialect, inside=False)
        while is_open and (limit is None or size <= limit):
            more = next(source, None)
            if more is None:
                yield Record(line=first, cells=(), fault="a quoted cell is never closed")
                return
            number += 1
            parts.append(more)
            size += len(more)
            is_open = _is_open(more, dialect, inside=True)
        if limit is not None and size > limit:
            yield _too_long(first, limit)
            return
        yield _split(_chomp("".join(parts)), first, cell, dialect)


def head_of(lines: Iterable[str]) -> Iterator[str]:
    """The first lines, for a guess: not many, and of long ones few."""
    size = 0
    for line in islice(lines, _HEAD_LINES):
        yield line
        size += len(line)
        if size > _HEAD_CHARACTERS:
            return


def guess_delimiter(lines: Iterable[str], dialect: Dialect, *, skip: int = 0) -> str | None:
    """The candidate that cuts every sampled record alike and into the most cells, else the header into the most.

    The comma when none cuts the header; None when two fit equally well.
    """
    sample = list(lines)
    widths: dict[str, list[int]] = {}
    for candidate in CANDIDATES:
        found = records(sample, attrs.evolve(dialect, delimiter=candidate), skip=skip)
        widths[candidate] = [len(one.cells) for one in islice(found, _SAMPLE_RECORDS) if one.fault is None]
    cutting = {candidate: found[0] for candidate, found in widths.items() if found and found[0] > 1}
    if not cutting:
        return ","
    alike = {candidate: width for candidate, width in cutting.items() if len(set(widths[candidate])) == 1}
    fitting = alike or cutting
    best = [candidate for candidate, width in fitting.items() if width == max(fitting.values())]
    return best[0] if len(best) == 1 else None


def first_fault(found: Iterable[Record], width: int) -> Record | None:
    """The first record that is faulty or has not ``width`` cells; its ``fault`` says so."""
    for record in found:
        if record.fault is not None:
            return record
        if len(record.cells) != width:
            cells = "1 cell" if len(record.cells) == 1 else f"{len(record.cells)} cells"
            return attrs.evolve(record, fault=f"has {cells} where {width} were expected")
    return None


def _too_long(line: int, limit: int) -> Record:
    return Record(line=line, cells=(), fault=f"{TOO_LONG} {limit:,} bytes")


def _cell_pattern(dialect: Dialect) -> re.Pattern[str]:
    delimiter, quote, escape = (re.escape(part) for part in (dialect.delimiter, dialect.quote, dialect.escape))
    bare = rf"(?P<bare>[^{delimiter}]*)"
    if not dialect.quote:
        return re.compile(bare, re.DOTALL)
    inner = rf"[^{quote}]|{quote}{quote}" if dialect.escape == dialect.quote else rf"{escape}.|[^{quote}{escape}]"
    return re.compile(rf"{quote}(?P<quoted>(?:{inner})*){quote}|{bare}", re.DOTALL)


def _is_open(text: str, dialect: Dialect, *, inside: bool) -> bool:
    """Whether the record goes on after the line ``text``, which begins ``inside`` a quoted cell or does not."""
    if not dialect.quote or dialect.quote not in text:
        return inside
    at = 0
    starts_cell = not inside
    while at < len(text):
        char = text[at]
        if inside:
            if char == dialect.escape and dialect.escape != dialect.quote:
                at += 1
            elif char == dialect.quote:
                if dialect.escape == dialect.quote and text[at + 1 : at + 2] == dialect.quote:
                    at += 1
                else:
                    inside = False
        elif char == dialect.quote and starts_cell:
            inside = True
        starts_cell = not inside and char == dialect.delimiter
        at += 1
    return inside


def _chomp(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _split(text: str, line: int, pattern: re.Pattern[str], dialect: Dialect) -> Record:
    cells: list[str | None] = []
    at = 0
    while True:
        match = pattern.match(text, at)
        assert match is not None
        quoted = match.groupdict().get("quoted")
        if quoted is not None:
            escaped = dialect.escape + dialect.quote
            cells.append(quoted.replace(escaped, dialect.quote))
        else:
            cells.append(match["bare"] or None)
        at = match.end()
        if at >= len(text):
            return Record(line=line, cells=tuple(cells))
        if text[at] != dialect.delimiter:
            return Record(line=line, cells=tuple(cells), fault="a quoted cell is followed by text")
        at += 1
