"""PostgreSQL: sessions, types, COPY in both directions, loads; a later ``osiris-postgres`` can stand on it."""
