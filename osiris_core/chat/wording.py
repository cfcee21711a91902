"""What words of English mean in a wish: numbers, months, days of the year, the best of each group.

A wish in another language is understood by the model alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_SMALL: Final = "zero one two three four five six seven eight nine ten eleven twelve"
_LARGE: Final = {"fifteen": 15, "twenty": 20, "thirty": 30, "fifty": 50, "hundred": 100, "thousand": 1000}
NUMBERS: Final = {word: number for number, word in enumerate(_SMALL.split())} | _LARGE
"""Words for numbers."""
MONTHS: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
HOLIDAYS: Final = {
    "Christmas Day": (12, 25),
    "Christmas Eve": (12, 24),
    "New Year's Day": (1, 1),
    "New Year's Eve": (12, 31),
    "Valentine's Day": (2, 14),
    "Halloween": (10, 31),
    "Boxing Day": (12, 26),
}
"""Days whose date is the same each year and everywhere, by month and day."""
BEST: Final = r"(?:(?<!at )most|top|best|worst|highest|lowest|largest|longest|shortest|biggest|latest|newest|oldest)"
"""What is the best of all; `at most` is none."""

TIES: Final = (
    r"(?<!most )\b(?:shar(?:e|es|ed|ing)|tied?|ties)\s+(?:\w+\s+){0,2}(?:place|rank|position|spot)\b|"
    r"\b(?:with|keep|including|include)\s+(?:all\s+)?ties\b"
)
"""Where a wish keeps all that are as good as the last one."""

IGNORED: Final = (
    r"\b(?:ignor|disregard|skip|exclud|leave\s+out)\w*\b[^.;,]*?"
    r"\b(?:no|without|unknown|missing|empty)\s+(?:an?\s+|any\s+)?"
)
"""Where a wish wants no rows that lack something, which is said next."""

OF_EACH: Final = (
    rf"\b(?:for|of|in)\s+(?:each|every)\b[^.;]*\b{BEST}\b|\b{BEST}\b[^.;]*\b(?:of|for|in|per)\s+(?:each|every)\b"
)
"""Where a wish wants the best of each group."""


def holidays(wish: str) -> Iterator[tuple[str, int, int]]:
    """The holidays that a wish names, each with its month and day."""
    for name, (month, day) in HOLIDAYS.items():
        if name.lower() in wish.lower().replace("’", "'"):
            yield name, month, day
