"""Questions to PostgreSQL's own catalog, with pg_catalog as the search path. Values come as text, lists as JSON."""

from __future__ import annotations

from typing import Final

_VISIBLE: Final = """
    c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
    AND has_schema_privilege(n.oid, 'USAGE')
    AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))
"""
_SEEN: Final = f"WITH seen AS (SELECT c.* , n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_VISIBLE})"  # noqa: E501
_READABLE: Final = """
    a.attnum > 0 AND NOT a.attisdropped
    AND (has_table_privilege(a.attrelid, 'SELECT') OR has_column_privilege(a.attrelid, a.attnum, 'SELECT'))
"""

TABLES: Final = f"""
{_SEEN}
SELECT s.oid, s.nspname, s.relname, s.relkind,
       CASE WHEN s.relkind IN ('r', 'm', 'p') AND s.reltuples >= 0 THEN s.reltuples::bigint END,
       CASE WHEN s.relpages > 0 THEN s.relpages * current_setting('block_size')::bigint END,
       obj_description(s.oid, 'pg_class')
FROM seen s ORDER BY s.nspname, s.relname
"""
"""oid, schema, name, relkind, estimated rows, bytes, comment"""

COLUMNS: Final = f"""
{_SEEN}
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
       a.attidentity <> '' OR a.attgenerated <> '', col_description(a.attrelid, a.attnum)
FROM seen s JOIN pg_attribute a ON a.attrelid = s.oid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE {_READABLE} ORDER BY a.attrelid, a.attnum
"""
"""oid of the table, name, type, not null, default, generated, comment"""

CONSTRAINTS: Final = f"""
{_SEEN}
SELECT k.conrelid, k.contype, k.conname,
       (SELECT json_agg(a.attname ORDER BY u.at) FROM unnest(k.conkey) WITH ORDINALITY u(num, at)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num),
       rn.nspname, r.relname,
       (SELECT json_agg(a.attname ORDER BY u.at) FROM unnest(k.confkey) WITH ORDINALITY u(num, at)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num)
FROM seen s JOIN pg_constraint k ON k.conrelid = s.oid
LEFT JOIN pg_class r ON r.oid = k.confrelid LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE k.contype IN ('p', 'u', 'f') ORDER BY k.conrelid, k.conname
"""
"""oid of the table, p/u/f, name, columns, and of a foreign key: schema, table and columns referred to"""

INDEXES: Final = f"""
{_SEEN}
SELECT i.indrelid, c.relname, i.indisunique AND i.indpred IS NULL,
       (SELECT json_agg(pg_get_indexdef(i.indexrelid, at, true) ORDER BY at) FROM generate_series(1, i.indnkeyatts) at)
FROM seen s JOIN pg_index i ON i.indrelid = s.oid JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indisvalid AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN
      ('p', 'u'))
ORDER BY i.indrelid, c.relname
"""
"""oid of the table, name, unique for all rows, columns or expressions; those of constraints are left out"""

FINGERPRINT: Final = f"""
{_SEEN}, facts(line) AS (
    SELECT concat_ws(' ', 't', s.oid, s.nspname, s.relname, s.relkind) FROM seen s
    UNION ALL
    SELECT concat_ws(' ', 'a', a.attrelid, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                     a.attidentity, a.attgenerated, md5(pg_get_expr(d.adbin, d.adrelid)))
    FROM seen s JOIN pg_attribute a ON a.attrelid = s.oid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE {_READABLE}
    UNION ALL
    SELECT concat_ws(' ', 'k', k.conrelid, k.contype, k.conname, k.conkey::text, k.confrelid, k.confkey::text)
    FROM seen s JOIN pg_constraint k ON k.conrelid = s.oid
    UNION ALL
    SELECT concat_ws(' ', 'i', i.indexrelid, i.indkey::text, i.indisunique) FROM seen s
    JOIN pg_index i ON i.indrelid = s.oid
    UNION ALL
    SELECT concat_ws(' ', 'd', d.objoid, d.objsubid, md5(d.description)) FROM seen s
    JOIN pg_description d ON d.objoid = s.oid AND d.classoid = 'pg_class'::regclass
)
SELECT concat_ws(' ', current_database(), count(*), md5(string_agg(line, E'\\n' ORDER BY line))) FROM facts
"""
"""one digest of all names, types, keys, indexes and comments that can be seen"""

TYPES: Final = """
SELECT a.attname, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL), coalesce(b.typtype, t.typtype)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = nullif(t.typbasetype, 0)
WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped
"""
"""column, the type it rests on, and the kind of that type ('e' for an enumeration)"""

STATISTICS: Final = """
SELECT DISTINCT ON (attname) attname, null_frac, n_distinct, to_json(most_common_vals::text::text[]),
       to_json(most_common_freqs)
FROM pg_stats WHERE schemaname = $1 AND tablename = $2 ORDER BY attname, inherited DESC
"""
"""column, share of NULLs, number (or negative share) of distinct values, most common values, their shares"""
