"""A bench on a private MariaDB server, in a database of its own."""

from __future__ import annotations

import pytest

from tests.bench import Bench
from tests.servers.mariadb import private_mariadb


class MySQLBench(Bench):
    """Components of the plugin on a database, which ``sql`` asks directly."""

    def __init__(self, path, server, database):
        super().__init__(path, "mysql")
        self.server = server
        self.database = database
        self.use()

    def use(self, **fields):
        """Connect with other fields."""
        return self.connect(**self.server.connection(**{"database": self.database, **fields}))

    def sql(self, *statements):
        """Run statements; the rows of the last one."""
        return self.server.execute(*statements, database=self.database)

    def tables(self):
        """The names of the tables."""
        return sorted(name for (name,) in self.sql("SHOW TABLES"))

    def content(self, table="t", order="1"):
        """All rows of a table."""
        return list(self.sql(f"SELECT * FROM {table} ORDER BY {order}"))


@pytest.fixture
def bench(tmp_path, mariadb):
    """A new database."""
    with mariadb.database() as name:
        yield MySQLBench(tmp_path, mariadb, name)


@pytest.fixture
def mortal_bench(tmp_path):
    """A server of the test's own, which it may kill: the tests that follow must not lose the session's."""
    with private_mariadb() as server, server.database() as name:
        yield MySQLBench(tmp_path, server, name)


@pytest.fixture(scope="session")
def numbers():
    """SQL of a table with the numbers ``seq`` from 1 on, in no order; seq_1_to_… is known to MariaDB only."""
    digit = f"({' UNION ALL '.join(f'SELECT {digit} AS n' for digit in range(10))})"

    def up_to(count, alias="numbers"):
        places = range(len(str(count)))
        number = " + ".join(f"d{place}.n * {10**place}" for place in places)
        digits = " CROSS JOIN ".join(f"{digit} AS d{place}" for place in places)
        return f"(SELECT {number} AS seq FROM {digits} WHERE {number} BETWEEN 1 AND {count}) AS {alias}"

    return up_to
