"""A grid of measurements: each cell in a process of its own, kept as it ends.

A grid that was stopped goes on where it was when the same command is given again.
"""

import concurrent.futures
import json
import os
import pathlib
import queue

import pandas
import tqdm

from tutorial_utils import _machine

from . import results


def options(parser):
    """Add what every grid takes to an argparse parser."""
    parser.add_argument("folders", nargs="*", help="folders of class folders, or data sets' names")
    parser.add_argument("--workers", type=int, default=_machine.cores(), help="cells at a time, a processor core each")
    parser.add_argument("--one", help="measure this cell only (JSON) and print its rows")


def seeded_options(parser, seeds):
    """Add what `seeded` takes to an argparse parser, and `options`."""
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--backbone", default="efficientnet_lite0")
    options(parser)


def seeded(arguments):
    """Return a cell for each seed and set, at one image size and with one backbone."""
    return [
        {"set": name, "backbone": arguments.backbone, "image_size": arguments.image_size, "seed": seed}
        for seed in range(arguments.seeds)
        for name in sets(arguments)
    ]


def sets(arguments):
    """Return {name: where catalog.load_photos finds it} of the folders that were given."""
    paths = [pathlib.Path(folder) for folder in arguments.folders]
    return {path.name: str(path.resolve()) if path.is_dir() else str(path) for path in paths}


def kept(name):
    """Return the rows of benchmarks/<name>.csv measured so far, as a DataFrame."""
    path = results.HERE / f"{name}.csv"
    return pandas.read_csv(path, comment="#") if path.is_file() else pandas.DataFrame()


def run(name, cells, measure, arguments, command):
    """Measure those of `cells` that benchmarks/<name>.csv does not hold; return its rows, all of them.

    cells : dicts of plain values that tell one cell from another, `set` (see `sets`) among them; each becomes the first
        columns of its rows
    measure : function of a cell's values, and of `photos`, the set's table, that returns a list of dicts; it runs in
        a process of its own, `command --one`
    arguments : parsed, with `options`; command : "python -m benchmarks....", which the table says made it
    """
    if arguments.one:
        cell = json.loads(arguments.one)
        core, where = cell.pop("core"), cell.pop("where")
        if core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {core})  # two processes on a core each do more than one after the other on both
        from tutorial_utils.data import catalog

        print(json.dumps({"rows": measure(photos=catalog.load_photos(where), **cell)}))
        raise SystemExit
    table, keys = kept(name), list(cells[0])
    done = {tuple(row) for row in table[keys].itertuples(index=False)} if len(table) else set()
    left = [cell for cell in cells if tuple(cell.values()) not in done]
    places = sets(arguments)
    module, *flags = command.removeprefix("python -m benchmarks.").split()
    free = queue.SimpleQueue()
    for core in range(arguments.workers):
        free.put(core if arguments.workers > 1 else None)

    def one(cell):
        core = free.get()
        try:
            asked = json.dumps({**cell, "core": core, "where": places[cell["set"]]})
            return cell, results.in_own_process(module, *flags, "--one", asked, empty_cache=False)
        finally:
            free.put(core)

    with concurrent.futures.ThreadPoolExecutor(arguments.workers) as pool:
        coming = [pool.submit(one, cell) for cell in left]
        try:
            for future in tqdm.tqdm(concurrent.futures.as_completed(coming), total=len(left), unit="cell"):
                cell, found = future.result()
                table = pandas.concat([table, pandas.DataFrame([cell | row for row in found["rows"]])])
                results.keep_table(name, table, command, show=False)
        finally:
            pool.shutdown(cancel_futures=True)
    return table
