"""The error codes of the PostgreSQL side of the Supabase components."""

from __future__ import annotations

from typing import Final

from osiris_core.api import ErrorEntry

SERVER: Final = (
    ErrorEntry("OSR-PG-001", "the database server cannot be reached", "check host, port and network of the dsn"),
    ErrorEntry("OSR-PG-002", "the server refuses user or password", "check the dsn's user and password"),
    ErrorEntry("OSR-PG-003", "the connection to the server was lost", "run again; what was loaded is not loaded twice"),
    ErrorEntry("OSR-PG-004", "no encrypted connection as asked for", "check 'tls' and 'ca_file' of the connection"),
    ErrorEntry(
        "OSR-PG-005",
        "the dsn is unusable",
        "dsn: a URL that begins with postgresql:// and names user, password, host and database",
    ),
    ErrorEntry("OSR-PG-006", "the server does not let this session in", "check the dsn's database and user"),
    ErrorEntry("OSR-PG-007", "the server is not one that can be used", "use PostgreSQL 14 or newer, encoded in UTF8"),
    ErrorEntry("OSR-PG-008", "the role is not allowed to do this", "GRANT it what the message names"),
    ErrorEntry(
        "OSR-PG-009", "the server ended the statement", "raise statement_timeout on the connection, or read less"
    ),
    ErrorEntry("OSR-PG-010", "another session is in the way", "let it end, then run again"),
    ErrorEntry("OSR-PG-011", "the server is short of something", "free what the message names, then run again"),
    ErrorEntry("OSR-PG-012", "the server refused a statement", "see the server's own words in the message"),
    ErrorEntry("OSR-PG-013", "the database is read-only", "connect to the primary server, with a role that may write"),
)

READING: Final = (
    ErrorEntry("OSR-PG-020", "the query is not one that only reads", "write one SELECT; do the rest in other steps"),
    ErrorEntry("OSR-PG-021", "the server cannot run the query", "mend the query"),
    ErrorEntry(
        "OSR-PG-022", "a value does not fit its column's type here", "set special_values, or cast it in the query"
    ),
    ErrorEntry("OSR-PG-023", "the result's columns are unusable", "give each column a name of its own with AS"),
    ErrorEntry("OSR-PG-024", "no such table", "check 'table' and 'schema'"),
    ErrorEntry("OSR-PG-025", "no such column", "correct 'columns' or 'incremental'"),
    ErrorEntry("OSR-PG-026", "the query calls a function that may change something", "leave the function out"),
    ErrorEntry("OSR-PG-027", "the query's parameters do not fit", "give each placeholder one value of its type"),
    ErrorEntry("OSR-PG-028", "the server sent rows that make no sense", "report this as a defect"),
    ErrorEntry(
        "OSR-PG-029", "the cursor has no order to read by", "choose another, or cast it in a query: v::numeric(38,6)"
    ),
)

WRITING: Final = (
    ErrorEntry("OSR-PG-030", "there is no such table", "create it, or leave create_if_missing at true"),
    ErrorEntry("OSR-PG-031", "the columns do not fit the table", "mend the step before, or set on_schema_change"),
    ErrorEntry("OSR-PG-032", "the table cannot hold every value", "cast in a step before, or widen the column"),
    ErrorEntry("OSR-PG-033", "a key column is missing", "let the steps before produce it"),
    ErrorEntry("OSR-PG-034", "a key holds NULL", "fill or drop such rows in a step before"),
    ErrorEntry("OSR-PG-035", "a key occurs twice", "drop duplicates in a step before, or set on_duplicate: last"),
    ErrorEntry("OSR-PG-036", "a column has a type that PostgreSQL cannot hold", "cast it in a step before"),
    ErrorEntry("OSR-PG-037", "the table has several rows for one key", "remove them, or add a unique index"),
    ErrorEntry("OSR-PG-038", "the target is no table to write to", "name a table"),
    ErrorEntry("OSR-PG-039", "the counts of a load do not agree", "nothing was changed; report this as a defect"),
    ErrorEntry("OSR-PG-040", "a row breaks a rule of the table", "mend the rows in a step before"),
    ErrorEntry("OSR-PG-041", "the server refuses a value", "mend or cast the value in a step before"),
    ErrorEntry("OSR-PG-042", "no such role or type", "create it, or correct 'grants'"),
    ErrorEntry(
        "OSR-PG-043",
        "the table keeps rows that a load deletes",
        "write as a role that no policy of row level security binds; look for triggers and rules ON DELETE",
    ),
    ErrorEntry("OSR-PG-044", "deleting rows would change another table", "use mode upsert, or change the foreign key"),
)

ENTRIES: Final = (*SERVER, *READING, *WRITING)
