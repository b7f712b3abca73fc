"""benchmarks/results.json: what the benchmarks found, and the table and the plot that are made of it."""

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

from tutorial_utils import _files

HERE = pathlib.Path(__file__).resolve().parent
PATH = HERE / "results.json"


def read(path=PATH):
    """Return what was found so far, {} if nothing was."""
    path = pathlib.Path(path)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def add(found, path=PATH):
    """Put the entries of `found` beside those that are there, or in their place."""
    _files.write_json(path, {**read(path), **found})


def in_own_process(module, *arguments):
    """Run a benchmark's module in a process of its own, with an empty cache; return the JSON that it prints last.

    Its `disk_mb` is what it left in the cache.
    """
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "TUTORIAL_CACHE": cache, "TF_CPP_MIN_LOG_LEVEL": "2"}
        command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
        process = subprocess.run(command, env=environment, cwd=HERE.parent, capture_output=True, text=True)
        stored = sum(path.stat().st_size for path in pathlib.Path(cache).rglob("*") if path.is_file())
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} stopped:\n{process.stderr[-3000:]}")
    return {**json.loads(process.stdout.splitlines()[-1]), "disk_mb": stored / 1e6}


def peak_memory_mb():
    """Return the most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in kilobytes


def table(found):
    """Return the comparison of recipe.py as a Markdown table."""
    lines = ["| way | head (s) | fine-tuning (s) | both (s) | peak memory (MB) | stored (MB) | test accuracy (%) |"]
    lines.append("| --- " * 7 + "|")
    for row in found["ways"].values():
        seconds = " | ".join(f"{row[phase]:.0f}" for phase in ("head", "finetune", "recipe"))
        score = " to ".join(f"{100 * row['test_accuracy' + end]:.1f}" for end in ("_low", "_high"))
        sizes = f"{row['peak_memory_mb']:.0f} | {row['disk_mb']:.0f}"
        lines.append(f"| {row['title']} | {seconds} | {sizes} | {100 * row['test_accuracy']:.1f} ({score}) |")
    return "\n".join(lines)


def plot(found, path):
    """Draw the seconds of each way, head and fine-tuning one after the other, to a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from tutorial_utils.insight import plots

    rows = list(found["ways"].values())
    head, tuning = ([row[phase] / 60 for row in rows] for phase in ("head", "finetune"))
    figure, ax = plt.subplots(figsize=(8, 0.5 * len(rows) + 1.4), layout="constrained")
    titles = [row["title"] for row in rows]
    ax.barh(titles, head, color=plots.PALETTE["blue"], label="head, 20 epochs")
    ax.barh(titles, tuning, left=head, color=plots.PALETTE["orange"], label="fine-tuning")
    for place, (first, second) in enumerate(zip(head, tuning, strict=True)):
        ax.annotate(f"{first + second:.1f}", (first + second, place), (4, 0), textcoords="offset points", va="center")
    ax.invert_yaxis()
    photos, side = found["photos"], found["image_size"]
    ax.set(xlabel="time (minutes)", title=f"One model, {photos:,} photos of {side} px, two processor cores")
    ax.margins(x=0.1)
    ax.legend(loc="lower right")
    figure.savefig(path, dpi=120)
    plt.close(figure)
