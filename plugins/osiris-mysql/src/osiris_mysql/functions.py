"""The functions a query may call: those of MySQL and MariaDB that compute a value and do nothing else.

A name that only the parser knows is none of them: on this server it may be a stored function. Such a one, or a loadable
one, is let through only where the connection names it.
"""

from __future__ import annotations

from typing import Final

from osiris_sql.readonly import Rules

_DENIED: Final = """
    asynchronous_connection_failover_add_managed asynchronous_connection_failover_add_source
    asynchronous_connection_failover_delete_managed asynchronous_connection_failover_delete_source
    asynchronous_connection_failover_reset audit_log_encryption_password_set audit_log_filter_flush
    audit_log_filter_remove_filter audit_log_filter_remove_user audit_log_filter_set_filter audit_log_filter_set_user
    audit_log_read audit_log_rotate benchmark binlog_gtid_pos firewall_group_delist firewall_group_enlist get_lock
    group_replication_disable_member_action group_replication_enable_member_action
    group_replication_reset_member_actions group_replication_set_as_primary
    group_replication_set_communication_protocol group_replication_set_write_concurrency
    group_replication_switch_to_multi_primary_mode group_replication_switch_to_single_primary_mode gtid_wait
    keyring_key_fetch keyring_key_generate keyring_key_remove keyring_key_store last_insert_id load_file
    lock_read lock_write master_gtid_wait master_pos_wait mysql_firewall_flush_status mysql_query_attribute_string
    nextval ps_thread_trx_info release_all_locks release_lock service_get_read_locks service_get_write_locks
    service_release_locks set_firewall_mode setval sleep source_pos_wait spider_bg_direct_sql spider_copy_tables
    spider_direct_sql spider_flush_table_mon_cache statement_digest sys_eval sys_exec sys_get sys_set uuid_short
    version_tokens_delete version_tokens_edit version_tokens_lock_exclusive version_tokens_lock_shared
    version_tokens_set version_tokens_unlock wait_for_executed_gtid_set wait_until_sql_thread_after_gtids
    wsrep_sync_wait_upto_gtid http_get http_post http_put http_delete
"""

