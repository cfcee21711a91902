"""Which types a text may go into, and which texts: those that the server keeps as what they say, or refuses by name.

Some types read a text and drop a part of it without a word: digits beyond their own, a time zone, the time of a day.
Such a part is refused before it is sent; types of which that cannot be told are no targets of a text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from osiris_core.api import quote_identifier
from osiris_sql.rowtext import Guard, sql_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_AS_IT_IS: Final = re.compile(
    r"(text|citext|character varying|uuid|numeric)(\[\])?|(smallint|integer|bigint|boolean)\[\]"
    r"|character varying\(\d+\)|character\(\d+\)|jsonb?|xml|enum|bit varying|inet|cidr|macaddr8?|pg_lsn"
    r"|(int[48]|num)(multi)?range"
)
"""Types that need no look at the text, but for its length."""

_LENGTH: Final = re.compile(r"character(?: varying)?\((\d+)\)")
_DATE: Final = r"\d{4,7}-\d\d-\d\d"
_TIME: Final = r"\d\d:\d\d(:\d\d(\.\d{1,6}0*)?)?"
_ZONE: Final = r"(Z|[+-]\d\d(:?\d\d(:\d\d)?)?)"
_MOMENT: Final = rf"{_DATE}[ T]{_TIME}"
_ENDLESS: Final = r"-?infinity"
_AROUND: Final = r'([\[\](){}," ]|NULL|empty)*'
"""What stands around the values of a range or an array."""

_FINE_INTERVAL: Final = r"\.\d{6}\d*[1-9]|\.\d*[1-9]\d*\s*(y|de|ce|mil|ms|mic|us)|\de-"
_WHAT_IS_LOST: Final[Mapping[str, tuple[str, str]]] = {
    "interval": (
        _FINE_INTERVAL,
        "has a part below microseconds, or a fraction of a unit that is no whole number of it",
    ),
    "oid": ("-", "is below 0"),
}
"""By type: what no text may hold, and the words for it."""

_VALUES: Final[Mapping[str, str]] = {
    "date": rf"{_DATE}( BC)?|{_ENDLESS}",
    "ts": rf"{_MOMENT}( BC)?|{_ENDLESS}",
    "tstz": rf"{_MOMENT}{_ZONE}( BC)?|{_ENDLESS}",
}
"""By type: how its values are written within a range or an array."""

_MADE_OF: Final[Mapping[str, str]] = {
    "date[]": "date",
    "timestamp without time zone[]": "ts",
    "timestamp with time zone[]": "tstz",
    **{f"{name}{kind}": name for name in ("date", "ts", "tstz") for kind in ("range", "multirange")},
}
_TIMETZ: Final = "time with time zone"


def holds_text(target: str) -> bool:
    """Whether every text that goes into a column of type ``target`` is kept, or refused by name."""
    known = target in _MADE_OF or target in _WHAT_IS_LOST or target == _TIMETZ
    return known or _AS_IT_IS.fullmatch(target) is not None


def text_guards(column: str, target: str) -> tuple[Guard, ...]:
    """What is refused of the texts of ``column`` that go into a column of type ``target``."""
    name = quote_identifier(column)
    guards = [Guard(f"contains({name}, chr(0))", "has a NUL character, which PostgreSQL cannot hold")]
    if (length := _LENGTH.fullmatch(target)) is not None:
        guards.append(Guard(f"length({name}) > {length[1]}", f"is longer than {length[1]} characters"))
    made_of = _MADE_OF.get(target, target)
    if made_of in _WHAT_IS_LOST:
        pattern, why = _WHAT_IS_LOST[made_of]
        guards.append(Guard(f"regexp_matches({name}, {sql_text(pattern)}, 'i')", why))
    elif made_of in _VALUES:
        bare = f"regexp_replace({name}, {sql_text(_VALUES[made_of])}, '', 'gi')"
        guards.append(Guard(f"NOT regexp_full_match({bare}, {sql_text(_AROUND)}, 'i')", f"is no exact {target}"))
    elif target == _TIMETZ:
        guards.append(Guard(f"NOT regexp_full_match({name}, {sql_text(_TIME + _ZONE)})", f"is no exact {target}"))
    return tuple(guards)
