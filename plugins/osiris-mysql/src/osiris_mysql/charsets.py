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
    from collections.abc import Mapping, Sequence

    from osiris_mysql.query import Base
    from osiris_mysql.result import Field
    from osiris_mysql.session import Session
    from osiris_sql.casting import Cast

AS_THEY_ARE: Final = "character_set_results = NULL"
"""The setting of a session whose results are not converted."""

_UTF8: Final = frozenset({"utf8mb4", "utf8mb3", "utf8", "ascii"})
"""Character sets whose bytes are UTF-8; whether they are is looked at as they arrive."""
_UTF8MB4: Final = frozenset({45, 46, 224, 255})
"""The numbers of its most frequent collations; the server is asked for others."""
_REPLACED: Final = frozenset({"big5", "tis620"})
"""Character sets of which a CONVERT, too, makes U+FFFD of what has no Unicode, and does not warn."""


def in_unicode(session: Session, base: Base, fields: Sequence[Field]) -> Base:
    """``base`` of a query with what to select around it, lest the server change a text. ``fields`` are its columns as
    a session describes them whose results come as they are.
    """
    charsets = _charsets(session, base, fields)
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


def _charsets(session: Session, base: Base, fields: Sequence[Field]) -> Mapping[str, str]:
    """The character set of each column of text."""
    numbers = {one.name: one.charset for one in fields if base_type(one) in TEXTS and one.charset != BINARY}
    known = dict.fromkeys(_UTF8MB4, "utf8mb4")
    if unknown := sorted(set(numbers.values()) - set(known)):
        wanted = ", ".join(map(str, unknown))
        rows = session.run(
            f"SELECT ID, CHARACTER_SET_NAME FROM information_schema.COLLATIONS WHERE ID IN ({wanted})", base.what
        )
        known.update((int(number), str(charset)) for number, charset in rows)
    # What the server does not know by its number is made Unicode, which is never wrong.
    return {column: known.get(number, f"character set {number}") for column, number in numbers.items()}
