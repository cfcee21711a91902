"""Which functions, operators, casts and domains of a query may do more than compute, by the server's own catalogue.

A function may when the server calls it volatile, or when it was made after the server in a language other than SQL:
what such a function says of itself is its author's claim. The C functions of extensions that are known to compute, and
those that a person allowed on the connection, are let through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from osiris_supabase.postgres.session import Session

_HARMLESS: Final = frozenset(
    {"random", "random_normal", "clock_timestamp", "timeofday", "gen_random_uuid", "setseed"}
    | {"uuidv4", "uuidv7", "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4"}
    | {"statement_timestamp", "pg_backend_pid", "pg_column_size", "pg_column_compression"}
    | {"pg_table_size", "pg_relation_size", "pg_total_relation_size", "pg_indexes_size", "pg_database_size"}
    | {"pg_tablespace_size", "pg_relation_filenode", "pg_size_pretty", "obj_description", "col_description"}
    | {"gen_random_bytes", "gen_salt", "bernoulli", "system", "system_rows", "system_time"}
)
"""Functions that the server calls volatile and that change nothing; only the server's own, and those of extensions."""

_KNOWN: Final = frozenset(
    {"bloom", "btree_gin", "btree_gist", "citext", "cube", "dict_int", "dict_xsyn", "earthdistance", "fuzzystrmatch"}
    | {"hstore", "intarray", "isn", "ltree", "pg_jsonschema", "pg_hashids", "pg_trgm", "pgcrypto", "postgis"}
    | {"postgis_raster", "postgis_sfcgal", "rum", "seg", "tsm_system_rows", "tsm_system_time", "unaccent", "uuid-ossp"}
    | {"vector"}
)
"""Extensions whose C functions run no SQL that a query gives them as text."""

_FIRST_MADE: Final = 16384
"""The lowest oid of what was made after the server (``FirstNormalObjectId``)."""

_LONGEST_NAME: Final = 63
"""Bytes of a name (``NAMEDATALEN - 1``)."""

