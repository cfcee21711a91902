"""A stand-in for Supabase's Data API: PostgREST's protocol over HTTP before a genuine PostgreSQL. For tests only.

It is our reading of PostgREST's documentation and of its answers, not PostgREST. Every request is one transaction in
the role of its key, a GET is read-only, the rows of an answer are cut at ``max_rows``. Faults are put in with
``fail()``; every request that came is in ``requests``.
"""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg
from psycopg import sql

from tests.servers.postgrest_cache import SchemaCache
from tests.servers.postgrest_sql import Refused, condition, name_list, order_list, select_list

_COLUMNS = """
SELECT c.relname, a.attname,
  CASE WHEN b.typnamespace = 'pg_catalog'::regnamespace THEN format_type(b.oid, NULL)
    ELSE format_type(a.atttypid, a.atttypmod) END,
  format_type(a.atttypid, a.atttypmod),
  a.attnotnull, pg_get_expr(d.adbin, d.adrelid) IS NOT NULL OR a.attidentity <> '' OR a.attgenerated <> '',
  coalesce((SELECT a.attnum = ANY(i.indkey) FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary), false),
  CASE WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN a.atttypmod - 4 END,
  col_description(c.oid, a.attnum), pg_get_expr(d.adbin, d.adrelid), obj_description(c.oid, 'pg_class'),
  (SELECT array[f.confrelid::regclass::text, r.attname] FROM pg_constraint f JOIN pg_attribute r
     ON r.attrelid = f.confrelid AND r.attnum = f.confkey[1]
   WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.conkey = array[a.attnum] LIMIT 1)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0
  AND NOT a.attisdropped AND (NOT %s OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE'))
ORDER BY c.relname, a.attnum
"""
_GRANTED = """
SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND has_any_column_privilege(oid, 'SELECT, INSERT, UPDATE')
"""
_JSON_TYPES = {
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
    "numeric": "number",
    "real": "number",
    "double precision": "number",
    "boolean": "boolean",
}


