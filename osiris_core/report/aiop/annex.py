"""The annex: the whole record line by line, for what a package has no room for.

Shards are files of JSON, one item a line, of some megabytes each: every event under its id in the package, then every
measurement, then the lines of ``osiris.log``. All of it passes the same cleaning as the package, and all together is at
most as long as asked for.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.canonical import digest_bytes
from osiris_core.errors import RunFailed
from osiris_core.report.aiop.cleaning import Cleaner
from osiris_core.report.aiop.evidence import event_item, metric
from osiris_core.report.aiop.fitting import encoded
from osiris_core.report.aiop.names import local_id
from osiris_core.report.aiop.published import words
from osiris_core.report.aiop.shortening import shortened
from osiris_core.run.session import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from osiris_core.redaction import Redactor
    from osiris_core.report.session import Session

UNWRITABLE: Final = "OSR-AIO-002"

SHARD: Final = 4 << 20
"""Bytes after which the next shard begins."""

_LONGEST_LINE: Final = 1 << 20
_LONGEST_TEXT: Final = 2000
_LOG: Final = "osiris.log"
_LONGEST_LOG: Final = 64 << 20
_NAME: Final = re.compile(r"(?:events|metrics|log)-\d{4}\.ndjson\Z")


@attrs.frozen(kw_only=True)
class Shard:
    """A file of the annex."""

    name: str
    items: int
    data: bytes

    def to_json(self) -> dict[str, Any]:
        """The shard as a package names it."""
        return {
            "name": self.name,
            "items": self.items,
            "bytes": len(self.data),
            "sha256": digest_bytes(self.data),
        }


class Annex:
    """The shards of ``session``; :attr:`cuts` are the markers of what is missing, once all have been taken."""

    def __init__(self, session: Session, *, redactor: Redactor, most: int) -> None:
        self._session = session
        self._cleaner = Cleaner(redactor, words())
        self._room = most
        self.cuts: list[dict[str, Any]] = []

    def shards(self) -> Iterator[Shard]:
        """Each shard, when it is asked for."""
        session = self._session
        events, metrics, log = session.events, session.metrics, _log_of(session)
        yield from self._of("events", len(events), lambda n: event_item(n, events[n - 1]))
        yield from self._of("metrics", len(metrics), lambda n: metric(n, metrics[n - 1]))
        yield from self._of(
            "log", len(log), lambda n: {"@id": local_id("log", n), "@type": "LogLine", "text": log[n - 1]}
        )

    def _of(self, kind: str, count: int, item: Callable[[int], dict[str, Any]]) -> Iterator[Shard]:
        lines: list[bytes] = []
        size = shards = kept = shorter = 0
        for n in range(1, count + 1):
            line = encoded(whole := self._cleaner.clean(item(n)))
            if len(line) > _LONGEST_LINE:
                line, shorter = encoded(shortened(whole, _LONGEST_TEXT)), shorter + 1
            if len(line) > self._room:
                break
            self._room -= len(line)
            kept += 1
            lines.append(line)
            size += len(line)
            if size >= SHARD:
                shards += 1
                yield _shard(kind, shards, lines)
                lines, size = [], 0
        if lines:
            yield _shard(kind, shards + 1, lines)
        if kept < count or shorter:
            self.cuts.append({"section": f"annex.{kind}", "kept": kept, "of": count, "shortened": shorter})


def write_annex(annex: Annex, folder: Path) -> list[dict[str, Any]]:
    """Write the shards into ``folder`` and remove those of an earlier annex; returns them as a package names them."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for shard in annex.shards():
            replace_file(folder / shard.name, shard.data)
            written.append(shard.to_json())
        names = {shard["name"] for shard in written}
        for path in folder.iterdir():
            if _NAME.match(path.name) and path.name not in names:
                path.unlink()
    except OSError as error:
        raise RunFailed(UNWRITABLE, f"the annex cannot be written: {error.strerror or error}") from error
    return written


def _shard(kind: str, number: int, lines: list[bytes]) -> Shard:
    return Shard(name=f"{kind}-{number:04}.ndjson", items=len(lines), data=b"".join(lines))


def _log_of(session: Session) -> list[str]:
    try:
        path = session.path / _LOG
        if path.is_symlink() or not path.is_file():
            return []
        with path.open("rb") as file:
            return file.read(_LONGEST_LOG).decode("utf-8", "backslashreplace").splitlines()
    except OSError:
        return []
