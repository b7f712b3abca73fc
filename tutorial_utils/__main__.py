"""Photos and models in a terminal: `python -m tutorial_utils COMMAND --help` says what a command does."""

import argparse
import functools
import pathlib
import sys

from . import _files, _quiet

_FOLDER = "photos in class folders, split or not, a zip of them, a table of labels, or a data set's name"


def main(arguments=None):
    """Run one command; return its exit status: 0 good, 1 something failed or was found, 2 it could not run."""
    chosen = _parser().parse_args(_pixels_joined(sys.argv[1:] if arguments is None else arguments))
    for stream in (sys.stdout, sys.stderr):  # names of files may hold what a terminal cannot write
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return chosen.run(chosen)
    except (ValueError, OSError) as error:  # what was given cannot be used; the message says why
        print(error, file=sys.stderr)
        return 2


def _pixels_joined(arguments):
    """Return the arguments with "--pixels -1..1" as one: argparse takes what begins with a minus for an option."""
    joined = []
    for argument in arguments:
        if joined[-1:] == ["--pixels"] and argument == "-1..1":
            joined[-1] = "--pixels=-1..1"
        else:
            joined.append(argument)
    return joined


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tutorial_utils", description="Photos and models in a terminal.")
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(run, about):
        added = commands.add_parser(run.__name__.removeprefix("_"), help=about, description=f"{about.capitalize()}.")
        added.set_defaults(run=run)
        return added.add_argument

    add = command(_train, "train a model on photos of yours, test it, and leave a report, a card and a page to try it")
    add("folder", help=_FOLDER)
    add("--run-dir", help="folder for the results (default: runs/NAME OF THE FOLDER)")
    add("--effort", default="quick", choices=("quick", "best"), help="quick, or fine-tuned after that (%(default)s)")
    add("--backbone", help="the pretrained network (default: efficientnet_lite0)")
    add("--image-size", type=int, help="image side in pixels (default: 224)")
    add("--seed", type=int, help="seed of the split and of the training (default: 0)")
    add = command(_course, "run every chapter and say where the results are")
    add("--labs", action="store_true", help="run the labs instead of the chapters")
    add("--run-dir", default="runs", help="folder for the run folders (%(default)s)")
    add("--photos-per-class", type=int, help="use a smaller sample of the photos")
    add("--backbone", help="the pretrained network (default: the chapters' own)")
    add("--dataset", help="a data set's name or a folder (default: the chapters' own)")
    add("--image-size", type=int, help="image side in pixels")
    command(_doctor, "check that this machine is ready for the course")
    add = command(_fetch, "download photos and weights now, for a machine that will be offline")
    add("names", nargs="+", help="data sets (such as beans) and pretrained networks (such as mobilenet_v2)")
    add = command(_audit, "list what is wrong with a folder of photos; nothing is changed")
    add("folder", help=_FOLDER)
    add("--csv", action="store_true", help="print the findings as CSV")
    add("--deep", action="store_true", help="also look for wrong labels and shortcuts, with a pretrained network")
    add("--groups", action="store_true", help="propose which photos show one object, as a picture")
    add(
        "--write-groups",
        action="store_true",
        help="write what --groups proposes as groups.csv beside the class folders",
    )
    add = command(_advise, "say what a head on all layers brings, and what fine-tuning would take and bring")
    add("folder", help=_FOLDER)
    add("--backbone", default="efficientnet_lite0", help="the pretrained network (%(default)s)")
    add("--image-size", type=int, default=224, help="image side in pixels (%(default)s)")
    add("--seed", type=int, default=0, help="seed of the split (%(default)s)")
    add = command(_predict, "classify photos with a saved model, one line per photo")
    add("model", help="a run folder, a .keras or .h5 file, or an export (.tflite, .onnx) in its run folder")
    add("photos", nargs="+", help="photos, folders of photos, or patterns such as 'new/*.jpg'")
    add("--csv", action="store_true", help="print CSV, with the probability of every class")
    add("--class-names", help="file with one class per line (default: labels.txt beside the model)")
    ranges = "0-255, 0-1, -1..1, caffe or torch (default: 0-255; for a model of Teachable Machine: -1..1)"
    add("--pixels", help=f"pixels that the model takes: {ranges}")
    add("--output", default="probabilities", help="what the model returns: probabilities or logits (%(default)s)")
    add("--image-size", type=int, help="image side in pixels, if the model takes any")
    add = command(_compare, "compare the settings of a grid of runs, seed by seed")
    add("folder", help="the folder that experiments.run_grid has filled")
    return parser


