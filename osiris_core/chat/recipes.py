"""How DuckDB says what a wish asks for, where a small model does not think of it: a note for each cue in its words.

The cues are English words; a wish without any gets no note.
"""

from __future__ import annotations

import re
from typing import Final

_EACH: Final = r"\b(?:each|every|per|by)\b"
_MOST: Final = r"\b(?:most|top|best|worst|highest|lowest|largest|longest|shortest|biggest|latest|first|last)\b"

_NOTES: Final = tuple(
    (re.compile(cue, re.IGNORECASE | re.DOTALL), note)
    for cue, note in (
        (
            rf"\b(?:for|of|in)\s+(?:each|every)\b.*{_MOST}|{_MOST}[^.]*\b(?:of|for|in|per)\s+(?:each|every)\b|{_MOST}\s+(?:\w+\s+){{0,3}}per\b",
            "the best n of each group: QUALIFY row_number() OVER (PARTITION BY group ORDER BY value DESC) <= n",
        ),
        (
            r"\bnot\s+(?:in|among|part\s+of)\b|\b(?:missing|absent)\s+(?:from|in)\b|\bdoes(?:n't|\s+not)\s+(?:know|have|contain)\b"
            r"|\bwithout\s+(?:a|any)\s+(?:match|partner|entry)\b|\bunknown\s+to\b",
            "rows without a partner in another table: WHERE NOT EXISTS (SELECT 1 FROM other o WHERE o.key = t.key)",
        ),
        (
            r"\bkeep\b[^.]*\b(?:unknown|know|empty|missing|name)\b|\beven\s+(?:if|when|those)\b|\bincluding\s+those\s+without\b",
            "rows stay without a partner: LEFT JOIN",
        ),
        (
            r"\b(?:share|percentage|percent|proportion)\b",
            "a share of a group: 100.0 * count(*) FILTER (WHERE condition) / count(*); "
            "a group's share of all: 100.0 * count(*) / sum(count(*)) OVER ()",
        ),
        (r"\brunning\b|\bcumulative\b|\bso\s+far\b|\bsince\s+the\s+(?:first|start|beginning)\b", "a running total: sum(count(*)) OVER (ORDER BY x)"),
        (
            r"\bmoving\b|\brolling\b|\b\w+\s+(?:days|weeks|months|rows)\s+before\b",
            "over a row and the n before it: avg(count(*)) OVER (ORDER BY x ROWS BETWEEN n PRECEDING AND CURRENT ROW)",
        ),
        (
            r"\b(?:change|difference|growth|compared)\b.*\b(?:previous|before|last|preceding)\b",
            "the change: count(*) - lag(count(*)) OVER (ORDER BY x)",
        ),
        (r"\bweekdays?\b|\bdays?\s+of\s+the\s+week\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b", "the day of the week: isodow(date), 1 is Monday"),
        (r"\bquarters?\b", "the quarter: quarter(date), or (month + 2) // 3"),
        (r"\bdifferent\b|\bdistinct\b|\bunique\b", "different values: count(DISTINCT x)"),
        (r"\bmedian\b", "the median: median(x)"),
        (r"\bcolumns?\s+(?:next\s+to\s+each\s+other|side\s+by\s+side)\b|\bside\s+by\s+side\b|\bpivot\b|\bin\s+\w+\s+columns\b", "a column for each value: count(*) FILTER (WHERE x = 'value')"),
        (r"\bcounts?\s+as\s+(?:zero|0|nothing)\b|\btreat\w*\s+as\s+(?:zero|0)\b", "as zero: coalesce(x, 0) for NULL, greatest(x, 0) for less"),
        (r"\bshare[sd]?\s+(?:the\s+)?(?:\w+\s+)?place\b|\bties?\b|\btied\b", "the first n with ties: QUALIFY rank() OVER (ORDER BY value DESC) <= n"),
        (r"\b(?:no|without)\b[^.]*\bdates?\b|\bdates?\b[^.]*\b(?:no|without)\b", "dates that are not there: SELECT unnest(generate_series(DATE 'a', DATE 'b', INTERVAL 1 DAY))::DATE AS date EXCEPT SELECT date FROM t"),
        (rf"\b(?:only|at\s+least|more\s+than|fewer\s+than|less\s+than|at\s+most)\b[^.]*\d", "a condition on a count: HAVING count(*) >= n, on rows: WHERE"),
        (r"\b(?:how\s+many|number)\b[^.]*\b(?:have|has|of\s+them|missing|no|without|unknown)\b", "how many rows meet a condition: count(*) FILTER (WHERE condition)"),
        (r"\b(?:night|midnight|pm)\b", "hours across midnight: hour >= a OR hour < b"),
    )
)  # fmt: skip
_MANY: Final = 3


def notes_for(wish: str) -> tuple[str, ...]:
    """The notes whose cue the wish has, the most telling first, no more than are read."""
    return tuple(note for cue, note in _NOTES if cue.search(wish))[:_MANY]
