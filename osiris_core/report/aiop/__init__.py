"""AIOP, the AI Operation Package: a run's record packed for a model that has never seen Osiris.

One JSON-LD document of four layers: *evidence* (what happened), *semantic* (what was meant to), *narrative* (the same
in sentences that cite evidence) and *metadata* (how to read it, what was cut); beside them the *delta* to the run
before and the *control* contract: what may be done next. ``context.json`` and ``schema.json`` in this package are the
published JSON-LD context and JSON Schema.

The same record, settings and secrets give the same bytes. Nothing in a package is newer than the record, and nothing
names a place of the machine that packs it.
"""
