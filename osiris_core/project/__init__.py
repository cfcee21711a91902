"""A project on disk: its folders, environment, settings and connections."""
