"""The type table of ``mysql.writer``, as data and rules.

What a column of a new table becomes (``created``):

    BOOLEAN                      TINYINT(1)
    whole numbers                TINYINT to BIGINT, UNSIGNED where the type is
    FLOAT, DOUBLE                the same; NaN and infinity are refused by value
    DECIMAL(p,s)                 DECIMAL(p,s)
    VARCHAR                      LONGTEXT; VARCHAR(255) in a primary key, less when several share its 3072 bytes
    BLOB                         LONGBLOB; VARBINARY likewise
    UUID                         CHAR(36)
    DATE, TIME                   DATE, TIME(6); dates outside the years 1 to 9999 are refused by value
    TIMESTAMP, _MS, _S           DATETIME(6), DATETIME(3), DATETIME
    TIMESTAMP WITH TIME ZONE     DATETIME(6), the moment in UTC: a TIMESTAMP column ends in 2038. Reading it back gives
                                 a timestamp without a zone; a TIMESTAMP(6) column made beforehand keeps it one

Nanoseconds, intervals, nested types, bits, columns of nothing but NULL: refused by name, as MySQL has no such type.

What goes into a column that is there (``holds``): its type must hold every value of the rows' type, or the values must
be such that the server (strict) or a guard refuses by name the one that does not fit: a text too long, a character that
the column's character set lacks, digits of a second that a DATETIME(0) would drop, a space at the end of a CHAR, a UUID
that is not written as the server writes it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from osiris_core.api import Column, DriverError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_KEY_BYTES: Final = 3072
_KEY_CHARACTERS: Final = 255


@attrs.frozen(kw_only=True)
class MyType:
    """A column's type on the server: ``name`` is the bare type, ``written`` the whole as the server writes it."""

    name: str
    written: str
    charset: str | None = None
    collation: str | None = None
    length: int | None = None
    precision: int = 0
    scale: int = 0
    fraction: int = 0
    nullable: bool = True

    @property
    def unsigned(self) -> bool:
        """Whether negative numbers are out."""
        return "unsigned" in self.written

    @property
    def values(self) -> tuple[str, ...]:
        """The values of an ENUM."""
        return tuple(one.replace("''", "'") for one in re.findall(r"'((?:[^']|'')*)'", self.written))

    def definition(self) -> str:
        """The type in a column definition, with what makes texts compare as they do."""
        if self.charset is None or self.name == "json":
            return self.written
        return f"{self.written} CHARACTER SET {self.charset} COLLATE {self.collation}"

    def __str__(self) -> str:
        return self.written


_INTEGERS: Final[Mapping[str, tuple[int, int, str]]] = {
    name: (0, 2**bits - 1, f"{there} unsigned")
    if name.startswith("u")
    else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, there)
    for name, bits, there in (
        ("tinyint", 8, "tinyint"),
        ("smallint", 16, "smallint"),
        ("integer", 32, "int"),
        ("bigint", 64, "bigint"),
        ("utinyint", 8, "tinyint"),
        ("usmallint", 16, "smallint"),
        ("uinteger", 32, "int"),
        ("ubigint", 64, "bigint"),
    )
}
"""The rows' whole numbers: least, most, and the type made for them."""

_THEIR_BITS: Final = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_FLOATS: Final = {"float": 24, "double": 53}
_MADE: Final = {
    "boolean": "tinyint(1)",
    **{name: made for name, (_, _, made) in _INTEGERS.items()},
    "float": "float",
    "double": "double",
    "varchar": "longtext",
    "enum": "longtext",
    "blob": "longblob",
    "uuid": "char(36)",
    "date": "date",
    "time": "time(6)",
    "timestamp": "datetime(6)",
    "timestamp_s": "datetime",
    "timestamp_ms": "datetime(3)",
    "timestamp with time zone": "datetime(6)",
}
TEXTS: Final = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json", "enum")
BINARIES: Final = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
MOMENTS: Final = ("timestamp", "timestamp_s", "timestamp_ms")
ZONED: Final = "timestamp with time zone"


