"""What a wish asks for in so many words and a query leaves out: half of an instruction is what a small model loses.

Each rule is a cue in the wish's words, what a query that heeds it has somewhere, and the sentence that reminds of it. A
rule speaks only where hardly any right query lacks the thing; the cues are English words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlglot import exp

from osiris_core.chat.grounding import parsed
from osiris_core.chat.wording import BEST, MONTHS, NUMBERS, OF_EACH, holidays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ASIDE: Final = re.compile(
    r"\S*[/\\]\S*|\b[\w-]+\.[a-z]\w{1,7}\b|\"[^\"]*\"|\b\w*_\w*\b|\([^()]*\)|\bnumbered\b[^,.;]*"
)
"""What says nothing of which rows are wanted: paths, quoted texts, names of columns, what stands between brackets."""
_COUNT: Final = re.compile(
    r"(?<![\w.,-])(?P<number>\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?|"
    + "|".join(NUMBERS)
    + r")(?P<ordinal>st|nd|rd|th)?\b(?P<after>\s*\w+)?",
    re.IGNORECASE,
)
_YEAR: Final = range(1900, 2101)
_UNITS: Final = {
    "hour": 60,
    "hours": 60,
    "minutes": 60,
    "minute": 60,
    "percent": 100,
    "days": 24,
    "day": 24,
    "weeks": 7,
}
"""What another unit makes of a number: ``12 hours`` are 720 minutes, ``30 percent`` 0.3."""
_OF_THE_RESULT: Final = frozenset({"columns", "rows", "tables", "files", "decimal", "decimals", "digits"})
"""What there are so many of in what comes out, whatever the query says."""


def _kind(*kinds: type[exp.Expr]) -> Callable[[exp.Expr], bool]:
    return lambda tree: tree.find(*kinds) is not None


def _of_null(tree: exp.Expr) -> bool:
    """Whether it tells what is there from what is not: by NULL, by another table's rows, by what a count skips."""
    if any(isinstance(one.expression, exp.Null) for one in tree.find_all(exp.Is)) or tree.find(
        exp.Coalesce, exp.Exists, exp.Join
    ):
        return True
    counted = (one for one in tree.find_all(exp.Count) if isinstance(one.this, exp.Column))
    excluded = any(isinstance(one.this, exp.In) for one in tree.find_all(exp.Not)) or tree.find(exp.Except)
    return bool(excluded) or next(counted, None) is not None


def _rounded(tree: exp.Expr) -> bool:
    decimal = any(one.to.this is exp.DataType.Type.DECIMAL for one in tree.find_all(exp.Cast))
    return decimal or tree.find(exp.Round) is not None


def _kept(tree: exp.Expr) -> bool:
    """Whether it leaves rows out for what they lack: ``x IS NOT NULL``, or a join that wants a partner."""
    if any(one.find(exp.Is) is not None for one in tree.find_all(exp.Not)):
        return True
    return any(not one.side and one.kind in ("", "INNER") for one in tree.find_all(exp.Join))


def _ordered(tree: exp.Expr) -> bool:
    return tree.args.get("order") is not None or _window(tree)


def _cut(tree: exp.Expr) -> bool:
    return tree.find(exp.Limit, exp.Qualify, exp.Fetch, exp.Window) is not None


def _window(tree: exp.Expr) -> bool:
    by_key = any(one.args.get("on") is not None for one in tree.find_all(exp.Distinct))
    return by_key or tree.find(exp.Window, exp.ArgMax, exp.ArgMin, exp.Qualify) is not None


def _average(tree: exp.Expr) -> bool:
    return tree.find(exp.Avg, exp.Div) is not None


