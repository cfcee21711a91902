"""It was written for a newer minor version of the plugin API."""

OSIRIS_API = "1.999"
