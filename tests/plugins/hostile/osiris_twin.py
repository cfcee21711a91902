"""Two distributions declare a plugin of this id."""

OSIRIS_API = "1.0"
raise AssertionError("a contested plugin must not be imported")
