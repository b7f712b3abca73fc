"""What this machine has to compute with, and whether it may use the network."""

import os


def is_offline():
    """Return whether TUTORIAL_OFFLINE forbids downloads: set to anything but "", 0, false or no, in any case."""
    return os.environ.get("TUTORIAL_OFFLINE", "").strip().lower() not in ("", "0", "false", "no")


def cores():
    """Return how many processor cores this process may use (a container may allow fewer than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
