"""benchmarks/results.json: what the benchmarks found, and the page and the plot that are made of it.

python -m benchmarks.results
"""

import datetime
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


def in_own_process(module, *arguments, empty_cache=True):
    """Run a benchmark's module in a process of its own; return the JSON that it prints last.

    Its `disk_mb` is what it left in the empty cache that it had; with empty_cache=False it has the usual one.
    """
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
        environment |= {"TUTORIAL_CACHE": cache} if empty_cache else {}
        command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
        process = subprocess.run(command, env=environment, cwd=HERE.parent, capture_output=True, text=True)
        stored = sum(path.stat().st_size for path in pathlib.Path(cache).rglob("*") if path.is_file())
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} stopped:\n{process.stderr[-3000:]}")
    return {**json.loads(process.stdout.splitlines()[-1]), "disk_mb": stored / 1e6}


def keep_table(name, table, command, show=True):
    """Write benchmarks/<name>.csv, which a chapter may show: a DataFrame, with the day and the command."""
    note = f"# {datetime.date.today()}, {command}\n"
    _files.write_text(HERE / f"{name}.csv", note + table.to_csv(index=False, lineterminator="\n"))
    if show:
        print(table.to_string(index=False))


def peak_memory_mb():
    """Return the most memory that this process has held so far."""
    status = pathlib.Path("/proc/self/status")
    if status.is_file():  # what getrusage tells on Linux counts the process too that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes on macOS


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


def page(found):
    """Return all that was found as a page of Markdown."""
    parts = [
        "# What the benchmarks found",
        "Made from `results.json` by `python -m benchmarks.results`; every time is in seconds.",
        "## Ways to a model",
        f"{found['photos']:,} photos of {found['image_size']} px (`{found['dataset']}`), {found['backbone']}, "
        f"rounds, each of its own split and seed: {found['rounds']}; medians, the highest peak memory, the accuracy of "
        "the first round with its 95 % interval. The ways below `a head on all layers` ran in the first round only.",
        table(found),
        "![Minutes that each way takes](results.png)",
        ratios(found),
        sooner(found),
        "## The limit: one forward pass",
        forward_table(found),
        "Relative error: the largest difference to Keras, over the largest value.",
        f"Ours reaches {found['forward_of_fastest']:.2f} of the fastest; the input pipeline, reading and batching "
        f"alone, {found['pipeline_over_base']:.1f} times its rate.",
        "## More photos",
        scaling_table(found),
        f"A head for 600 photos, after a knob has been turned: {found['head_retrain_seconds']['logistic']:.2f} s the "
        f"logistic one, {found['head_retrain_seconds']['dense']:.2f} s the dense one, 20 epochs.",
    ]
    return "\n\n".join(parts) + "\n"


def sooner(found):
    """Return a line a set: how much sooner a head on all layers is where fine-tuning ended (tuned_speed.py)."""
    lines = ["Fine-tuning from a head on the last layer, eight epochs, and a head on all layers, one split each:"]
    for name, ways in found.get("tuned_accuracy", {}).items():
        both = [f"{ways[way]['seconds']:.0f} s, {100 * ways[way]['accuracy']:.1f} %" for way in ("before", "layers")]
        lines.append(f"- {name}: {both[0]}; {both[1]}, {ways['speedup']:.1f} times as soon")
    return "\n".join([lines[0], "", *lines[1:]])


def ratios(found):
    """Return the ratios to the tutorial's way, with their spread over the rounds, as a Markdown table."""
    names = {
        "head_speedup": "head, the tutorial's way over stored activations",
        "finetune_speedup": "fine-tuning, the same",
        "recipe_speedup": "both phases of the tutorial's way over a head on all layers",
        "head_over_one_pass": "head on stored activations over one decode and one forward pass a photo",
        "head_over_one_pass_converted": "the same, the network converted before (it is kept for each size)",
    }
    lines = ["| ratio of times | median | range |", "| --- | --- | --- |"]
    for name, title in names.items():
        median, low, high = (found[name + end] for end in ("", "_low", "_high"))
        lines.append(f"| {title} | {median:.2f} | {low:.2f} to {high:.2f} |")
    for name, way in (("", "the tutorial's way"), ("_over_stored", "stored activations")):
        gain, low, high = (100 * found[f"accuracy_gain{name}{end}"] for end in ("", "_low", "_high"))
        lines.append(
            f"\nTest accuracy of a head on all layers against {way}, the photos of {found['rounds']} splits pooled: "
            f"{gain:+.1f} points ({low:+.1f} to {high:+.1f})."
        )
    return "\n".join(lines)


def forward_table(found):
    """Return the rates of forward.py as a Markdown table."""
    lines = ["| means | photos a second | relative error |", "| --- | --- | --- |"]
    for name, row in found["forward"].items():
        error = "" if row["relative_error"] is None else f"{row['relative_error']:.0e}"
        lines.append(f"| {name} | {row['photos_a_second']:.0f} | {error} |")
    return "\n".join(lines)


def scaling_table(found):
    """Return what scaling.py found as a Markdown table."""
    lines = ["| photos | milliseconds a photo | range | peak memory (MB) |", "| --- | --- | --- | --- |"]
    for row in found["scaling"]:
        median, low, high = (row["milliseconds_a_photo" + end] for end in ("", "_low", "_high"))
        lines.append(f"| {row['photos']:,} | {median:.2f} | {low:.2f} to {high:.2f} | {row['peak_memory_mb']:.0f} |")
    return "\n".join(lines)


def plot(found, path):
    """Draw the seconds of each way, head and fine-tuning one after the other, to a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from tutorial_utils.evaluation import plots

    rows = list(found["ways"].values())
    head, tuning = ([row[phase] / 60 for row in rows] for phase in ("head", "finetune"))
    figure, ax = plt.subplots(figsize=(8, 0.5 * len(rows) + 1.4), layout="constrained")
    titles = [row["title"] for row in rows]
    ax.barh(titles, head, color=plots.PALETTE["blue"], label="head")
    ax.barh(titles, tuning, left=head, color=plots.PALETTE["orange"], label="fine-tuning")
    for place, (first, second) in enumerate(zip(head, tuning, strict=True)):
        ax.annotate(f"{first + second:.1f}", (first + second, place), (4, 0), textcoords="offset points", va="center")
    ax.invert_yaxis()
    photos, side = found["photos"], found["image_size"]
    ax.set(xlabel="time (minutes)", title=f"Ways to a model, {photos:,} photos of {side} px, two processor cores")
    ax.margins(x=0.1)
    ax.legend(loc="lower right")
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    kept = read()
    _files.write_text(PATH.with_suffix(".md"), page(kept))
    plot(kept, PATH.with_suffix(".png"))