# What acts is looked for in all that a name can stand for: "seeds" are types whose check or cast runs it, "holding"
# also what is made of them: domains, arrays, ranges, and rows, those of tables too.
_ACTING: Final = f"""
WITH RECURSIVE extended AS (
  SELECT d.objid, e.extname FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
  WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.refclassid = 'pg_catalog.pg_extension'::regclass
    AND d.deptype = 'e'
), acting AS (
  SELECT p.oid, p.proname::text AS name, p.provolatile = 'v' OR x.extname IS NULL AS alone,
    p.pronargs - p.pronargdefaults <= 1 OR p.provariadic <> 0 AS unary, p.proargtypes[0] AS first,
    p.oid >= {_FIRST_MADE} AS made
  FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace LEFT JOIN extended AS x ON x.objid = p.oid
  WHERE p.prokind IN ('f', 'w')
    AND (p.provolatile = 'v' OR (p.oid >= {_FIRST_MADE} AND l.lanname <> 'sql'
      AND NOT (l.lanname = 'c' AND coalesce(x.extname = ANY ($4::text[]), false))))
    AND NOT (p.proname = ANY ($5::text[]) AND (p.oid < {_FIRST_MADE} OR x.extname IS NOT NULL))
    AND NOT (p.oid >= {_FIRST_MADE}
      AND (lower(p.proname) = ANY ($6::text[]) OR lower(n.nspname || '.' || p.proname) = ANY ($6::text[])))
), seeds AS (
  SELECT c.contypid AS oid, a.name, a.made FROM pg_catalog.pg_constraint AS c
  CROSS JOIN LATERAL regexp_matches(c.conbin::text, ':(?:op)?funcid (\\d+)', 'g') AS m(found)
  JOIN acting AS a ON a.oid = m.found[1]::oid WHERE c.contypid >= {_FIRST_MADE} AND a.alone
  UNION
  SELECT c.casttarget, a.name, a.made FROM pg_catalog.pg_cast AS c JOIN acting AS a ON a.oid = c.castfunc
  WHERE c.oid >= {_FIRST_MADE} AND c.casttarget >= {_FIRST_MADE} AND a.alone
), holding AS (
  SELECT s.oid, s.oid AS seed FROM seeds AS s
  UNION
  SELECT t.oid, h.seed FROM holding AS h JOIN pg_catalog.pg_type AS t
  ON (t.typcategory = 'A' AND t.typelem = h.oid) OR (t.typtype = 'd' AND t.typbasetype = h.oid)
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_range AS r
      WHERE t.oid IN (r.rngtypid, r.rngmultitypid) AND r.rngsubtype = h.oid)
    OR EXISTS (SELECT 1 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
      WHERE c.oid = t.typrelid AND a.atttypid = h.oid)
)
SELECT 'calls ' || a.name || '()', a.made FROM acting AS a
WHERE a.name = ANY ($1::text[]) OR lower(a.name) = ANY ($1::text[])
UNION
SELECT 'calls ' || a.name || '()', a.made FROM acting AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.first
WHERE a.unary AND t.typtype IN ('c', 'p', 'd') AND (a.name = ANY ($2::text[]) OR lower(a.name) = ANY ($2::text[]))
UNION
SELECT 'calls ' || p.proname || '(), which runs ' || a.name || '()', a.made
FROM pg_catalog.pg_aggregate AS g JOIN pg_catalog.pg_proc AS p ON p.oid = g.aggfnoid
JOIN acting AS a ON a.oid IN (g.aggtransfn, g.aggfinalfn, g.aggcombinefn, g.aggserialfn, g.aggdeserialfn,
  g.aggmtransfn, g.aggminvtransfn, g.aggmfinalfn)
WHERE p.oid >= {_FIRST_MADE} AND (p.proname::text = ANY ($1::text[]) OR lower(p.proname) = ANY ($1::text[]))
UNION
SELECT 'has the operator ' || o.oprname || ', which runs ' || a.name || '()', a.made
FROM pg_catalog.pg_operator AS o JOIN acting AS a ON a.oid = o.oprcode
WHERE o.oid >= {_FIRST_MADE} AND a.alone AND strpos($3, o.oprname) > 0
UNION
SELECT 'may cast to ' || t.typname || ', which runs ' || a.name || '()', a.made
FROM pg_catalog.pg_cast AS c JOIN acting AS a ON a.oid = c.castfunc JOIN pg_catalog.pg_type AS t ON t.oid = c.casttarget
WHERE c.oid >= {_FIRST_MADE} AND a.alone
  AND (c.castcontext = 'i' OR (t.oid < {_FIRST_MADE} AND lower($3) ~ '::|cast'))
UNION
SELECT 'names the ' || CASE t.typtype WHEN 'd' THEN 'domain ' ELSE 'type ' END || t.typname
  || ', which runs ' || s.name || '()', s.made
FROM seeds AS s JOIN holding AS h ON h.seed = s.oid JOIN pg_catalog.pg_type AS t ON t.oid = h.oid
LEFT JOIN pg_catalog.pg_class AS r ON r.oid = t.typrelid AND r.relkind <> 'c'
WHERE t.typname = ANY (CASE WHEN r.oid IS NULL THEN $7::text[] ELSE $8::text[] END)
ORDER BY 1
"""


@attrs.frozen(kw_only=True)
class Acting:
    """Something of a query that may do more than compute: what the query does, and whether a person may allow it."""

    does: str
    allowable: bool


@attrs.frozen(kw_only=True)
class Names:
    """The names of a query, as the server may read them: the words before its parentheses (``called``), those that a
    function of one row can have, which is called like a column of it (``columns``), all that it ``mentions``, and those
    of them that stand where a type can (``types``).
    """

    called: Iterable[str]
    columns: Iterable[str]
    mentions: Iterable[str]
    types: Iterable[str]


def acting(session: Session, sql: str, names: Names, *, allowed: Collection[str]) -> tuple[Acting, ...]:
    """What of ``sql`` may do more than compute. ``allowed`` are functions, as ``name`` or ``schema.name``."""
    lists = (
        _array(map(_clipped, names.called)),
        _array(map(_clipped, names.columns)),
        sql,
        _array(_KNOWN),
        _array(_HARMLESS),
        _array(map(str.lower, allowed)),
        _array(map(_clipped, names.mentions)),
        _array(map(_clipped, names.types)),
    )
    return tuple(Acting(does=str(does), allowable=made == "t") for does, made in session.rows(_ACTING, *lists))


def _clipped(name: str) -> str:
    """A name as the server takes it, which is silent about bytes beyond the 63rd."""
    return name.encode()[:_LONGEST_NAME].decode(errors="ignore")


def _array(names: Iterable[str]) -> str:
    return "{" + ",".join('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in sorted(names)) + "}"
