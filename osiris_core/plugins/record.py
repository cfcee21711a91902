"""Whether the files of an installed distribution are still those that were installed.

Source: PyPA "Recording installed projects" (``RECORD``: path, hash, size of each file; hashes are URL-safe base64
without padding). This finds damage and later changes; it does not protect against a package that writes its own record.
"""

from __future__ import annotations

import base64
import csv
import hashlib
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from osiris_core.plugins.containment import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_NAMED: Final = 5


@attrs.frozen(kw_only=True)
class RecordCheck:
    """What comparing a distribution with its record gave. ``recorded`` is False when it has no usable record."""

    recorded: bool
    checked: int = 0
    changed: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()

    @property
    def message(self) -> str | None:
        """What differs, on one line; None when nothing does."""
        parts = [
            f"{len(names)} {word}: {', '.join(names[:_MAX_NAMED])}{', …' if len(names) > _MAX_NAMED else ''}"
            for word, names in (("changed since it was installed", self.changed), ("absent", self.absent))
            if names
        ]
        return "; ".join(parts) or None


def check_record(distribution: str) -> RecordCheck:
    """Compare the files of ``distribution`` with its ``RECORD``."""
    try:
        installed = metadata.distribution(distribution)
        record = installed.read_text("RECORD")
    except Exception:  # noqa: BLE001 - recorded as "no usable record"
        record = None
    if record is None:
        return RecordCheck(recorded=False)
    changed, absent, checked = [], [], 0
    # Distribution.files would do, but since Python 3.12 it leaves out what is absent.
    for name, (algorithm, expected) in _hashes(record):
        path = Path(str(installed.locate_file(name)))
        try:
            content = path.read_bytes()
        except OSError:
            absent.append(shortened(name))
            continue
        checked += 1
        actual = base64.urlsafe_b64encode(hashlib.new(algorithm, content).digest()).rstrip(b"=").decode()
        if actual != expected.rstrip("="):
            changed.append(shortened(name))
    return RecordCheck(recorded=True, checked=checked, changed=tuple(sorted(changed)), absent=tuple(sorted(absent)))


def _hashes(record: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """The files of a record that have a hash; the record itself and byte-compiled files have none."""
    for row in csv.reader(record.splitlines()):
        algorithm, equals, expected = row[1].partition("=") if len(row) > 1 else ("", "", "")
        if equals and algorithm in hashlib.algorithms_guaranteed:
            yield row[0], (algorithm, expected)
