"""``python -m osiris_core``: the ``osiris`` command, for an interpreter whose scripts are not on the path."""

from osiris_core.cli import main

main()
