"""YAML documents as plain data in which every value knows its place in the file.

Events come from libyaml (PyYAML's C parser: ADR "YAML: libyaml events"); everything that gives them meaning is here:
the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema), so that ``yes``, ``on``, ``1:30`` and
``2024-01-01`` are text and ``012`` is twelve, and a subset that is JSON's data model. Anchors, aliases, tags,
duplicate keys, keys that are not text, infinities, control characters, a second document and anything over 1 MiB or
64 levels are refused, each at its line and column. All findings of a document are reported together, up to the first
mistake of syntax.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

import attrs
from yaml._yaml import CParser
from yaml.error import MarkedYAMLError

from osiris_core.diagnostics import Diagnostic, Position
from osiris_core.errors import InvalidInput
from osiris_core.model.yaml_build import MAX_DEPTH, Builder, Marks
from osiris_core.model.yaml_syntax import explain
from osiris_core.model.yaml_write import dump
from osiris_core.secret_shapes import is_sensitive_key, without_shapes

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from osiris_core.diagnostics import Path

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Document", "dump", "load", "load_bytes", "load_file"]

MAX_BYTES: Final = 1 << 20
_LONGEST_LINE: Final = 10_000
"""Characters of a source line that a position keeps."""

_KEY = re.compile(r"(?<![\w.-])([\w.-]++)[\"']?\s*:")
# What is said of a line that may hold a secret, where the usual message shows the value.
_UNSPECIFIC: Final = {
    "OSR-YAML-008": "an anchor, alias or merge key is not allowed",
    "OSR-YAML-009": "a tag is not allowed",
    "OSR-YAML-012": "a number that cannot be held",
}
_BREAK = re.compile(r"\r\n|\r|\n")
# What YAML 1.2 does not print, and the three breaks that 1.1 knew and 1.2 does not (NEL, LS, PS): libyaml follows 1.1.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


@attrs.frozen
class Document:
    """A parsed document: its data, the name of its file, its text, and where each value stands."""

    data: Any
    file: str
    text: str = attrs.field(repr=False)
    _marks: Marks = attrs.field(repr=False, eq=False)
    _lines: _Lines = attrs.field(repr=False, eq=False)

    def position(self, path: Path, *, key: bool = False) -> Position:
        """Where the value at ``path`` starts - or its key, with ``key``. An absent path gives its nearest ancestor."""
        marks = self._marks
        offset: int = marks if isinstance(marks, int) else marks[0]
        for part in path:
            if isinstance(marks, int):
                break
            children = marks[1]
            if isinstance(children, dict):
                if part not in children:
                    break
                at_key, marks = children[part]
                start = marks if isinstance(marks, int) else marks[0]
                offset = at_key if key else start
            elif isinstance(part, int) and 0 <= part < len(children):
                marks = children[part]
                offset = marks if isinstance(marks, int) else marks[0]
            else:
                break
        return self._lines.position(offset)


def load_file(path: FilePath, *, file: str | None = None, max_bytes: int = MAX_BYTES) -> Document:
    """The document in a file, which messages call ``file`` (its path as given, when omitted)."""
    name = file if file is not None else str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 4)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidInput("OSR-YAML-014", f"cannot read the file: {reason}", where=name) from error
    except ValueError as error:
        raise InvalidInput("OSR-YAML-014", f"cannot read the file: {error}", where=name) from error
    return load_bytes(data, file=name, max_bytes=max_bytes)


def load_bytes(data: bytes, *, file: str, max_bytes: int = MAX_BYTES) -> Document:
    """The document in ``data``, which is UTF-8 with or without a byte order mark."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refused("OSR-YAML-002", "the file is UTF-16, not UTF-8", Position(file=file, line=1, column=1))
    if len(data) > max_bytes + 3:
        raise _too_large(file, max_bytes)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The mark that utf-8-sig took away is not in the offsets of its error.
        body = data.removeprefix(b"\xef\xbb\xbf")
        before = body[: error.start].decode("utf-8", "replace")
        lines = _Lines(file, before + body[error.start :].decode("utf-8", "replace"))
        message = f"byte 0x{body[error.start]:02x} is not valid UTF-8"
        raise _refused("OSR-YAML-002", message, lines.position(len(before))) from error
    return load(text, file=file, max_bytes=max_bytes)


def load(text: str, *, file: str, max_bytes: int = MAX_BYTES) -> Document:
    """The document in ``text``; raises :class:`InvalidInput` with a diagnostic for everything that is refused.

    ``max_bytes`` is the size of the largest document taken; what people write stays far below the default.
    """
    text = text.removeprefix("\ufeff")
    if len(text) > max_bytes or (not text.isascii() and len(text.encode("utf-8", "surrogatepass")) > max_bytes):
        raise _too_large(file, max_bytes)
    lines = _Lines(file, text)
    bad = _UNPRINTABLE.search(text)
    if bad:
        raise _refused("OSR-YAML-003", _unprintable_message(bad.group()), lines.position(bad.start()))
    builder = Builder(lines.position)
    try:
        builder.read(CParser(text))
    except MarkedYAMLError as error:
        builder.findings.append(explain(error, text, lines.position))
    if builder.findings:
        raise _invalid(builder.findings)
    return Document(builder.data, file, text, builder.marks, lines)


class _Lines:
    """Offsets in a text as lines and columns; breaks are those of YAML 1.2 (LF, CR, CR LF)."""

    __slots__ = ("_starts", "file", "text")

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self._starts: list[int] | None = None

    def position(self, offset: int) -> Position:
        """The place of the character at ``offset``."""
        if self._starts is None:
            self._starts = [0, *(match.end() for match in _BREAK.finditer(self.text))]
        line = bisect_right(self._starts, offset)
        start = self._starts[line - 1]
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        source = self.text[start : min(end, start + _LONGEST_LINE)].rstrip("\r\n")
        return Position(file=self.file, line=line, column=offset - start + 1, source_line=source)


def _unprintable_message(character: str) -> str:
    code = ord(character)
    if character == "\0":
        return "a NUL character; the file is damaged or not text"
    if character == "\ufeff":
        return "a byte order mark (U+FEFF) in the middle of the text"
    if 0xD800 <= code <= 0xDFFF:
        return f"a lone surrogate (U+{code:04X})"
    return f"the control character U+{code:04X}"


def _too_large(file: str, max_bytes: int) -> InvalidInput:
    return _refused("OSR-YAML-004", f"the file is larger than {max_bytes} bytes", Position(file=file, line=1, column=1))


def _refused(code: str, message: str, position: Position) -> InvalidInput:
    return _invalid([Diagnostic(code=code, message=message, position=position)])


def _invalid(findings: list[Diagnostic]) -> InvalidInput:
    shown = [_without_secret(finding) for finding in findings]
    first = shown[0]
    more = f" (and {len(shown) - 1} more)" if len(shown) > 1 else ""
    return InvalidInput(first.code, first.message + more, hint=first.hint, where=str(first.position), diagnostics=shown)


def _without_secret(finding: Diagnostic) -> Diagnostic:
    """The finding without what stands in its line, where a secret stands there or a key says that one may."""
    place = finding.position
    line = place.source_line if place else ""
    if place and (without_shapes(line) != line or any(is_sensitive_key(key) for key in _KEY.findall(line))):
        message = _UNSPECIFIC.get(finding.code, finding.message)
        finding = attrs.evolve(finding, message=message, hint=None, position=attrs.evolve(place, source_line=""))
    return attrs.evolve(finding, message=without_shapes(finding.message))