def _train(chosen):
    """Train a model; 0: it is there, 1: a cell failed, 2: the photos or an argument are of no use, 130: interrupted."""
    from .course import train

    names = ("effort", "backbone", "image_size", "seed")
    parameters = {name: getattr(chosen, name) for name in names if getattr(chosen, name) is not None}
    try:
        run = train.train(chosen.folder, chosen.run_dir, **parameters)
    except train.Stopped as error:
        print(f"Stopped. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on where it was.", file=sys.stderr)
        return 130
    print(train.closing_words(run))
    return 0


def _course(chosen):
    """Run the chapters or the labs; 0: all ran, 1: a cell failed, 130: interrupted."""
    import papermill

    from .course import execution

    names = ("photos_per_class", "backbone", "dataset", "image_size")
    parameters = {name: getattr(chosen, name) for name in names if getattr(chosen, name) is not None}
    what, notebooks, run_dir = "chapter", execution.chapters(), chosen.run_dir
    if chosen.labs:
        what, notebooks, run_dir = "lab", execution.labs(), pathlib.Path(chosen.run_dir) / "labs"
    try:
        rows = execution.execute_chapters(notebooks, run_dir, parameters)
    except papermill.PapermillExecutionError as error:
        print(f"\nStopped: a cell of a {what} failed with {error.ename}: {error.evalue}", file=sys.stderr)
        print(f"What ran before it is in {run_dir}/<{what}>/.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nInterrupted. What ran is in {run_dir}/<{what}>/. The same command starts again.", file=sys.stderr)
        return 130
    print(execution.summarize(rows, run_dir, what))
    return 0


def _doctor(_chosen):
    """Print a line per check; 0: ready, 1: something is missing."""
    from .course import doctor

    table = doctor.check_machine()
    print(table.to_string(index=False))
    return 0 if table["ready"].all() else 1


def _fetch(chosen):
    """Download each data set and network that is not here yet; 0: all are here, 1: some are not, 2: unknown names."""
    from .data import catalog

    sets, networks = catalog.names(), ()
    if not set(chosen.names) <= set(sets):  # TensorFlow is loaded for networks only
        from .models import backbones

        networks = backbones.NAMES
    unknown = ", ".join(name for name in chosen.names if name not in (*sets, *networks))
    if unknown:
        raise ValueError(f"Not known: {unknown}. Data sets: {', '.join(sets)}. Networks: {', '.join(networks)}.")
    missing = 0
    for name in chosen.names:
        try:
            if name in networks:
                print(f"{name}: weights {backbones.get(name, fallback=None).weights_file}")
            else:
                print(f"{name}: {len(catalog.load_photos(name)):,} photos")
        except (ValueError, OSError, RuntimeError) as error:  # RuntimeError: weights that cannot be downloaded
            missing += 1
            print(f"{name}: {error}", file=sys.stderr)
    return int(missing > 0)


def _audit(chosen):
    """Print the findings; 0: no error and no warning, 1: some."""
    from .data import audit, catalog

    tell = functools.partial(print, file=sys.stderr if chosen.csv else sys.stdout)
    photos = catalog.load_photos(chosen.folder, check_photos=False, tell=tell)
    if chosen.groups or chosen.write_groups:
        return _groups(chosen, photos)
    findings, cues, lines = _examine(photos) if chosen.deep else (audit.audit_photos(photos), None, [])
    if chosen.csv:
        findings.to_csv(sys.stdout, index=False, lineterminator="\n")
    else:
        print(audit.format_findings(findings, pathlib.Path(photos["path"].iloc[0]).parents[1]))
    if cues is not None:
        print(_shortcuts(cues), file=sys.stderr if chosen.csv else sys.stdout)
    for line in lines:
        print(line, file=sys.stderr)
    return int(findings["severity"].isin(["error", "warning"]).any() or (cues is not None and cues["fires"].any()))


