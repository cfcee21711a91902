"""The query language of PostgREST as SQL: what a request's parameters mean. For tests only."""

from __future__ import annotations

import re

from psycopg import sql

RESERVED = ("select", "order", "limit", "offset", "columns", "on_conflict", "and", "or", "not.and", "not.or")
OPERATORS = {
    "eq": "=",
    "neq": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "like": "LIKE",
    "ilike": "ILIKE",
}
_PLAIN = re.compile(r"[\w $]+")


class Refused(Exception):
    """An answer that is an error: status, code and message."""

    def __init__(self, status, code, message, *, details=None, hint=None):
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "details": details, "hint": hint, "message": message}


class Scanner:
    """A text read from left to right."""

    def __init__(self, text):
        self.text = text
        self.at = 0

    def fail(self):
        raise Refused(400, "PGRST100", f'"failed to parse ({self.text})" (line 1, column {self.at + 1})')

    def done(self):
        return self.at >= len(self.text)

    def peek(self, token):
        return self.text.startswith(token, self.at)

    def take(self, token):
        found = self.peek(token)
        self.at += len(token) if found else 0
        return found

    def expect(self, token):
        if not self.take(token):
            self.fail()

    def quoted(self):
        self.expect('"')
        value = []
        while not self.peek('"'):
            if self.done():
                self.fail()
            if self.take("\\") and self.done():
                self.fail()
            value.append(self.text[self.at])
            self.at += 1
        self.expect('"')
        return "".join(value)

    def name(self):
        """A column's name, quoted or not."""
        if self.peek('"'):
            return self.quoted()
        found = _PLAIN.match(self.text, self.at)
        if found is None:
            self.fail()
        self.at = found.end()
        return found.group()

    def value(self, stops):
        """A value inside parentheses, quoted or up to one of ``stops``."""
        if self.peek('"'):
            return self.quoted()
        start = self.at
        while not self.done() and self.text[self.at] not in stops:
            self.at += 1
        return self.text[start : self.at]

    def rest(self):
        found, self.at = self.text[self.at :], len(self.text)
        return found


def select_list(text):
    """``select=``: columns with alias and cast."""
    if text in (None, "", "*"):
        return sql.SQL("*")
    scanner, items = Scanner(text), []
    while True:
        if scanner.take("*"):
            items.append(sql.SQL("*"))
        else:
            items.append(_select_item(scanner))
        if scanner.done():
            return sql.SQL(", ").join(items)
        scanner.expect(",")


def _select_item(scanner):
    alias, name = None, scanner.name()
    if scanner.peek(":") and not scanner.peek("::"):
        scanner.expect(":")
        alias, name = name, scanner.name()
    item = sql.Identifier(name)
    if scanner.take("::"):
        item = sql.SQL("CAST({} AS {})").format(item, sql.SQL(scanner.name()))
        alias = alias or name
    return item if alias is None else sql.SQL("{} AS {}").format(item, sql.Identifier(alias))


def order_list(text):
    """``order=``: columns with direction and the place of NULL."""
    if not text:
        return sql.SQL("")
    scanner, items = Scanner(text), []
    while True:
        item = [sql.Identifier("_table", scanner.name())]  # not the item of that name
        for token, written in ((".asc", "ASC"), (".desc", "DESC"), (".nullsfirst", "NULLS FIRST")):
            if scanner.take(token):
                item.append(sql.SQL(written))
        if scanner.take(".nullslast"):
            item.append(sql.SQL("NULLS LAST"))
        items.append(sql.SQL(" ").join(item))
        if scanner.done():
            return sql.SQL(" ORDER BY {}").format(sql.SQL(", ").join(items))
        scanner.expect(",")


def name_list(text):
    """``columns=`` and ``on_conflict=``."""
    scanner, names = Scanner(text), []
    while True:
        names.append(scanner.name())
        if scanner.done():
            return names
        scanner.expect(",")


def condition(params):
    """All filters of a request, as ``WHERE``."""
    found = []
    for key, value in params:
        if key in ("and", "or", "not.and", "not.or"):
            scanner = Scanner(key + value)
            found.append(_tree(scanner))
            if not scanner.done():
                scanner.fail()
        elif key not in RESERVED:
            scanner = Scanner(key)
            name = scanner.name()
            if not scanner.done():
                scanner.fail()
            found.append(_comparison(name, Scanner(value), top=True))
    return sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(found)) if found else sql.SQL("")


def _tree(scanner):
    negated = scanner.take("not.")
    joiner = "AND" if scanner.take("and") else "OR"
    if joiner == "OR":
        scanner.expect("or")
    scanner.expect("(")
    parts = []
    while True:
        if any(scanner.peek(token) for token in ("and(", "or(", "not.and(", "not.or(")):
            parts.append(_tree(scanner))
        else:
            name = scanner.name()
            scanner.expect(".")
            parts.append(_comparison(name, scanner, top=False))
        if scanner.take(")"):
            break
        scanner.expect(",")
    joined = sql.SQL("({})").format(sql.SQL(f" {joiner} ").join(parts))
    return sql.SQL("NOT {}").format(joined) if negated else joined


def _comparison(name, scanner, *, top):
    negated = scanner.take("not.")
    operator = Scanner(scanner.text)
    operator.at = scanner.at
    word = operator.value(".")
    scanner.at = operator.at
    scanner.expect(".")
    column = sql.Identifier(name)
    if word == "in":
        found = sql.SQL("{} = ANY({})").format(column, sql.Literal(_in_list(scanner)))
    elif word == "is":
        value = (scanner.rest() if top else scanner.value(",)")).lower()
        if value not in ("null", "true", "false", "unknown", "not_null"):
            scanner.fail()
        found = sql.SQL("{} IS {}").format(column, sql.SQL(value.replace("_", " ").upper()))
    elif word in OPERATORS:
        value = scanner.rest() if top else scanner.value(",)")
        if word in ("like", "ilike"):
            value = value.replace("*", "%")
        found = sql.SQL("{} {} {}").format(column, sql.SQL(OPERATORS[word]), sql.SQL(_unknown(value)))
    else:
        scanner.fail()
    return sql.SQL("(NOT {})").format(found) if negated else found


def _in_list(scanner):
    scanner.expect("(")
    values = []
    while not scanner.take(")"):
        values.append(scanner.value(",)"))
        if not scanner.peek(")"):
            scanner.expect(",")
    return "{" + ",".join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values) + "}"


def _unknown(text):
    """A literal without a type, as PostgREST writes it, so that the column's type reads it."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
