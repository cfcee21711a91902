"""The error codes of the Data API."""

from __future__ import annotations

from typing import Final

from osiris_core.api import ErrorEntry

REST: Final = (
    ErrorEntry("OSR-SUPA-101", "the Data API cannot be reached", "check 'url' of the connection and the network"),
    ErrorEntry("OSR-SUPA-102", "the Data API does not take the key", "check 'key' of the connection"),
    ErrorEntry(
        "OSR-SUPA-103",
        "the key's role may not do this",
        "GRANT what is missing to the role, or use the project's secret key",
    ),
    ErrorEntry("OSR-SUPA-104", "the Data API redirects to another address", "let 'url' name the project itself"),
    ErrorEntry("OSR-SUPA-105", "the answer is not one of the Data API", "check 'url', and the project's state"),
    ErrorEntry("OSR-SUPA-106", "the Data API is overloaded or down", "run again later; lower the load on the project"),
    ErrorEntry("OSR-SUPA-107", "the Data API went silent", "run again; raise 'stall_timeout' if it needs longer"),
    ErrorEntry("OSR-SUPA-108", "the server's time limit for a statement was reached", "add 'dsn' to the connection"),
    ErrorEntry(
        "OSR-SUPA-109",
        "the Data API does not expose the schema",
        "expose it in the project's API settings, or add 'dsn' to the connection",
    ),
    ErrorEntry("OSR-SUPA-110", "no such table", "check 'table' and 'schema'; see osiris discover"),
    ErrorEntry("OSR-SUPA-111", "no such column", "check the columns named in the step"),
    ErrorEntry("OSR-SUPA-112", "the Data API cannot take this name", "rename it, or add 'dsn' to the connection"),
    ErrorEntry(
        "OSR-SUPA-113",
        "the table cannot be paged, as it has no usable primary key",
        "add 'dsn' to the connection, or a primary key to the table",
    ),
    ErrorEntry("OSR-SUPA-114", "the Data API does not say what its tables look like", "add 'dsn' to the connection"),
    ErrorEntry("OSR-SUPA-115", "the Data API cannot do this", "add 'dsn' to the connection"),
    ErrorEntry(
        "OSR-SUPA-116",
        "the rows read are not as many as the table has",
        "run again when nobody writes the table, or add 'dsn' to the connection",
    ),
    ErrorEntry(
        "OSR-SUPA-117", "a value does not fit its column's type", "mend the value, or read the column by a view as text"
    ),
    ErrorEntry("OSR-SUPA-118", "the Data API refused the request", "see the message of the server"),
    ErrorEntry("OSR-SUPA-119", "a row is too large", "add 'dsn' to the connection"),
    ErrorEntry("OSR-SUPA-120", "the table has to be made first", "run the statement shown in the SQL editor"),
    ErrorEntry(
        "OSR-SUPA-121", "the columns have changed", "change the table, set 'on_schema_change', or correct the step"
    ),
    ErrorEntry("OSR-SUPA-122", "the table cannot hold every value", "cast the column in a step before"),
    ErrorEntry("OSR-SUPA-123", "a key column is missing", "correct 'primary_key'"),
    ErrorEntry("OSR-SUPA-124", "a key is NULL", "fill or filter the rows in a step before"),
    ErrorEntry("OSR-SUPA-125", "two rows have the same key", "remove duplicates, or set on_duplicate: last"),
    ErrorEntry(
        "OSR-SUPA-126",
        "no unique constraint matches 'primary_key'",
        "add the constraint to the table, or name the columns of one",
    ),
    ErrorEntry("OSR-SUPA-127", "a row breaks a rule of the table", "mend the rows in a step before"),
    ErrorEntry(
        "OSR-SUPA-128",
        "the table holds other values than were sent",
        "round in a step before to what the column holds, and look for triggers that change rows",
    ),
    ErrorEntry("OSR-SUPA-129", "the counts of a load do not agree", "report this as a defect, with the run's record"),
    ErrorEntry("OSR-SUPA-130", "the rows cannot be staged", "free space on the scratch disk, and run again"),
)