def _groups(chosen, photos):
    """Propose series of photos, and write them down if told to; 0: there are none, 1: there are some."""
    from .course import prepare
    from .data import catalog, image_stats, layouts, series

    if chosen.folder in catalog.names() or (photos["group"] != photos["path"]).any():
        raise ValueError(f"{chosen.folder} brings its own groups; there is nothing to propose.")
    proposed = series.propose_series(photos, image_stats.compute_stats(photos))
    if not len(proposed):
        print("Nothing in names, times or pictures says that photos belong together.")
        return 0
    count = proposed["group"].nunique()
    print(f"{len(proposed):,} of {len(photos):,} photos seem to stand in {count:,} series:")
    for why, rows in proposed.groupby("why"):
        print(f"  by {why}: {rows['group'].nunique():,} series of {len(rows):,} photos")
    picture = _files.run_path("runs/audit") / "series.png"
    _files.replace_with(picture, lambda path: prepare.plot_series(proposed).savefig(path, dpi=100, format="png"))
    print(f"The largest are in {picture}. Look at them: this is a guess.")
    if chosen.write_groups:
        root = layouts.read_folder(chosen.folder, check=False).root
        print(f"Written: {series.write_groups(proposed, root)}. Take out the rows that you do not believe.")
    else:
        print(f"To keep it: python -m tutorial_utils audit {chosen.folder} --write-groups")
    return 1


def _examine(photos):
    """Return (findings, cues, lines), as prepare.deep_audit does."""
    _quiet.import_tensorflow()
    from .course import prepare
    from .models import backbones

    return prepare.deep_audit(photos, backbones.get("efficientnet_lite0"), 224)


def _shortcuts(cues):
    """Return what else predicts the class, as text: one line a cue."""
    from .data import shortcuts

    lines = [f"What else tells the class? Chance {cues['chance'][0]:.1%}, the pictures {cues['subject'][0]:.1%}."]
    for row in cues.dropna(subset="accuracy").itertuples():
        fires = "  <- a shortcut: a model may learn this instead of the subject" if row.fires else ""
        lines.append(f"  {shortcuts.CUES[row.cue]}: {row.accuracy:.1%} ({row.low:.1%} to {row.high:.1%}){fires}")
    return "\n".join(lines)


def _advise(chosen):
    """Print the advice for the photos of a folder, its test photos left aside."""
    _quiet.import_tensorflow()
    from .course import adviser
    from .data import catalog, image_stats, splits
    from .models import backbones

    photos = catalog.load_photos(chosen.folder)
    photos = splits.split(photos, seed=chosen.seed, stats=image_stats.compute_stats(photos))
    known = photos[photos["split"] != "test"].reset_index(drop=True)
    print(f"{len(known):,} photos are looked at; the {len(photos) - len(known):,} test photos stay closed.")
    print(adviser.advise(known, backbones.get(chosen.backbone), chosen.image_size, chosen.seed))
    return 0


def _predict(chosen):
    """Print the class of each photo; 0: of all, 1: some could not be read."""
    if not pathlib.Path(chosen.model).exists():  # said before TensorFlow is loaded
        raise ValueError(f"There is no {chosen.model}. Give a run folder that holds model.keras, or a model.")
    _quiet.import_tensorflow()
    from .course import predictor

    model = predictor.load_predictor(
        chosen.model, chosen.class_names, chosen.pixels, chosen.output, image_size=chosen.image_size
    )
    paths, others = predictor.find_photos(chosen.photos)
    if not paths:
        raise ValueError(f"There are no photos in {', '.join(chosen.photos)}.")
    if others:
        print(f"{others:,} files that are no photos are passed over.", file=sys.stderr)
    bad = 0
    for number, table in enumerate(predictor.predict_photos(model, paths)):
        bad += int((table["problem"] != "").sum())
        if chosen.csv:
            table.to_csv(sys.stdout, index=False, header=number == 0, lineterminator="\n", float_format="%.6f")
        else:
            print("\n".join(map(_answer, table.itertuples())))
        sys.stdout.flush()  # what is predicted is there if the next batch never comes
    if bad:
        print(f"{bad:,} of {len(paths):,} photos could not be read.", file=sys.stderr)
    return int(bad > 0)


def _answer(row):
    """Return a line of `predict`, for a row of predictor.predict_photos."""
    if row.problem:
        return f"{row.path}: not read. {row.problem}"
    strange = "  (unlike all photos that the model learned from)" if row.unknown == "yes" else ""
    return f"{row.path}: {row[2]} {row.confidence:.0%}{strange}"


def _compare(chosen):
    """Print what the runs of a grid support."""
    from .course import comparison

    table, apart = comparison.compare_runs(chosen.folder)
    base = next(name for name in table.index if name not in apart.index)
    print(table.round(3).to_string())
    print(comparison.conclusions(apart, base))
    print(f"As a page: {chosen.folder}/comparison.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