def created(column: Column, *, collation: str, keys: int, most_scale: int) -> MyType:
    """The type of a new column for ``column`` of the rows; ``keys``: how many columns share its key, 0 outside one.

    DriverError OSR-MYSQL-060 names what the server has no type for.
    """
    kind = column.type.id
    made = _MADE.get(kind)
    if kind == "decimal":
        precision, scale = decimal(column.type)
        if scale <= most_scale:
            made = f"decimal({precision},{scale})"
    if made is None:
        raise refused(column)
    if keys and made in ("longtext", "longblob"):
        bytes_ = 4 if made == "longtext" else 1
        length = min(_KEY_CHARACTERS, _KEY_BYTES // bytes_ // keys)
        made = f"varchar({length})" if made == "longtext" else f"varbinary({length})"
    texts = made.startswith(("longtext", "varchar", "char"))
    return MyType(
        name=re.split(r"[ (]", made)[0],
        written=made,
        charset="utf8mb4" if texts else None,
        collation=collation if texts else None,
        fraction=_fraction(made),
        nullable=not keys,
    )


def refused(column: Column) -> DriverError:
    """The error for a column that no type is made for."""
    if column.type.id == "null":
        return DriverError(
            "OSR-MYSQL-060",
            f"column '{column.name}' would have no type, since it holds nothing but NULL",
            hint=f"give it a type in a step before: CAST({column.name} AS VARCHAR)",
        )
    return DriverError("OSR-MYSQL-060", f"column '{column.name}': MySQL has no type that holds {column.type}")


def holds(source: Any, target: MyType) -> bool:
    """Whether ``target`` takes values of the DuckDB type ``source`` as they are, or refuses them by name."""
    if source.id == "null":
        return True
    rule = _RULES.get(source.id)
    return rule is not None and rule(source, target)


def decimal(kind: Any) -> tuple[int, int]:
    """Precision and scale of a DuckDB DECIMAL."""
    (_, precision), (_, scale) = kind.children
    return precision, scale


def _holds_integer(source: Any, target: MyType) -> bool:
    low, high, _ = _INTEGERS[source.id]
    if target.name in _THEIR_BITS:
        least, most = _their_range(target)
        return least <= low and high <= most
    if target.name == "decimal":
        return target.precision - target.scale >= len(str(max(high, -low))) and (low >= 0 or not target.unsigned)
    if target.name in _FLOATS:
        return max(high, -low - 1).bit_length() <= _FLOATS[target.name] and not target.unsigned and not _cuts(target)
    return target.name == "year"


def _holds_boolean(_: Any, target: MyType) -> bool:
    return target.name in _THEIR_BITS or target.written == "bit(1)"


def _holds_decimal(source: Any, target: MyType) -> bool:
    precision, scale = decimal(source)
    if target.unsigned:
        return False
    if target.name == "decimal":
        return target.scale >= scale and target.precision - target.scale >= precision - scale
    if target.name in _THEIR_BITS and scale == 0:
        return bool(10**precision - 1 <= _their_range(target)[1])
    return False


def _holds_float(source: Any, target: MyType) -> bool:
    wide = target.name in _FLOATS and _FLOATS[target.name] >= _FLOATS[source.id]
    return wide and not target.unsigned and not _cuts(target)


def _cuts(target: MyType) -> bool:
    """Whether the column rounds to so many digits, as FLOAT(7,2) does."""
    return "(" in target.written


def _their_range(target: MyType) -> tuple[int, int]:
    bits = _THEIR_BITS[target.name]
    return (0, 2**bits - 1) if target.unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _fraction(written: str) -> int:
    match = re.match(r"(?:time|datetime|timestamp)\((\d)\)", written)
    return int(match[1]) if match else 0


_RULES: Final[Mapping[str, Callable[[Any, MyType], bool]]] = {
    "boolean": _holds_boolean,
    **dict.fromkeys(_INTEGERS, _holds_integer),
    "decimal": _holds_decimal,
    **dict.fromkeys(_FLOATS, _holds_float),
    **dict.fromkeys(("varchar", "enum", "uuid"), lambda _, target: target.name in (*TEXTS, "uuid")),
    "blob": lambda _, target: target.name in BINARIES,
    "date": lambda _, target: target.name in ("date", "datetime"),
    "time": lambda _, target: target.name == "time",
    **dict.fromkeys(MOMENTS, lambda _, target: target.name == "datetime"),
    ZONED: lambda _, target: target.name in ("datetime", "timestamp"),
}


def their_type(row: Mapping[str, Any]) -> MyType:
    """The type of a column as ``information_schema.COLUMNS`` describes it."""
    written = str(row["COLUMN_TYPE"])
    return MyType(
        name=str(row["DATA_TYPE"]).casefold(),
        written=written,
        charset=row["CHARACTER_SET_NAME"],
        collation=row["COLLATION_NAME"],
        length=row["CHARACTER_MAXIMUM_LENGTH"],
        precision=row["NUMERIC_PRECISION"] or 0,
        scale=row["NUMERIC_SCALE"] or 0,
        fraction=row["DATETIME_PRECISION"] or 0,
        nullable=row["IS_NULLABLE"] == "YES",
    )
