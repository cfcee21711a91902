"""The forms in which a secret may appear in text, and a view of text with its escapes undone.

A secret that travels is quoted on the way: in JSON, URLs, HTML, SQL, CSV, shells, ``repr``, base64, hexadecimal. The
canonical forms are enumerated (:func:`forms`); partial, mixed and nested escaping is met by undoing the escapes of the
text instead (:func:`unescaped`) and searching that.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, quote_plus, unquote

from osiris_core.secret_shapes import is_sensitive_key

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_LENGTH: Final = 6
"""A shorter text would be masked inside ordinary words and numbers."""

_MIN_DIGITS: Final = 8
_MIN_LINE: Final = 8
_MIN_FIELD: Final = 8
_TRIVIAL: Final = frozenset(
    {
        "admin", "administrator", "changeme", "default", "example", "guest", "localhost", "mysql", "osiris", "passwd",
        "password", "postgres", "public", "secret", "service", "supabase", "system", "username",
    }
)  # fmt: skip
_URL_USER_INFO = re.compile(r"[a-z][a-z0-9+.-]*://[^:/@\s]*:(?P<password>.+)@", re.IGNORECASE)
_URL_SAFE_SETS: Final = ("", "/", "/:", "!$&'()*+,;=:", "!$&'()*+,;=:@/?-._~")

_BACKSLASH: Final = (
    r"\\u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u(?P<u4>[0-9a-fA-F]{4})"
    r"|\\u\{(?P<braced>[0-9a-fA-F]{1,6})\}"
    r"|\\U(?P<u8>[0-9a-fA-F]{8})"
    r"|(?P<x>(?:\\x[0-9a-fA-F]{2})+)"
    r"|(?P<octal>(?:\\[0-7]{3})+)"
    r"|\\(?P<letter>[abefnrtv])"
    r"|\\(?P<mark>[^A-Za-z0-9\n])"
)
_PERCENT: Final = r"(?P<percent>(?:%[0-9a-fA-F]{2})+)"
_ENTITY: Final = (
    r"&(?P<entity>amp|lt|gt|quot|apos|nbsp);|&\#(?P<decimal>[0-9]{1,7});|&\#[xX](?P<hexadecimal>[0-9a-fA-F]{1,6});"
)
_FAMILIES: Final = (_BACKSLASH, _PERCENT, _ENTITY)
_ESCAPE = re.compile("|".join(_FAMILIES))
_EACH_FAMILY: Final = tuple(map(re.compile, _FAMILIES))
_MAX_READINGS: Final = 16

# Escapes that stand for bytes: their length, what goes before the digits, the base of the digits.
_BYTES: Final = {"x": (4, 2, 16), "octal": (4, 1, 8), "percent": (3, 1, 16)}
_LETTERS: Final = {
    "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip


def is_weak(secret: str) -> bool:
    """Whether masking ``secret`` wherever it occurs would hide ordinary text: short, a few digits, a plain word."""
    return (
        len(secret) < MIN_LENGTH
        or (secret.isdigit() and len(secret) < _MIN_DIGITS)
        or secret.lower() in _TRIVIAL
        or len(set(secret)) == 1
        or not secret.strip()
    )


def parts(secret: str) -> Iterator[str]:
    """The texts inside a secret that are secret by themselves, and the secret itself.

    The password of a URL, the lines of a key that spans several, the secret fields of a JSON document.
    """
    yield secret
    url = _URL_USER_INFO.match(secret)
    if url:
        yield url["password"]
        yield unquote(url["password"])
    if "\n" in secret:
        yield from (line for line in secret.splitlines() if len(line) >= _MIN_LINE and not line.startswith("-----"))
    if secret.lstrip()[:1] in ("{", "["):
        try:
            document = json.loads(secret)
        except (ValueError, RecursionError):
            return
        for field in _secret_fields(document):
            yield from parts(field)


def _secret_fields(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for key, value in document.items():
            if isinstance(value, str):
                if is_sensitive_key(key) and len(value) >= _MIN_FIELD:
                    yield value
            else:
                yield from _secret_fields(value)
    elif isinstance(document, list):
        for item in document:
            yield from _secret_fields(item)


def forms(secret: str) -> set[str]:
    """Every canonical form of ``secret``, itself included. Those that would match ordinary text are left out."""
    found = _forms(secret)
    for reading in _readings(secret):
        if not is_weak(reading):
            found |= _forms(reading)
    return found


def _readings(secret: str) -> list[str]:
    r"""What a secret that looks escaped itself becomes when text is unescaped: ``a%41\n`` may be met as ``aA\n``."""
    readings = [secret]
    for reading in readings:
        for family in _EACH_FAMILY:
            undone = family.sub(lambda match: "".join(text for text, _ in _undone(match)), reading)
            if undone not in readings and len(readings) < _MAX_READINGS:
                readings.append(undone)
    return readings[1:]


def _forms(secret: str) -> set[str]:
    data = secret.encode("utf-8", "surrogatepass")
    found = {secret}
    found.update(_json_forms(secret))
    # repr of a text escapes one kind of quote or the other, depending on what else is in the text
    plain = repr(f"'\"{secret}")[4:-1]
    found.update((repr(secret)[1:-1], plain, plain.replace("\\'", "'"), ascii(secret)[1:-1], repr(data)[2:-1]))
    found.add(secret.replace("\\", "\\\\"))
    for safe in _URL_SAFE_SETS:
        found.update(_both_cases(quote(secret, safe=safe, errors="surrogatepass")))
    found.update(_both_cases(quote_plus(secret, errors="surrogatepass")))
    found.update(
        (html.escape(secret), html.escape(secret, quote=False), html.escape(secret).replace("&#x27;", "&#39;"))
    )
    found.update((secret.replace("'", "''"), secret.replace('"', '""'), secret.replace("`", "``")))
    found.update((shlex.quote(secret)[1:-1], secret.replace("'", "'\\''"), secret.replace("'", "'\"'\"'")))
    found.update((data.hex(), data.hex().upper()))
    # UTF-8 read as Latin-1
    found.add(data.decode("latin-1"))
    found.add(secret.replace(" ", "+"))
    found.update(_base64_forms(data))
    return {form for form in found if len(form) >= MIN_LENGTH}


def _json_forms(secret: str) -> Iterator[str]:
    for ascii_only in (True, False):
        once = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        twice = json.dumps(once, ensure_ascii=ascii_only)[1:-1]
        yield from (once, twice, once.replace("/", "\\/"))


def _both_cases(quoted: str) -> tuple[str, str]:
    return quoted, re.sub(r"%[0-9A-F]{2}", lambda match: match.group().lower(), quoted)


def _base64_forms(data: bytes) -> Iterator[str]:
    """The characters that ``data`` alone decides, for each of its three alignments in a longer text."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode("ascii").rstrip("=")
        first = -(-before * 8 // 6)
        last = (before + len(data)) * 8 // 6
        core = encoded[first:last]
        yield core
        yield core.replace("+", "-").replace("/", "_")


class View:
    """A text with its escapes undone, which knows where each of its characters came from."""

    __slots__ = ("_segments", "_starts", "text")

    def __init__(self, text: str, segments: list[tuple[int, int, int]]) -> None:
        self.text = text
        self._segments = segments
        self._starts = [segment[0] for segment in segments]

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text that the view's ``start:end`` came from."""
        return self._place(start)[0], self._place(end - 1)[1]

    def _place(self, index: int) -> tuple[int, int]:
        at, origin, length = self._segments[bisect_right(self._starts, index) - 1]
        if length:  # an escape: one or two characters made of ``length``
            return origin, origin + length
        return origin + index - at, origin + index - at + 1


def unescaped(text: str) -> View | None:
    """``text`` with one level of backslash, percent and HTML escapes undone; None when it has none."""
    pieces: list[str] = []
    segments: list[tuple[int, int, int]] = []  # position in the view, position in the text, length (0: as it is)
    size = last = 0
    for match in _ESCAPE.finditer(text):
        start, end = match.span()
        if start > last:
            segments.append((size, last, 0))
            pieces.append(text[last:start])
            size += start - last
        for character, length in _undone(match):
            segments.append((size, start, length))
            pieces.append(character)
            size += 1
            start += length
        last = end
    if not last:
        return None
    if last < len(text):
        segments.append((size, last, 0))
        pieces.append(text[last:])
    return View("".join(pieces), segments)


def _undone(match: re.Match[str]) -> Iterator[tuple[str, int]]:
    """The characters that an escape (or a run of escaped bytes) stands for, each with its length in the text."""
    kind = str(match.lastgroup)
    if kind in _BYTES:
        unit, skip, base = _BYTES[kind]
        run = match.group()
        values = bytes(int(run[at + skip : at + unit], base) & 0xFF for at in range(0, len(run), unit))
        for character, count in _characters(values):
            yield character, count * unit
    else:
        yield _character(kind, match), len(match.group())


def _characters(values: bytes) -> Iterator[tuple[str, int]]:
    """The characters of ``values`` with the bytes of each: UTF-8 where it is, else Latin-1."""
    at = 0
    while at < len(values):
        lead = values[at]
        count = 1 if lead < 0xC0 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
        try:
            yield values[at : at + count].decode("utf-8"), count
        except UnicodeDecodeError:
            count = 1
            yield chr(lead), count
        at += count


def _character(kind: str, match: re.Match[str]) -> str:
    value = match[kind]
    if kind == "letter":
        return _LETTERS[value]
    if kind == "mark":
        return value
    if kind == "entity":
        return html.unescape(f"&{value};")
    if kind == "low":
        return chr(0x10000 + ((int(match["high"], 16) - 0xD800) << 10) + int(value, 16) - 0xDC00)
    code = int(value, 10 if kind == "decimal" else 16)
    return chr(code) if code <= 0x10FFFF else " "
