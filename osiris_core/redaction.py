"""The one redactor: files, terminals, exceptions, reports, prompts and the output of children pass through it.

It knows values: every resolved secret is registered and masked wherever it occurs, in every encoding listed in
:mod:`osiris_core.secret_forms`. After that come the rules for what nobody registered
(:mod:`osiris_core.secret_shapes`): passwords in URLs, well-known token formats, values under names like ``password``.

What it cannot find: a secret reversed, cut in two, hashed, compressed, in another case, in UTF-16, or wrapped over
lines by whoever printed it. Text is therefore redacted before it is rendered.
"""

from __future__ import annotations

import logging
from datetime import date, time
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from osiris_core import secret_forms, secret_shapes
from osiris_core.secret_needles import MIN_REACH, Needles
from osiris_core.secret_shapes import masked, merged
from osiris_core.secrets import SecretStr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osiris_core.secret_shapes import Span

MASK: Final = secret_shapes.MASK

_MAX_HELD: Final = 1 << 20
_BREAK_WITHIN: Final = 1024


class Redactor:
    """Masks secrets in text and data. Thread-safe: a secret registered in one thread is masked in all from then on."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._forms: set[str] = set()
        self._longest = 0
        self._compiled: Needles | None = Needles()

    def register(self, secret: SecretStr | str) -> bool:
        """Mask ``secret`` from now on. False when it is too weak for that (a few characters, a common word).

        The password in a URL, the secret fields of a JSON document and the lines of a key are registered with it.
        """
        text = secret.reveal() if isinstance(secret, SecretStr) else secret
        strong = [part for part in secret_forms.parts(text) if not secret_forms.is_weak(part)]
        found = {form for part in strong for form in secret_forms.forms(part)}
        with self._lock:
            if not found <= self._forms:
                self._forms |= found
                self._longest = max(self._longest, *map(len, strong))
                self._compiled = None
        return text in strong

    def text(self, text: str) -> str:
        """``text`` with every secret replaced by ``***``."""
        return masked(text, merged(self._spans(text)))

    def data(self, value: Any, *, by_name: bool = True) -> Any:
        """``value`` with every secret in it masked: texts, keys, and whatever stands under a name like ``password``.

        The result is new plain data; the shape of mappings and lists is kept. Objects that are no plain data become
        their redacted text. Without ``by_name`` names say nothing: for a document about fields rather than of values,
        where ``password`` may stand over its description.
        """
        return self._data(value, sensitive=False if by_name else None)

    def error(self, error: BaseException) -> str:
        """An exception's message, redacted: its type and text, without a traceback."""
        return self.text(f"{type(error).__name__}: {error}")

    def stream(self, write: Callable[[str], object]) -> RedactedStream:
        """A writer for text that comes in pieces; a secret cut by a piece's border is masked too."""
        return RedactedStream(self, write)

    def formatter(self, inner: logging.Formatter) -> logging.Formatter:
        """A log formatter that redacts what ``inner`` makes, tracebacks included."""
        return _RedactingFormatter(self, inner)

    def _needles(self) -> Needles:
        compiled = self._compiled
        if compiled is None:
            with self._lock:
                compiled = self._compiled = Needles.of(self._forms, self._longest)
        return compiled

    def _spans(self, text: str) -> Iterator[Span]:
        needles = self._needles()
        yield from needles.spans(text)
        yield from needles.spans_unescaped(text)
        yield from secret_shapes.spans(text)

    def _data(self, value: Any, *, sensitive: bool | None) -> Any:
        if isinstance(value, dict):
            return {
                self.text(str(key)): self._data(
                    item, sensitive=None if sensitive is None else sensitive or _names_secret(key)
                )
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._data(item, sensitive=sensitive) for item in value]
        if value is None or isinstance(value, bool):
            return value
        text = _as_text(value)
        if sensitive and not secret_shapes.is_harmless_value(text):
            return MASK
        if isinstance(value, int | float):
            return MASK if text in self._needles().whole else value
        return self.text(text)


class RedactedStream:
    """Text in pieces, redacted on its way to ``write``.

    Whole lines leave at once, unless a secret spans several lines; the rest is held back as far as a secret could
    reach, and leaves with :meth:`close`. Not thread-safe: one stream, one writer.
    """

    def __init__(self, redactor: Redactor, write: Callable[[str], object]) -> None:
        self._redactor = redactor
        self._write = write
        self._held = ""
        self._enough = 2 * MIN_REACH

    def feed(self, piece: str) -> None:
        """Take the next piece."""
        self._held += piece
        if "\n" in piece or len(self._held) > self._enough:
            self._emit()

    def flush(self) -> None:
        """Write what can be told to be complete."""
        self._emit()

    def close(self) -> None:
        """Write everything that is held back."""
        text, self._held = self._held, ""
        if text:
            self._write(self._redactor.text(text))

    def _emit(self) -> None:
        text = self._held
        needles = self._redactor._needles()  # noqa: SLF001 - the other half of one class
        spans = merged(self._redactor._spans(text))  # noqa: SLF001 - as above
        cut = _cut(text, needles)
        for start, end in reversed(spans):
            # A span that the cut divides, or that may go on in the next piece, is held back together with the name
            # in its line that made it one.
            begin = max(start - secret_shapes.CONTEXT, text.rfind("\n", 0, start) + 1)
            if begin < cut < end or (end == len(text) and start < cut):
                cut = begin if len(text) - start <= _MAX_HELD else end
        if cut > 0:
            self._held = text[cut:]
            self._write(masked(text[:cut], [span for span in spans if span[1] <= cut]))
        self._enough = 2 * max(MIN_REACH, len(self._held))


class _RedactingFormatter(logging.Formatter):
    def __init__(self, redactor: Redactor, inner: logging.Formatter) -> None:
        super().__init__()
        self._redactor = redactor
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor.text(self._inner.format(record))


def _cut(text: str, needles: Needles) -> int:
    """Up to where ``text`` can hold no beginning of a secret that goes on after it."""
    line_end = text.rfind("\n") + 1
    if not line_end or len(text) - line_end > needles.reach:
        # One long line: cut at white space, where no escape is divided.
        cut = len(text) - needles.reach
        space = max(text.rfind(character, max(0, cut - _BREAK_WITHIN), max(0, cut)) for character in " \t\n")
        return space + 1 if space >= 0 else cut
    cut = line_end
    for needle in needles.multiline:
        first_line = needle[: needle.index("\n") + 1]
        at = text.find(first_line, max(0, line_end - len(needle)), line_end)
        while at >= 0:
            if needle.startswith(text[at:line_end]):
                cut = min(cut, at)
                break
            at = text.find(first_line, at + 1, line_end)
    return cut


def _as_text(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _names_secret(key: Any) -> bool:
    return isinstance(key, str) and secret_shapes.is_sensitive_key(key)
