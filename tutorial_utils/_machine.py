"""What this machine has to compute with, and whether it may use the network."""

import contextlib
import os

_LIMIT = []  # of cores, the latest last


def is_offline():
    """Return whether TUTORIAL_OFFLINE forbids downloads: set to anything but "", 0, false or no, in any case."""
    return os.environ.get("TUTORIAL_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def cores():
    """Return how many processor cores this process may use (a container may allow fewer than the machine has)."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min([there, *_LIMIT])


@contextlib.contextmanager
def limited(number):
    """Let `cores` return at most `number` meanwhile: for a process that shares its machine with others of its kind."""
    _LIMIT.append(number)
    try:
        yield
    finally:
        _LIMIT.remove(number)
