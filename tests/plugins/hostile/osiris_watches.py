"""It observes runs, and writes to standard output in every way there is, on this thread and on another, to the end."""

import atexit
import os
import subprocess
import sys
import threading
import time

from osiris_core.api import hookimpl

OSIRIS_API = "1.0"
KEPT = sys.__stdout__
ENDING = threading.Event()


def talk(how):
    print(f"SPOILED by print {how}")
    sys.stdout.buffer.write(f"SPOILED by buffer {how}\n".encode())
    KEPT.write(f"SPOILED by the original stream {how}\n")  # and not flushed
    os.write(1, f"SPOILED by descriptor {how}\n".encode())


def talk_on():
    while not ENDING.is_set():
        talk("of a thread")
        time.sleep(0.001)


THREAD = threading.Thread(target=talk_on, daemon=True)


def end():
    ENDING.set()
    THREAD.join()
    talk("at the end")


@hookimpl
def osiris_run_event(event):
    if event["event"] == "run_started":
        atexit.register(end)
        THREAD.start()
        subprocess.run([sys.executable, "-S", "-c", "print('SPOILED by a child')"], check=True)
    talk("of a hook")
