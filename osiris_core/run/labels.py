"""Labels of a run: what its starter calls it by (``team=sales``), for finding it again. They change nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from osiris_core.display import visible_line
from osiris_core.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LABEL: Final = "OSR-RUN-074"

MAX_LABELS: Final = 32
MAX_VALUE: Final = 200

_KEY: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?\Z")


def read_labels(texts: Iterable[str]) -> dict[str, str]:
    """The labels that ``texts`` (``key=value``) are. Raises InvalidInput."""
    found: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign:
            raise InvalidInput(LABEL, f"'{text}' is no label; write it as key=value")
        if key in found:
            raise InvalidInput(LABEL, f"the label '{key}' is given twice")
        found[key] = value
    check_labels(found)
    return found


def check_labels(labels: Mapping[str, str]) -> None:
    """Raise InvalidInput unless every label is one that can be kept, shown on a line and searched for."""
    if len(labels) > MAX_LABELS:
        raise InvalidInput(LABEL, f"a run has at most {MAX_LABELS} labels, not {len(labels)}")
    for key, value in labels.items():
        if not _KEY.match(key):
            raise InvalidInput(
                LABEL,
                f"'{key}' cannot be a label's key",
                hint="a key is 1 to 63 of A-Z a-z 0-9 . _ / - and begins and ends with a letter or digit",
            )
        if not value or len(value) > MAX_VALUE or visible_line(value) != value:
            raise InvalidInput(
                LABEL,
                f"the value of the label '{key}' cannot be one",
                hint=f"a value is one line of 1 to {MAX_VALUE} characters, none of them a control character",
            )
