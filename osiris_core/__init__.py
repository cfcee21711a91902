"""Osiris: compile a pipeline document into a manifest a machine can prove, and run it.

Nothing is imported here on purpose: ``osiris --help`` must not pay for what it does not use.
Plugins import :mod:`osiris_core.api`; programs import the layer they need.
"""

__version__ = "0.1.0"
