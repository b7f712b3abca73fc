"""What this machine has to compute with."""

import contextlib
import os

_LIMIT = []  # of cores, the latest last


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
