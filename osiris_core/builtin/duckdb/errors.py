"""The error codes of the DuckDB components."""

from __future__ import annotations

from osiris_core.api import ErrorEntry

SQL = (
    ErrorEntry("OSR-DUCKDB-001", "the query does not parse", "mend the SQL at the marked place"),
    ErrorEntry("OSR-DUCKDB-002", "the query is not one SELECT", "write exactly one SELECT statement"),
    ErrorEntry(
        "OSR-DUCKDB-003",
        "the query reads something that is not an input",
        "read files and tables with an extractor step, and name that step in 'needs'",
    ),
    ErrorEntry("OSR-DUCKDB-004", "the query calls a function that is not allowed", "remove the call"),
    ErrorEntry(
        "OSR-DUCKDB-005",
        "placeholders and query_params do not agree",
        "give a value in query_params for every ':name' of the query, and no other",
    ),
    ErrorEntry(
        "OSR-DUCKDB-006",
        "the query does not fit its inputs",
        "check names and types; `osiris explain` shows the columns of every step",
    ),
    ErrorEntry("OSR-DUCKDB-007", "two columns of one name", "give each column a name of its own with AS"),
    ErrorEntry("OSR-DUCKDB-008", "a type that cannot be passed on", "cast the column to another type in the query"),
    ErrorEntry("OSR-DUCKDB-009", "an input was read twice", "report this as a defect, with the query"),
    ErrorEntry("OSR-DUCKDB-010", "the query failed on its data", "mend the data, or use try_cast in the query"),
    ErrorEntry(
        "OSR-DUCKDB-011",
        "the query ran out of memory",
        "raise run.memory_limit, or reduce what the query must hold at once",
    ),
    ErrorEntry(
        "OSR-DUCKDB-012", "no room to spill", "free space on the scratch disk, or point run.temp_directory elsewhere"
    ),
    ErrorEntry(
        "OSR-DUCKDB-013",
        "a query whose result varies",
        "bind the moment or the seed as a parameter (':today'), if a repeated run must give the same rows",
    ),
)

FILES = (
    ErrorEntry("OSR-DUCKDB-020", "the database file does not exist", "check the connection's path"),
    ErrorEntry("OSR-DUCKDB-021", "not a DuckDB database", "check the connection's path and the file's version"),
    ErrorEntry(
        "OSR-DUCKDB-022",
        "the database file is in use",
        "end the program that holds it, or raise the connection's lock_timeout",
    ),
    ErrorEntry("OSR-DUCKDB-023", "the path is not that of a file", "give the path of a database file"),
    ErrorEntry("OSR-DUCKDB-024", "the database file cannot be opened", "check the permissions of file and folder"),
    ErrorEntry("OSR-DUCKDB-025", "the database file could not be written", "check that the disk has room"),
)

TABLES = (
    ErrorEntry("OSR-DUCKDB-030", "no such table", "check schema and table, or set create_if_missing: true"),
    ErrorEntry(
        "OSR-DUCKDB-031",
        "the rows and the table have different columns",
        "select the table's columns in a step before, or set on_schema_change",
    ),
    ErrorEntry(
        "OSR-DUCKDB-032", "the table's type would lose values", "cast the column in a step before, or alter the table"
    ),
    ErrorEntry("OSR-DUCKDB-033", "a key column is missing", "add it to the rows, or correct the key"),
    ErrorEntry("OSR-DUCKDB-034", "a key is NULL", "remove such rows in a step before"),
    ErrorEntry(
        "OSR-DUCKDB-035",
        "two rows of one load have the same key",
        "make the rows unique in a step before, or set on_duplicate: last",
    ),
    ErrorEntry("OSR-DUCKDB-036", "a constraint of the table is violated", "mend the rows in a step before"),
    ErrorEntry("OSR-DUCKDB-037", "the table has several rows for one key", "make the table's rows unique first"),
    ErrorEntry("OSR-DUCKDB-038", "not a table", "write to a table, not to a view"),
    ErrorEntry("OSR-DUCKDB-039", "the counts of a load do not agree", "nothing was changed; report this as a defect"),
)
