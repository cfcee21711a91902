"""Finding, loading and asking plugins. The only package that imports pluggy."""
