from __future__ import annotations

from tests.servers.mariadb import mariadb, own_mariadb

__all__ = ["mariadb", "own_mariadb"]