_RULES: Final = (
    (r"\bpercent\w*\b|\bproportion\b|\bshares?\s+of\b", _average, "a share: one number divided by another"),
    (r"\bdifferent\b|\bdistinct\b|\bunique\b", _kind(exp.Distinct, exp.Group), "different values only: DISTINCT"),
    (r"\bround(?:ed)?\b|\bdecimals?\b", _rounded, "rounding: round(x, digits)"),
    (
        (
            r"\b(?:sorted|ordered)\b(?!\s+(?:from|at|in))|\bsort\s+by\b|\b(?:de|a)scending\b|"
            rf"\b{BEST}\b[\w ]{{0,20}}\bfirst\b|\bfirst\s+the\s+{BEST}\b"
        ),
        _ordered,
        "an order: ORDER BY",
    ),
    (
        OF_EACH,
        _window,
        "the best of each group: QUALIFY row_number() OVER (PARTITION BY group ORDER BY value DESC) <= n",
    ),
    (
        rf"\b(?:top|first|last)\s+(?:\d+|{'|'.join(NUMBERS)})\b|\b(?:\d+|{'|'.join(NUMBERS)})\s+(?:\w+\s+)?{BEST}\b",
        _cut,
        "only the first rows: ORDER BY with LIMIT",
    ),
    (
        (
            r"\b(?:has|have|had|having|with|there\s+is|there\s+was|is|are|was|were)\s+no\b(?!\s+more)|\bunknown\b|\bmissing\b|"
            r"\bwithout\s+(?:a|an|any)\b|\bnever\b|\bnot\s+(?:in|among)\s+the\b"
        ),
        _of_null,
        "rows where something is not there: IS NULL, or WHERE NOT EXISTS",
    ),
    (
        (
            r"\b(?:ignor|disregard|skip|exclud)\w*\b[^.;]*\b(?:no|without|unknown|missing|empty)\b|"
            r"\bleave\s+out\b[^.;]*\b(?:no|without|unknown|missing|empty)\b"
        ),
        _kept,
        "what is to be left out: AND x IS NOT NULL",
    ),
    (r"\bmedian\b", _kind(exp.Median, exp.Quantile, exp.PercentileCont), "the median: median(x)"),
    (r"\baverages?\b|\bon\s+average\b|\bmean\b", _average, "an average: avg(x)"),
    (
        r"\brunning\s+(?:total|sum|count)\b|\bcumulative\b|\bmoving\s+average\b|\brolling\b",
        _kind(exp.Window),
        "a running total or a moving average: OVER (ORDER BY x)",
    ),
    (r"\b(?:number|count)\s+of\b|\bhow\s+many\b", _kind(exp.Count, exp.CountIf, exp.Sum), "a number: count(*)"),
)
_READ: Final = tuple((re.compile(cue, re.IGNORECASE), heeds, reminder) for cue, heeds, reminder in _RULES)


def omissions(sql: str, wish: str) -> tuple[str, ...]:
    """What ``sql`` leaves out of ``wish``, a sentence each; nothing for what is no query."""
    tree = parsed(sql)
    if tree is None:
        return ()
    said = _ASIDE.sub(" ", wish)
    found = [f"it has not {reminder}" for cue, heeds, reminder in _READ if cue.search(said) and not heeds(tree)]
    found += [f"nowhere in it stands {shown}, which the question says" for shown in _numbers(said, tree)]
    found += [f"it has not the month {month}" for month in _months(said, tree)]
    there = _integers(tree)
    found += [f"it has not both of month {m}, day {d}: {name}" for name, m, d in holidays(said) if not {m, d} <= there]
    return tuple(found)


def _integers(tree: exp.Expr) -> set[int]:
    """The whole numbers that stand in the query, alone or in a date."""
    return {int(one) for literal in tree.find_all(exp.Literal) for one in re.findall(r"\d+", literal.name)}


def _numbers(said: str, tree: exp.Expr) -> Iterator[str]:
    """The numbers of the wish that the query has not, in no unit."""
    there = {float(one.name) for one in tree.find_all(exp.Literal) if not one.is_string} | _integers(tree)
    for match in _COUNT.finditer(said):
        word, after = match["number"].lower(), (match["after"] or "").strip().lower()
        if after in _OF_THE_RESULT or match["ordinal"]:
            continue
        number = float(NUMBERS[word] if word in NUMBERS else word.replace(",", ""))
        if number in (0, 1, 2) or number in _YEAR:
            continue
        # `at least 15` may be `> 14`, `10 pm` is hour 22.
        forms = {number, number - 1, number + 1, -number, number + 12 if after == "pm" else number}
        factor = _UNITS.get(after, 1)
        if not there & (forms | {number * factor, number / factor}):
            yield match["number"]


def _months(said: str, tree: exp.Expr) -> Iterator[str]:
    """The months of the wish that the query has not, by number, by date or by name."""
    there = {one.name.lower() for one in tree.find_all(exp.Literal)}
    dates = " ".join(there)
    for number, name in enumerate(MONTHS, start=1):
        if not re.search(rf"\b{name.capitalize()}\b", said):
            continue
        dated = re.search(rf"\b\d{{4}}-{number:02}\b", dates)
        ranged = tree.find(exp.Between, exp.GT, exp.GTE, exp.LT, exp.LTE)
        if str(number) not in there and f"{number:02}" not in there and not dated and not ranged and name not in dates:
            yield f"{name.capitalize()} ({number})"
