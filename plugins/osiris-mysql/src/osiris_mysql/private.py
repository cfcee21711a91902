"""What of the server itself a read may see: its catalog and its counters, and nothing that it keeps of others.

The server's own databases hold the hashes of passwords, passwords of other servers, statements and variables of other
sessions, histograms of rows, and paths. What each release adds there is not known, so what may be read is listed.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

from osiris_core.api import DriverError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from osiris_mysql.session import Session
    from osiris_sql.readonly import Query

_CATALOG: Final = """
    administrable_role_authorizations all_plugins applicable_roles character_sets check_constraints
    collation_character_set_applicability collations column_privileges columns columns_extensions enabled_roles engines
    events geometry_columns global_status index_statistics innodb_columns innodb_fields innodb_foreign
    innodb_foreign_cols innodb_ft_default_stopword innodb_indexes innodb_metrics innodb_sys_columns innodb_sys_fields
    innodb_sys_foreign innodb_sys_foreign_cols innodb_sys_indexes innodb_sys_tables innodb_sys_tablestats
    innodb_sys_virtual innodb_tables innodb_tablestats innodb_virtual key_column_usage keywords parameters partitions
    periods plugins referential_constraints role_column_grants role_routine_grants role_table_grants routines
    schema_privileges schemata schemata_extensions sequences session_status spatial_ref_sys sql_functions
    st_geometry_columns st_spatial_reference_systems st_units_of_measure statistics table_constraints
    table_constraints_extensions table_privileges table_statistics tables tables_extensions triggers user_privileges
    view_routine_usage view_table_usage views
"""
_STORED: Final = """
    help_category help_keyword help_relation help_topic index_stats innodb_index_stats innodb_table_stats table_stats
    time_zone time_zone_leap_second time_zone_name time_zone_transition time_zone_transition_type
"""
_COUNTED: Final = """
    events_waits_summary_global_by_event_name global_status memory_summary_global_by_event_name
    objects_summary_global_by_type performance_timers session_status table_io_waits_summary_by_index_usage
    table_io_waits_summary_by_table table_lock_waits_summary_by_table
"""
_SHOWN: Final = """
    innodb_buffer_stats_by_schema innodb_buffer_stats_by_table memory_global_by_current_bytes memory_global_total
    schema_auto_increment_columns schema_index_statistics schema_object_overview schema_redundant_indexes
    schema_table_statistics schema_table_statistics_with_buffer schema_tables_with_full_table_scans
    schema_unused_indexes version x$schema_index_statistics x$schema_table_statistics
    x$schema_table_statistics_with_buffer x$schema_tables_with_full_table_scans
"""
_READABLE: Final[Mapping[str, frozenset[str]]] = {
    "information_schema": frozenset(_CATALOG.split()),
    "mysql": frozenset(_STORED.split()),
    "performance_schema": frozenset(_COUNTED.split()),
    "sys": frozenset(_SHOWN.split()),
}
"""What may be read of each of the server's own databases."""

SYSTEM: Final = frozenset(_READABLE)
"""The server's own databases."""

_SETTINGS: Final = """
    auto_increment_increment auto_increment_offset autocommit character_set_client character_set_connection
    character_set_database character_set_filesystem character_set_results character_set_server character_set_system
    collation_connection collation_database collation_server default_storage_engine default_week_format
    div_precision_increment error_count explicit_defaults_for_timestamp foreign_key_checks group_concat_max_len
    gtid_binlog_pos gtid_current_pos gtid_executed gtid_slave_pos hostname in_transaction innodb_page_size
    innodb_version lc_time_names license lower_case_file_system lower_case_table_names max_allowed_packet
    max_execution_time max_statement_time old_mode port protocol_version pseudo_thread_id read_only server_id
    server_uuid sql_auto_is_null sql_mode sql_safe_updates sql_select_limit storage_engine system_time_zone
    system_versioning_asof time_zone timestamp transaction_isolation transaction_read_only tx_isolation tx_read_only
    unique_checks version version_comment version_compile_machine version_compile_os warning_count
"""
_VARIABLES: Final = frozenset(_SETTINGS.split())
"""The server's variables that say how it computes, or which server it is."""

_RENAME: Final = "a table of yours that has the name of one of the server's databases needs another one: FROM … AS name"


def folded(name: str) -> str:
    """``name`` as a server may compare names of databases: without case, accents and forms of letters."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    return plain.replace("ß", "s").replace("ı", "i").casefold()


def is_hidden(database: str, relation: str) -> bool:
    """Whether ``relation`` is one of the server's own that no pipeline reads."""
    readable = _READABLE.get(folded(database))
    return readable is not None and relation.casefold() not in readable


def refuse_hidden(what: str, database: str, relation: str) -> None:
    """Refuse to read a relation that :func:`is_hidden`."""
    if is_hidden(database, relation):
        raise _refusal(what, f"{database}.{relation}")


def refuse_private(session: Session, query: Query, what: str) -> None:
    """Refuse a query that names what is hidden, also where it is only in the connection's database."""
    for first, second, *_ in sorted(query.dotted):
        if is_hidden(first, second):
            raise _refusal(what, f"{first}.{second}", hint=_RENAME)
    if unknown := sorted(query.variables - _VARIABLES):
        raise _refusal(what, f"@@{unknown[0]}")
    _refuse_of_default(session, query, what)


def _refuse_of_default(session: Session, query: Query, what: str) -> None:
    """Refuse names without a database that are relations of the connection's, where that is one of the server's own."""
    database = session.connection.database
    tables = (node for node in query.tree.walk() if node.key == "table" and not node.args.get("db"))
    names = sorted({node.name for node in tables if is_hidden(database, node.name)})
    if not names:
        return
    # They may be queries that WITH names: the server knows whether they are its own.
    found = session.run(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
        f"AND TABLE_NAME IN ({', '.join(map(session.escape, names))})",
        f"looking for the tables of {what}",
    )
    if found:
        raise _refusal(what, f"{database}.{found[0][0]}")


def _refusal(what: str, name: str, hint: str | None = None) -> DriverError:
    return DriverError(
        "OSR-MYSQL-021", f"{what} is refused: it names '{name}', which holds what no pipeline needs", hint=hint
    )
