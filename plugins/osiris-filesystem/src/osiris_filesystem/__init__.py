"""CSV, Parquet, JSON Lines and Excel files for Osiris. The entry module is :mod:`osiris_filesystem.plugin`."""
