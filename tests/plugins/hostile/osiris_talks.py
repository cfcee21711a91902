"""It writes to standard output in every way there is, and works."""

import logging
import os
import subprocess
import sys

from osiris_core.api import TargetSpec, hookimpl

OSIRIS_API = "1.0"
print("SPOILED by print")
sys.stdout.buffer.write(b"SPOILED by buffer\n")
sys.__stdout__.write("SPOILED by the original stream\n")
os.write(1, b"SPOILED by descriptor\n")
subprocess.run([sys.executable, "-S", "-c", "print('SPOILED by a child')"], check=True)
LOGGER = logging.getLogger("osiris_talks")
LOGGER.addHandler(logging.StreamHandler(sys.stdout))
LOGGER.propagate = False


@hookimpl
def osiris_targets():
    LOGGER.warning("SPOILED by a logger that kept the stream")
    print("SPOILED by a hook")
    return [TargetSpec(name="talks", ref="osiris_talks:osiris_targets", summary="Talks a lot.")]
