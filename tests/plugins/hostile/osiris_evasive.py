"""It fails when somebody looks at it."""


def __getattr__(name):
    raise LookupError(f"nobody may see {name}")
