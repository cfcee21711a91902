"""Which values of a table are not for showing: those under the name of a secret, be it a column's or that of a field
within one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from osiris_core.redaction import MASK
from osiris_core.secret_shapes import is_sensitive_key
from osiris_core.spec.catalog import Sample, TableProfile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_core.spec.catalog import Table

_FIELDS: Final = re.compile(r"\b(?:STRUCT|UNION|ROW)\s*\(", re.IGNORECASE)
"""Types that name the fields of their values."""

_OPEN: Final = re.compile(r"\b(?:MAP|JSONB?|HSTORE|VARIANT)\b", re.IGNORECASE)
"""Types whose values name their fields themselves."""

_NAME: Final = re.compile(r'"(?P<quoted>(?:[^"]|"")*)"|(?P<bare>\w+)')
_KEY: Final = re.compile(r"""["']?(?P<name>[\w -]+?)["']?\s*(?:=>|[:=])""")


def without_secrets(profile: TableProfile, table: Table) -> TableProfile:
    """``profile`` with counts only of columns that may hold secrets."""
    types = _types(table)
    columns = (
        one.without_values() if _hides(one.name, types) or _OPEN.search(types.get(one.name, "")) else one
        for one in profile.columns
    )
    return TableProfile(basis=profile.basis, examined=profile.examined, columns=tuple(columns))


def masked(sample: Sample, table: Table) -> Sample:
    """``sample`` with a mask for every value that may hold a secret."""
    types = _types(table)
    hidden = [_hides(name, types) for name in sample.columns]
    opened = [_OPEN.search(types.get(name, "")) is not None for name in sample.columns]
    rows = tuple(
        tuple(
            MASK if value is not None and (hide or (names and _names_secret(value))) else value
            for hide, names, value in zip(hidden, opened, row, strict=True)
        )
        for row in sample.rows
    )
    return Sample(columns=sample.columns, rows=rows)


def _types(table: Table) -> Mapping[str, str]:
    return {column.name: column.type for column in table.columns}


def _hides(name: str, types: Mapping[str, str]) -> bool:
    """Whether the column ``name`` is called like a secret, or a field that its type names is."""
    kind = types.get(name, "")
    if is_sensitive_key(name):
        return True
    if not _FIELDS.search(kind):
        return False
    return any(is_sensitive_key(found["quoted"] or found["bare"] or "") for found in _NAME.finditer(kind))


def _names_secret(value: Any) -> bool:
    """Whether a value that names its fields names one like a secret."""
    return any(is_sensitive_key(found["name"]) for found in _KEY.finditer(str(value)))