_ALLOWED: Final = """
    abs acos adddate addtime add_months aes_decrypt aes_encrypt any_value area asbinary asin astext aswkb aswkt atan
    atan2 avg
    bin bin_to_uuid bit_and bit_count bit_length bit_or bit_xor boundary buffer
    cast ceil ceiling centroid char character_length char_length charset chr coalesce coercibility collation
    column_check column_create column_exists column_get column_json column_list compress concat concat_ws
    connection_id contains conv convert convert_tz convexhull cos cot count crc32 crc32c crosses cume_dist curdate
    current_date current_role current_time current_timestamp current_user curtime
    database date datediff date_add date_format date_sub day dayname dayofmonth dayofweek dayofyear decode default
    degrees dense_rank des_decrypt des_encrypt dimension disjoint
    elt encode encrypt endpoint envelope equals exp export_set exteriorring extract extractvalue
    field find_in_set first_value floor format format_bytes format_pico_time found_rows from_base64 from_days
    from_unixtime
    geomcollfromtext geomcollfromwkb geometrycollection geometrycollectionfromtext geometryfromtext geometryfromwkb
    geometryn geometrytype geomfromtext geomfromwkb get_format glength greatest group_concat grouping gtid_subset
    gtid_subtract
    hex hour icu_version if ifnull inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr interiorringn intersects
    interval is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6 is_uuid isclosed isempty isnull isring issimple
    json_array json_arrayagg json_array_append json_array_insert json_array_intersect json_compact json_contains
    json_contains_path json_depth json_detailed json_equals json_exists json_extract json_insert json_key_value
    json_keys json_length json_loose json_merge json_merge_patch json_merge_preserve json_normalize json_object
    json_object_filter_keys json_object_to_array json_objectagg json_overlaps json_pretty json_query json_quote
    json_remove json_replace json_schema_valid json_schema_validation_report json_search json_set json_storage_free
    json_storage_size json_table json_type json_unquote json_valid json_value
    lag last_day last_value lcase lead least left length lengthb linefromtext linefromwkb linestring
    linestringfromtext linestringfromwkb ln localtime localtimestamp locate log log10 log2 lower lpad ltrim
    makedate maketime make_set max mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequal mbrequals mbrintersects
    mbroverlaps mbrtouches mbrwithin md5 median microsecond mid min minute mlinefromtext mlinefromwkb mod month
    monthname mpointfromtext mpointfromwkb mpolyfromtext mpolyfromwkb multilinestring multilinestringfromtext
    multilinestringfromwkb multipoint multipointfromtext multipointfromwkb multipolygon multipolygonfromtext
    multipolygonfromwkb
    name_const natural_sort_key now nth_value ntile nullif numgeometries numinteriorrings numpoints nvl nvl2
    oct octet_length old_password ord overlaps
    password percent_rank percentile_cont percentile_disc period_add period_diff pi point pointfromtext pointfromwkb
    pointn pointonsurface polyfromtext polyfromwkb polygon polygonfromtext polygonfromwkb position pow power
    quarter quote
    radians rand random_bytes rank regexp_instr regexp_like regexp_replace regexp_substr repeat replace reverse right
    roles_graphml round row row_count row_number rpad rtrim
    schema sec_to_time second session_user sformat sha sha1 sha2 sign sin soundex space sqrt srid st_area st_asbinary
    st_asgeojson st_astext st_aswkb st_aswkt st_boundary st_buffer st_buffer_strategy st_centroid st_collect
    st_contains st_convexhull st_crosses st_difference st_dimension st_disjoint st_distance st_distance_sphere
    st_endpoint st_envelope st_equals st_exteriorring st_frechetdistance st_geohash st_geomcollfromtext
    st_geomcollfromtxt st_geomcollfromwkb st_geometrycollectionfromtext st_geometrycollectionfromwkb
    st_geometryfromtext st_geometryfromwkb st_geometryn st_geometrytype st_geomfromgeojson st_geomfromtext
    st_geomfromwkb st_hausdorffdistance st_interiorringn st_intersection st_intersects st_isclosed st_isempty
    st_isring st_issimple st_isvalid st_latfromgeohash st_latitude st_length st_lineinterpolatepoint
    st_lineinterpolatepoints st_linefromtext st_linefromwkb st_linestringfromtext st_linestringfromwkb
    st_longfromgeohash st_longitude st_makeenvelope st_mlinefromtext st_mlinefromwkb st_mpointfromtext
    st_mpointfromwkb st_mpolyfromtext st_mpolyfromwkb st_multilinestringfromtext st_multilinestringfromwkb
    st_multipointfromtext st_multipointfromwkb st_multipolygonfromtext st_multipolygonfromwkb st_numgeometries
    st_numinteriorring st_numinteriorrings st_numpoints st_overlaps st_pointatdistance st_pointfromgeohash
    st_pointfromtext st_pointfromwkb st_pointn st_pointonsurface st_polyfromtext st_polyfromwkb st_polygonfromtext
    st_polygonfromwkb st_relate st_simplify st_srid st_startpoint st_swapxy st_symdifference st_touches st_transform
    st_union st_validate st_within st_x st_y startpoint statement_digest_text std stddev stddev_pop stddev_samp
    str_to_date strcmp subdate substr substring substring_index subtime sum sysdate sys_guid system_user
    tan time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_base64 to_char to_days
    to_seconds touches trim trunc truncate
    ucase uncompress uncompressed_length unhex unix_timestamp updatexml upper user utc_date utc_time utc_timestamp uuid
    uuid_to_bin uuid_v4 uuid_v7
    validate_password_strength value values var_pop var_samp variance vec_distance vec_distance_cosine
    vec_distance_euclidean vec_fromtext vec_totext version
    week weekday weekofyear weight_string within wsrep_last_seen_gtid wsrep_last_written_gtid x y year yearweek
"""

RULES: Final = Rules(
    dialect="mysql", denied=frozenset(_DENIED.split()), allowed=frozenset(_ALLOWED.split()), qualified=False
)
"""What the parser lets through for a MySQL or MariaDB server."""
