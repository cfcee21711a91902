"""What following SQL starts from: the tables it may read, the rules of its dialect, and how much work it may take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from osiris_core.report.relation import Relation

MAX_WORK: Final = 1_000_000
"""Nodes and edges that the lineage of one pipeline may take; 500 columns through 50 CTEs take a tenth of it."""


class TooMuch(Exception):
    """The lineage would take more than :data:`MAX_WORK`."""


@attrs.define
class Budget:
    """Work that may still be done."""

    left: int = MAX_WORK

    def spend(self, work: int = 1) -> None:
        """Take ``work`` away; raises TooMuch when there is none left."""
        self.left -= work
        if self.left < 0:
            raise TooMuch


@attrs.frozen(kw_only=True)
class Reads:
    """What a SELECT reads: a relation for a table's name (its parts), and the rules of its dialect.

    ``fold`` makes one text of the names that mean one column. ``local`` says that every function is one of DuckDB's
    own, which reads nothing but its arguments. With ``aliases`` an item's alias may be used in other items, WHERE …
    ``lambdas`` are the offsets in the text of first parameters after the word ``lambda``.
    """

    table: Callable[[Sequence[str]], Relation | None]
    fold: Callable[[str], str]
    local: bool
    aliases: bool
    lambdas: AbstractSet[int] = frozenset()
