"""It was written for the next major version of the plugin API."""

OSIRIS_API = "2.0"
