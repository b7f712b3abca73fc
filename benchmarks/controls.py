"""How long a reader waits, in JupyterLab, from moving a control to the redrawn picture.

    python -m benchmarks.controls [--moves 9] [--chapters 01_setup ...]

Each chapter, and each lab with a control, runs at its defaults, offline, in a real browser; then each of its controls
is moved by keys. The time is taken in the page: from the key (or a menu's choice) to the frame that shows the new
picture. Needs the extra `test` and Chromium. What must be reached: a median of 0.4 s where a control only draws, of 1 s
where it trains a head.
"""

import argparse
import datetime
import os
import pathlib
import statistics
import tempfile

import nbformat
import pandas

from notebooks.source import derive
from tests.browser import hands, lab, moved
from tests.notebooks import solved

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIMITS = {False: 0.4, True: 1.0}  # seconds, by whether a head is trained
TABLE = ROOT / "benchmarks" / "controls.csv"


def main():
    """Measure the chapters that were asked for; keep the rows of the others."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=9, help="how often each control is moved")
    parser.add_argument("--chapters", nargs="*", default=list(moved.CONTROLS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, lab.pages() as page:
        folder = pathlib.Path(folder)
        with lab.Lab(folder, TUTORIAL_OFFLINE=1, TUTORIAL_RUNS=folder / "runs") as server:
            for chapter in arguments.chapters:
                keep(chapter, measure(server, page(), chapter, arguments.moves))


def measure(server, page, chapter, moves):
    """Return the rows of a chapter: the median of the seconds that each control took."""
    path = server.notebooks / f"{chapter}.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(derive.derive(solved.source(ROOT, chapter)), path)
    notebook = lab.Notebook(page, server, f"{chapter}.ipynb")
    errors = notebook.run_all(seconds=900)
    if errors:
        raise RuntimeError(f"{chapter}: {errors}")
    rows = []
    for name, (number, _) in moved.found(notebook).items():
        outputs = notebook.output(number)
        for one in moved.CONTROLS[chapter][name]:
            seconds = times(notebook, outputs, one, moves)
            told = {"moves": len(seconds), "median_s": statistics.median(seconds), "slowest_s": max(seconds)}
            told["load"] = os.getloadavg()[0]  # processes that wanted a core, these included
            rows.append({"chapter": chapter, "control": name, "label": one.label, "kind": one.kind,
                         "trains": name in moved.TRAINS, **told})  # fmt: skip
            print(rows[-1], flush=True)
    notebook.close()
    return rows


def times(notebook, outputs, one, moves):
    """Return the seconds that each of so many moves by keys took."""
    control, read, seconds = hands.Control(outputs, one.label, one.kind), hands.stopwatch(outputs), []
    for _ in range(moves):
        control.by_keys()
        notebook.rest()
        notebook.page.wait_for_timeout(300)
        taken = read()
        if taken is None:
            raise RuntimeError(f"{one.label}: a move has drawn nothing")
        seconds.append(taken)
    return seconds


def keep(chapter, rows):
    """Write the rows of a chapter into the table, in the place of those that it had; say what is too slow."""
    known = pandas.read_csv(TABLE, comment="#") if TABLE.is_file() else pandas.DataFrame()
    others = known[known["chapter"] != chapter] if len(known) else known
    table = pandas.concat([others, pandas.DataFrame(rows)]).sort_values("chapter", kind="stable")
    cores = f"{os.cpu_count()} processor cores, which others used too"
    note = f"# {datetime.date.today()}, python -m benchmarks.controls; {cores}"
    TABLE.write_text(f"{note}\n{table.round(3).to_csv(index=False)}", encoding="utf-8")
    for row in rows:
        if row["median_s"] > LIMITS[row["trains"]]:
            print(f"too slow: {row['control']}, {row['label']}: {row['median_s']} s")


if __name__ == "__main__":
    main()