class Standin:
    """The server; ``keys`` maps an API key to the role it stands for."""

    def __init__(self, dsn, keys, *, schemas=("public",), max_rows=1000, openapi=True):
        self.dsn, self.keys, self.schemas, self.max_rows, self.openapi = dsn, keys, schemas, max_rows, openapi
        self.requests = []
        self.hidden = {}  # table -> how many requests do not know it yet (a schema cache that lags)
        self.cache = None  # without one, everything is known at once; see :meth:`remember`
        self.timezones = True  # older versions do not know the preference
        self.before = None  # called with the handler before each request: what others do meanwhile
        self._faults = []
        self._lock = threading.Lock()
        self._idle = queue.LifoQueue()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.standin = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fail(self, kind, *, times=1, method=None, skip=0, **how):
        """The next ``times`` requests of ``method`` after ``skip`` ones meet a fault: ``reset_before``,
        ``reset_after`` (the commit), ``status``, ``html``, ``truncated``, ``cut`` (an answer shorter than it says),
        ``hang`` (until the server closes), ``redirect``.
        """
        with self._lock:
            self._faults.append({"kind": kind, "times": times, "method": method, "skip": skip, **how})

    def clear(self):
        with self._lock:
            self._faults.clear()
            self.requests.clear()
            self.hidden.clear()
        self._forget()
        self.before = None
        self.max_rows, self.openapi, self.timezones = 1000, True, True

    def remember(self, *, lag=0, deaf=False):
        """Know the schema as PostgREST does: as it is now, until a notice says that it is another."""
        self._forget()
        self.cache = SchemaCache(self.dsn, self._everything, lag=lag, deaf=deaf)

    def _forget(self):
        if self.cache is not None:
            self.cache.close()
        self.cache = None

    def _everything(self, connection):
        return {schema: connection.execute(_COLUMNS, (schema, False)).fetchall() for schema in self.schemas}

    def columns(self, connection, schema, *, granted):
        """The columns of all tables of a schema, or of those that the role of the connection may use."""
        if self.cache is None:
            return connection.execute(_COLUMNS, (schema, granted)).fetchall()
        rows = self.cache.columns(schema)
        if not granted:
            return rows
        usable = {name for (name,) in connection.execute(_GRANTED, (schema,)).fetchall()}
        return [row for row in rows if row[0] in usable]

    def fault(self, method):
        with self._lock:
            for fault in self._faults:
                if fault["method"] in (None, method):
                    if fault["skip"]:
                        fault["skip"] -= 1
                        continue
                    fault["times"] -= 1
                    if not fault["times"]:
                        self._faults.remove(fault)
                    return fault
        return None

    def lend(self):
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return psycopg.connect(self.dsn, autocommit=True, prepare_threshold=None)

    def give_back(self, connection):
        if connection.closed:
            return
        self._idle.put(connection)

    def close(self):
        self._server.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._forget()
        while not self._idle.empty():
            self._idle.get_nowait().close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.stopping = threading.Event()
        self.open_sockets = set()

    def process_request(self, request, client_address):
        self.open_sockets.add(request)
        super().process_request(request, client_address)

    def server_close(self):
        for request in list(self.open_sockets):
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def shutdown_request(self, request):
        self.open_sockets.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """Clients that go away are what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        self._serve()

    do_HEAD = do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _serve(self):
        standin = self.server.standin
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        standin.requests.append((self.command, self.path, dict(self.headers.items()), body))
        if standin.before is not None:
            standin.before(self)
        fault = standin.fault(self.command) or {"kind": None}
        kind = fault["kind"]
        if kind == "reset_before":
            return self._reset()
        if kind == "hang":
            self.server.stopping.wait(30)
            return self._reset()
        if kind == "status":
            return self._send(fault["status"], fault.get("body", b"{}"), fault.get("headers"))
        if kind == "html":
            return self._send(200, b"<html>down for maintenance</html>", {"Content-Type": "text/html"})
        if kind == "redirect":
            return self._send(307, b"", {"Location": fault["to"] + self.path})
        try:
            status, answer, headers = _Request(standin, self, body).answer()
        except Refused as refused:
            status, answer, headers = refused.status, json.dumps(refused.body).encode(), {}
        if kind == "reset_after":
            return self._reset()
        if kind == "truncated":
            answer = answer[: len(answer) // 2]
        return self._send(status, answer, headers, cut=kind == "cut")

    def _send(self, status, body, headers=None, *, cut=False):
        headers = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self._reset()

    def _reset(self):
        """End the connection as a machine that goes away does."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class _Request:
    """One request as one transaction."""

    def __init__(self, standin, handler, body):
        self.standin, self.handler, self.body = standin, handler, body
        self.method = handler.command
        parts = urlsplit(handler.path)
        self.path = unquote(parts.path)
        self.params = parse_qsl(parts.query, keep_blank_values=True)
        self.query = dict(self.params)
        self.prefer = {
            key.strip(): value.strip()
            for item in ",".join(handler.headers.get_all("Prefer") or ()).split(",")
            for key, _, value in [item.partition("=")]
        }

    def answer(self):
        role = self._role()
        if not self.path.startswith("/rest/v1/"):
            raise Refused(404, "404", "no Route matched with those values")
        table = self.path.removeprefix("/rest/v1/")
        header = "Accept-Profile" if self.method in ("GET", "HEAD") else "Content-Profile"
        schema = self.handler.headers.get(header) or self.standin.schemas[0]
        if schema not in self.standin.schemas:
            shown = ", ".join(self.standin.schemas)
            raise Refused(
                406, "PGRST106", f"Invalid schema: {schema}", hint=f"Only the following schemas are exposed: {shown}"
            )
        connection = self.standin.lend()
        try:
            with connection.transaction():
                if self.method in ("GET", "HEAD"):
                    connection.execute("SET TRANSACTION READ ONLY")
                connection.execute(
                    "SELECT set_config('role', %s, true), set_config('search_path', %s, true)", (role, schema)
                )
                if "timezone" in self.prefer and self.standin.timezones:
                    connection.execute("SELECT set_config('timezone', %s, true)", (self.prefer["timezone"],))
                return self._dispatch(connection, schema, table)
        except psycopg.Error as error:
            raise _refusal(error, role) from None
        finally:
            self.standin.give_back(connection)

    def _role(self):
        key = self.handler.headers.get("apikey")
        if key is None:
            raise Refused(401, None, "No API key found in request")
        if key not in self.standin.keys:
            raise Refused(401, None, "Invalid API key")
        bearer = (self.handler.headers.get("Authorization") or f"Bearer {key}").removeprefix("Bearer ")
        if self.handler.headers.get("Authorization") and bearer.count(".") != 2:
            raise Refused(401, "PGRST301", f"Expected 3 parts in JWT; got {bearer.count('.') + 1}")
        return self.standin.keys[bearer]

    def _dispatch(self, connection, schema, table):
        if not table:
            if not self.standin.openapi:
                raise Refused(404, "PGRST126", "Root endpoint metadata is disabled")
            return self._root(connection, schema)
        if "/" in table:
            raise Refused(404, "PGRST125", "Invalid path specified in request URL")
        columns = {row[1]: row for row in self.standin.columns(connection, schema, granted=False) if row[0] == table}
        if not columns or self._is_hidden(table):
            message = f"Could not find the table '{schema}.{table}' in the schema cache"
            raise Refused(404, "PGRST205", message)
        name = sql.Identifier(schema, table)
        if self.method in ("GET", "HEAD"):
            return self._read(connection, name)
        if self.method == "POST":
            return self._insert(connection, name, table, columns)
        return self._change(connection, name, table, columns)

    def _is_hidden(self, table):
        left = self.standin.hidden.get(table, 0)
        self.standin.hidden[table] = max(0, left - 1)
        return left > 0

    def _root(self, connection, schema):
        definitions = {}
        for row in self.standin.columns(connection, schema, granted=True):
            table, column, kind, _, required, _, key, length, comment, default, described, refers = row
            if self.standin.hidden.get(table, 0):
                continue
            entry = definitions.setdefault(table, {"required": [], "properties": {}, "type": "object"})
            entry |= {"description": described} if described else {}
            marks = ["This is a Primary Key.<pk/>"] if key else []
            if refers:
                to, other = refers
                marks.append(f"This is a Foreign Key to `{to}.{other}`.<fk table='{to}' column='{other}'/>")
            notes = [comment] if comment else []
            notes += ["Note:\n" + "\n".join(marks)] if marks else []
            shape = {"format": kind, "type": _JSON_TYPES.get(kind, "array" if kind.endswith("[]") else "string")}
            shape |= {"description": "\n\n".join(notes)} if notes else {}
            shape |= {"maxLength": length} if length else {}
            shape |= {"default": default} if default else {}
            entry["properties"][column] = shape
            if required:
                entry["required"].append(column)
        for table in self.standin.hidden:
            self._is_hidden(table)
        paths = {"/": {}, **{f"/{table}": {} for table in definitions}}
        document = {"swagger": "2.0", "info": {"version": "12.2"}, "paths": paths, "definitions": definitions}
        return 200, json.dumps(document).encode(), {"Content-Type": "application/openapi+json; charset=utf-8"}

    def _read(self, connection, name):
        where = condition(self.params)
        total = None
        if self.prefer.get("count") == "exact":
            total = connection.execute(sql.SQL("SELECT count(*) FROM {}{}").format(name, where)).fetchone()[0]
        limit = min(int(self.query.get("limit", self.standin.max_rows)), self.standin.max_rows)
        offset = int(self.query.get("offset", 0))
        query = sql.SQL(
            "SELECT count(*), coalesce(json_agg(_t), '[]')::text FROM (SELECT {} FROM {} _table{}{} LIMIT {} OFFSET {}) _t"
        ).format(select_list(self.query.get("select")), name, where, order_list(self.query.get("order")), limit, offset)
        count, body = connection.execute(query).fetchone()
        if total is not None and offset > total:
            raise Refused(416, "PGRST103", "Requested range not satisfiable")
        ranged = f"{offset}-{offset + count - 1}" if count else "*"
        status = 206 if total is not None and count < total else 200
        return status, body.encode(), {"Content-Range": f"{ranged}/{'*' if total is None else total}"}

    def _rows(self):
        try:
            rows = json.loads(self.body)
        except ValueError:
            raise Refused(400, "PGRST102", "Empty or invalid json") from None
        rows = rows if isinstance(rows, list) else [rows]
        if "columns" not in self.query and len({frozenset(row) for row in rows}) > 1:
            raise Refused(400, "PGRST102", "All object keys must match")
        return rows

    def _columns(self, rows, table, columns):
        names = name_list(self.query["columns"]) if "columns" in self.query else list(rows[0]) if rows else []
        for column in names:
            if column not in columns:
                message = f"Could not find the '{column}' column of '{table}' in the schema cache"
                raise Refused(400, "PGRST204", message)
        return names

    def _insert(self, connection, name, table, columns):
        names = self._columns(self._rows(), table, columns)
        fields = sql.SQL(", ").join(map(sql.Identifier, names))
        shape = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(columns[column][3])) for column in names
        )
        key = [row[1] for row in columns.values() if row[6]]
        if "on_conflict" in self.query:
            key = name_list(self.query["on_conflict"])
        resolution, conflict = self.prefer.get("resolution"), sql.SQL("")
        if resolution and key:
            others = [column for column in names if resolution == "merge-duplicates"]
            action = (
                sql.SQL("UPDATE SET {}").format(
                    sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(c)) for c in others)
                )
                if others
                else sql.SQL("NOTHING")
            )
            conflict = sql.SQL(" ON CONFLICT ({}) DO {}").format(sql.SQL(", ").join(map(sql.Identifier, key)), action)
        source = sql.SQL("SELECT {} FROM json_to_recordset({}::json) AS _({})").format(
            fields, sql.Literal(self._payload(columns, names)), shape
        )
        statement = sql.SQL("INSERT INTO {} ({}) {}{}").format(name, fields, source, conflict)
        return self._returned(connection, statement, 201)

    def _payload(self, columns, names):
        """The rows as they came; with ``missing=default`` and a missing key, its column's default in its place."""
        text = self.body.decode()
        if not text.lstrip().startswith("["):
            text = f"[{text}]"
        rows = json.loads(text)
        if self.prefer.get("missing") == "default" and any(set(names) - set(row) for row in rows):
            defaults = {name: columns[name][9] for name in names if columns[name][9]}
            literal = {name: expression.split("::")[0].strip("'") for name, expression in defaults.items()}
            return json.dumps([{**literal, **row} for row in rows])
        return text

    def _change(self, connection, name, table, columns):
        where = condition(self.params)
        if self.method == "DELETE":
            return self._returned(connection, sql.SQL("DELETE FROM {}{}").format(name, where), 204)
        rows = self._rows()
        names = self._columns(rows, table, columns)
        sets = sql.SQL(", ").join(sql.SQL("{0} = _.{0}").format(sql.Identifier(column)) for column in names)
        shape = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(columns[column][3])) for column in names
        )
        statement = sql.SQL("UPDATE {} SET {} FROM json_to_recordset({}::json) AS _({}){}").format(
            name, sets, sql.Literal(self._payload(columns, names)), shape, where
        )
        return self._returned(connection, statement, 204)

    def _returned(self, connection, statement, status):
        wanted = self.prefer.get("return", "minimal")
        if wanted == "representation":
            statement = sql.SQL(
                "WITH s AS ({} RETURNING *) SELECT count(*), coalesce(json_agg(_t), '[]')::text FROM (SELECT {} FROM s) _t"
            ).format(statement, select_list(self.query.get("select")))
            count, body = connection.execute(statement).fetchone()
            status, body = (200 if status == 204 else status), body.encode()
        else:
            count, body = connection.execute(statement).rowcount, b""
        if "max-affected" in self.prefer and count > int(self.prefer["max-affected"]):
            raise Refused(400, "PGRST124", "Query result exceeds max-affected preference constraint")
        total = count if self.prefer.get("count") == "exact" else "*"
        return status, body, {"Content-Range": f"{f'0-{count - 1}' if count and status == 204 else '*'}/{total}"}


def _refusal(error, role):
    """PostgREST's answer to an error of PostgreSQL."""
    state = error.sqlstate or "08006"
    exact = {"42501": 401 if role == "anon" else 403, "23503": 409, "23505": 409, "25006": 405, "42P01": 404}
    groups = {"08": 503, "28": 403, "40": 500, "53": 503, "54": 500, "55": 500, "57": 500, "XX": 500, "25": 500}
    status = exact.get(state) or (503 if state == "57P01" else groups.get(state[:2], 400))
    diag = error.diag
    return Refused(
        status, state, diag.message_primary or "connection lost", details=diag.message_detail, hint=diag.message_hint
    )
