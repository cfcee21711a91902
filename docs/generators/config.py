"""A config class as a table of its fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from generators.markdown import code, prose, table
from osiris_core.model.reference import field_rows

if TYPE_CHECKING:
    from osiris_core.model.reference import FieldRow

_FORM = re.compile(r"of the form (\S+)")


def fields(cls: type) -> str:
    """The table; a sentence when there is no field."""
    rows = [
        (code(row.name), row.type, "required" if row.required else code(row.default), field_text(row))
        for row in field_rows(cls)
    ]
    return table(("field", "type", "default", ""), rows) or "It takes no fields."


def field_text(row: FieldRow) -> str:
    """What a field's row says beside its name, type and default."""
    text = prose(row.doc)
    if row.bounds:
        text += f" ({_FORM.sub(lambda match: f'of the form {code(match[1])}', row.bounds)})"
    if row.examples:
        text += f" Example: {' or '.join(code(example) for example in row.examples)}."
    return text
