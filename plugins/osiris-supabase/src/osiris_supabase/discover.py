"""Discovery of a project: by the database where the connection has a dsn, else by the Data API."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from osiris_core.api import CatalogReader, Deadline
    from osiris_supabase.connection import SupabaseConnection


class SupabaseDiscoverer:
    """Hands over to the way in that the connection has."""

    def open(self, connection: SupabaseConnection, *, project_root: Path, deadline: Deadline) -> CatalogReader:
        """A reader of what the connection can see."""
        if connection.dsn is not None:
            from osiris_supabase.postgres.discover import PostgresDiscoverer

            return PostgresDiscoverer().open(connection, project_root=project_root, deadline=deadline)
        from osiris_supabase.rest.discover import ApiReader

        return ApiReader(connection, deadline)
