"""The names of types that a config may state, and their one spelling.

    type    = name | "DECIMAL(" precision "," scale ")" | type "[]" | "STRUCT(" field type {"," field type} ")"
            | "MAP(" type "," type ")"

Names are DuckDB's. Case and white space do not matter, common aliases are understood, and nothing else is: the text
becomes part of a statement.
"""

from __future__ import annotations

import re
from typing import Final

SCALARS: Final = (
    "BOOLEAN",
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "FLOAT",
    "DOUBLE",
    "VARCHAR",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP_S",
    "TIMESTAMP_MS",
    "TIMESTAMP_NS",
    "TIMESTAMPTZ",
    "UUID",
    "BLOB",
    "JSON",
)

_ALIASES: Final = {
    "BOOL": "BOOLEAN",
    "INT": "INTEGER",
    "LONG": "BIGINT",
    "REAL": "FLOAT",
    "STRING": "VARCHAR",
    "TEXT": "VARCHAR",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ",
    "BINARY": "BLOB",
    "BYTES": "BLOB",
    "NUMERIC": "DECIMAL",
}
_TOKEN: Final = re.compile(
    r'\s*(?:(?P<word>[A-Za-z_]\w*)|(?P<number>\d{1,3})|(?P<quoted>"(?:[^"\0]|"")+")|(?P<sign>[(),\[\]]))'
)
_MAX_DIGITS: Final = 38
_MAX_DEPTH: Final = 16


def canonical_type(text: str) -> str:
    """The one spelling of the type that ``text`` names; raises ValueError saying what is wrong."""
    parser = _Parser(text)
    found = parser.type_(0)
    if parser.at < len(parser.tokens):
        raise ValueError(f"'{parser.tokens[parser.at]}' does not belong behind the type {found}")
    return found


def is_nested(canonical: str) -> bool:
    """Whether a canonical type is a list, struct or map."""
    return canonical.endswith("[]") or canonical.startswith(("STRUCT(", "MAP("))


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        self.at = 0
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                raise ValueError(f"'{text[position:].strip()[:20]}' is not part of a type")
            self.tokens.append(match[match.lastgroup or 0])
            position = match.end()

    def type_(self, depth: int) -> str:
        if depth > _MAX_DEPTH:
            raise ValueError(f"nested deeper than {_MAX_DEPTH}")
        name = self._name()
        if name == "DECIMAL":
            found = self._decimal()
        elif name == "STRUCT":
            found = f"STRUCT({', '.join(self._listed(lambda: f'{self._field()} {self.type_(depth + 1)}'))})"
        elif name == "MAP":
            parts = self._listed(lambda: self.type_(depth + 1))
            if len(parts) != 2:
                raise ValueError("MAP takes two types: MAP(VARCHAR, INTEGER)")
            found = f"MAP({', '.join(parts)})"
        else:
            found = name
        while self._take("["):
            self._expect("]")
            found += "[]"
        return found

    def _name(self) -> str:
        words: list[str] = []
        while self.at < len(self.tokens) and re.match(r"[A-Za-z_]", self.tokens[self.at]):
            words.append(self.tokens[self.at].upper())
            self.at += 1
            if " ".join(words) in _ALIASES or len(words) == 4:
                break
            if len(words) == 1 and (self.at >= len(self.tokens) or self.tokens[self.at].upper() != "WITH"):
                break
        name = " ".join(words)
        name = _ALIASES.get(name, name)
        if name not in (*SCALARS, "DECIMAL", "STRUCT", "MAP"):
            shown = name or (self.tokens[self.at] if self.at < len(self.tokens) else "nothing")
            raise ValueError(
                f"'{shown}' is no type; known are {', '.join(SCALARS)}, DECIMAL(p, s), STRUCT, MAP and lists"
            )
        return name

    def _decimal(self) -> str:
        numbers = self._listed(self._number)
        if len(numbers) != 2:
            raise ValueError("DECIMAL takes precision and scale: DECIMAL(18, 2)")
        precision, scale = numbers
        if not (1 <= precision <= _MAX_DIGITS and 0 <= scale <= precision):
            raise ValueError(
                f"DECIMAL({precision}, {scale}): 1 to {_MAX_DIGITS} digits, of which 0 to all are decimals"
            )
        return f"DECIMAL({precision},{scale})"

    def _listed(self, part: object) -> list:  # type: ignore[type-arg]
        assert callable(part)
        self._expect("(")
        found = [part()]
        while self._take(","):
            found.append(part())
        self._expect(")")
        return found

    def _number(self) -> int:
        token = self._next()
        if not token.isdigit():
            raise ValueError(f"'{token}' where a number was expected")
        return int(token)

    def _field(self) -> str:
        found = self._next()
        if found in "(),[]" or found.isdigit():
            raise ValueError(f"'{found}' where a field's name was expected")
        return found if found.startswith('"') else f'"{found}"'

    def _next(self) -> str:
        if self.at >= len(self.tokens):
            raise ValueError("the type ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def _take(self, sign: str) -> bool:
        if self.tokens[self.at : self.at + 1] == [sign]:
            self.at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        found = self._next()
        if found != sign:
            raise ValueError(f"'{found}' where '{sign}' was expected")
