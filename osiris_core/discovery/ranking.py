"""Which tables a question is about, by the words that they have in common.

A rare word says more than one that every table has; the table's name says more than a column's, and that more than a
comment. Tables that are related to a fitting one gain by it, because a question names the facts and seldom the tables
between them.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from osiris_core.discovery.names import entity, singular, words
from osiris_core.discovery.relations import place_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from osiris_core.discovery.relations import Relation
    from osiris_core.spec.catalog import Table

_WORD: Final = re.compile(r"[^\W_]+")
_NAME, _COLUMN, _COMMENT = 4.0, 2.0, 1.0
_PASSED_ON: Final = 0.3


def ranked(tables: Sequence[Table], relations: Sequence[Relation], text: str) -> tuple[tuple[Table, float], ...]:
    """``tables`` with a score each for ``text``, the likeliest first; what does not fit has 0 and keeps its order."""
    asked = set(_words(text))
    weights = [_weights(table) for table in tables]
    shared = Counter(word for one in weights for word in one)
    own = {
        place_of(table): sum(
            weight * math.log(1 + len(tables) / shared[word]) for word, weight in one.items() if word in asked
        )
        for table, one in zip(tables, weights, strict=True)
    }
    scores = dict(own)
    for one in relations:
        ends = ((one.schema, one.table), (one.to_schema, one.to_table))
        for here, there in (ends, ends[::-1]):
            if here in own:
                gained = own[here] + _PASSED_ON * one.confidence * own.get(there, 0.0)
                scores[here] = max(scores[here], gained)
    order = sorted(tables, key=lambda table: -scores[place_of(table)])
    return tuple((table, scores[place_of(table)]) for table in order)


def _weights(table: Table) -> dict[str, float]:
    """The words of a table, each with the weight of the weightiest place in which it stands."""
    found: dict[str, float] = {}
    texts = [(_NAME, f"{entity(table)} {table.name}"), (_COMMENT, table.comment or "")]
    for column in table.columns:
        texts += [(_COLUMN, column.name), (_COMMENT, column.comment or "")]
    for weight, text in texts:
        for word in _words(text):
            found[word] = max(weight, found.get(word, 0.0))
    return found


def _words(text: str) -> Iterable[str]:
    """The words of ``text`` in lower case and, as far as can be told, the singular."""
    for part in _WORD.findall(text):
        yield from (singular(word) for word in words(part).split("_") if word) if part.isascii() else (part.lower(),)
