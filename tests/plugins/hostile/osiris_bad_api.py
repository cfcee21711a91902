"""Its API version is a number."""

OSIRIS_API = 1.0
