"""Character sets: whose text arrives as it is, and whose must be made Unicode by the SQL of a read.

Where the server converts a result by itself, it puts '?' for what has no Unicode, and does not warn. Where the SQL says
CONVERT, it warns. So a query is described by a session in which nothing is converted: there the server says of each
column of the result which character set it is of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from osiris_mysql.query import KEPT, name, selected
from osiris_mysql.reading import BINARY, TEXTS, base_type
from osiris_mysql.result import READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from osiris_mysql.query import Base
    from osiris_mysql.result import Field
    from osiris_mysql.session import Session
    from osiris_sql.casting import Cast

AS_THEY_ARE: Final = "character_set_results = NULL"
"""The setting of a session whose results are not converted."""

_UTF8: Final = frozenset({"utf8mb4", "utf8mb3", "utf8", "ascii"})
"""Character sets whose bytes are UTF-8; whether they are is looked at as they arrive."""
EXACT: Final = KEPT | _UTF8
"""Character sets all of whose characters are in Unicode."""
_UTF8MB4: Final = frozenset({45, 46, 224, 255})
"""The numbers of its most frequent collations; the server is asked for others."""
_REPLACED: Final = frozenset({"big5", "tis620"})
"""Character sets of which a CONVERT, too, makes U+FFFD of what has no Unicode, and does not warn."""


def in_unicode(session: Session, base: Base, fields: Sequence[Field]) -> Base:
    """``base`` of a query with what to select around it, lest the server change a text. ``fields`` are its columns as
    a session describes them whose results come as they are.
    """
    found = zip(fields, charset_names(session, fields, base.what), strict=True)
    charsets = {field.name: charset for field, charset in found if charset is not None}
    if _UTF8.issuperset(charsets.values()):
        return base
    session.run("SET SESSION character_set_results = utf8mb4")
    converted = {column: charset for column, charset in charsets.items() if charset not in KEPT}
    if not converted:
        return base
    listed = ", ".join(selected(one.name) if one.name in converted else name(one.name) for one in fields)
    return attrs.evolve(base, listed=listed, charsets=converted)


def checked(cast: Cast, charset: str | None) -> Cast:
    """``cast`` of a column that was made Unicode from ``charset``, where no warning says that a character has none."""
    if charset not in _REPLACED:
        return cast
    said = f"column '{cast.name}' of {charset} holds a character without Unicode; {READ_BYTES}".replace("'", "''")
    return attrs.evolve(
        cast, expression=f"CASE WHEN contains({{cell}}, chr(65533)) THEN error('{said}') ELSE {{cell}} END"
    )


def charset_names(session: Session, fields: Sequence[Field], what: str) -> list[str | None]:
    """The character set of each column of text, None for other columns."""
    numbers = [one.charset if base_type(one) in TEXTS and one.charset != BINARY else None for one in fields]
    known = dict.fromkeys(_UTF8MB4, "utf8mb4")
    if unknown := sorted({number for number in numbers if number is not None} - set(known)):
        wanted = ", ".join(map(str, unknown))
        rows = session.run(
            f"SELECT ID, CHARACTER_SET_NAME FROM information_schema.COLLATIONS WHERE ID IN ({wanted})", what
        )
        known.update((int(number), str(charset)) for number, charset in rows)
    # What the server does not know by its number is made Unicode, which is never wrong.
    return [None if number is None else known.get(number, f"character set {number}") for number in numbers]
