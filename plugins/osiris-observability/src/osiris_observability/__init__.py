"""OpenTelemetry and OpenLineage for Osiris runs. The entry module is :mod:`osiris_observability.plugin`."""
