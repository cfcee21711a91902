"""How DuckDB says what a wish asks for, where a small model does not think of it: a note for each cue in its words.

The cues are English words; a wish without any gets no note.
"""

from __future__ import annotations

import re
from typing import Final

from osiris_core.chat.wording import BEST, OF_EACH, holidays

_MANY: Final = 3
"""So many notes are given at most: a small model follows the first ones."""

_CUES: Final = (
    (
        "the best n of each group: QUALIFY row_number() OVER (PARTITION BY group ORDER BY value DESC) <= n",
        OF_EACH,
        rf"\b{BEST}\s+(?:\w+\s+){{0,3}}per\b",
    ),
    (
        "rows without a partner in another table: WHERE NOT EXISTS (SELECT 1 FROM other o WHERE o.key = t.key)",
        r"\bnot\s+(?:in|among|part\s+of)\b|\b(?:missing|absent)\s+(?:from|in)\b|\bunknown\s+to\b",
        r"\bdoes(?:n't|\s+not)\s+(?:know|have|contain)\b|\bwithout\s+(?:a|any)\s+(?:match|partner|entry)\b",
    ),
    (
        "rows stay without a partner: LEFT JOIN",
        r"\bkeep\b[^.]*\b(?:unknown|know|empty|missing|name)\b|\beven\s+(?:if|when|those)\b",
        r"\bincluding\s+those\s+without\b",
    ),
    (
        "percent of all: 100.0 * count(*) / sum(count(*)) OVER ()",
        r"\b(?:percentage|percent|proportion|shares?)\b[^.;]*\bof\s+(?:all|the\s+(?:whole|total))\b",
    ),
    (
        "percent of a group: 100.0 * count(*) FILTER (WHERE condition) / count(*)",
        r"\A(?!.*\bof\s+(?:all|the\s+(?:whole|total))\b).*(?:\b(?:percentage|percent|proportion)\b|\bshares?\s+of\b)",
    ),
    (
        "a running total: sum(count(*)) OVER (ORDER BY x)",
        r"\brunning\b|\bcumulative\b|\bso\s+far\b|\bsince\s+the\s+(?:first|start|beginning)\b",
    ),
    (
        "over a row and the n before it: avg(count(*)) OVER (ORDER BY x ROWS BETWEEN n PRECEDING AND CURRENT ROW)",
        r"\bmoving\b|\brolling\b|\b\w+\s+(?:days|weeks|months|rows)\s+before\b",
    ),
    (
        "the change: count(*) - lag(count(*)) OVER (ORDER BY x)",
        r"\b(?:change|difference|growth|compared)\b.*\b(?:previous|before|last|preceding)\b",
    ),
    (
        "the day of the week: isodow(date), 1 is Monday",
        r"\bweekdays?\b|\bdays?\s+of\s+the\s+week\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b",
    ),
    ("the quarter: quarter(date), or (month + 2) // 3", r"\bquarters?\b"),
    ("different values: count(DISTINCT x)", r"\bdifferent\b|\bdistinct\b|\bunique\b"),
    ("the median: median(x)", r"\bmedian\b"),
    (
        "a column for each value: count(*) FILTER (WHERE x = 'value')",
        r"\bside\s+by\s+side\b|\bnext\s+to\s+each\s+other\b|\bpivot\b|\bin\s+\w+\s+columns\b",
    ),
    (
        "as zero: coalesce(x, 0) for NULL, greatest(x, 0) for less",
        r"\bcounts?\s+as\s+(?:zero|0|nothing)\b|\btreat\w*\s+as\s+(?:zero|0)\b",
    ),
    (
        "the first n with ties: QUALIFY rank() OVER (ORDER BY value DESC) <= n",
        r"\bshare[sd]?\s+(?:the\s+)?(?:\w+\s+)?place\b|\bties?\b|\btied\b",
    ),
    (
        (
            "dates that are not there: SELECT unnest(generate_series(DATE 'a', DATE 'b', INTERVAL 1 DAY))::DATE AS date"
            " EXCEPT SELECT date FROM t"
        ),
        r"\b(?:dates|days|months)\b[^.(]*\b(?:was|were|is|are|with)\s+no\b|\b(?:dates|days|months)\s+without\b",
    ),
    (
        "a condition on a count: HAVING count(*) >= n, on rows: WHERE",
        r"\b(?:only|at\s+least|more\s+than|fewer\s+than|less\s+than)\b[^.]*\d",
        r"\b(?:at\s+least|more\s+than|fewer\s+than|less\s+than)\s+(?:one|two|three|five|ten|twenty|a\s+hundred)\b",
    ),
    (
        "only groups that have such rows: HAVING count(*) FILTER (WHERE condition) > 0",
        r"\b(?:each|every|all|the|those|which|only)\s+\w+\s+(?:that|which|who)\s+(?:has|have|had)\b",
    ),
    (
        "how many rows meet a condition: count(*) FILTER (WHERE condition)",
        r"\b(?:how\s+many|number)\b[^.]*\b(?:have|has|of\s+them|missing|no|without|unknown)\b",
    ),
    ("hours across midnight: hour >= a OR hour < b", r"\b(?:night|midnight|pm)\b"),
)
"""The notes, the most telling first, each with its cues."""

_NOTES: Final = tuple((note, re.compile("|".join(cues), re.IGNORECASE | re.DOTALL)) for note, *cues in _CUES)


def notes_for(wish: str) -> tuple[str, ...]:
    """The notes whose cue the wish has, the most telling first, no more than are read."""
    days = [f"{name} is month {month}, day {day}" for name, month, day in holidays(wish)]
    return (*days, *(note for note, cue in _NOTES if cue.search(wish)))[:_MANY]
