"""What a PostgREST knows of the database: how it was when it was last told to look. For tests only."""

from __future__ import annotations

import threading

import psycopg

_RELOADS = ("", "reload schema")


class SchemaCache:
    """The columns of each schema, read anew ``lag`` requests after a notice on the channel ``pgrst``; never when deaf."""

    def __init__(self, dsn, read, *, lag, deaf):
        self._read, self._lag, self._deaf = read, lag, deaf
        self._lock = threading.Lock()
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._connection.execute("LISTEN pgrst")
        self._columns = read(self._connection)
        self._left = None

    def columns(self, schema):
        """As a request finds them; each is asked once by each request."""
        with self._lock:
            told = [notice.payload for notice in self._connection.notifies(timeout=0.01)]
            if not self._deaf and any(payload in _RELOADS for payload in told):
                self._left = self._lag
            if self._left == 0:
                self._columns = self._read(self._connection)
            if self._left is not None:
                self._left = self._left - 1 if self._left else None
            return self._columns[schema]

    def close(self):
        self._connection.close()
