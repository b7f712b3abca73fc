"""`course` executes the chapters, `doctor` checks the machine, `audit` a folder; `advise` says how to train on it,
`fetch` gets photos and weights for a machine that will be offline; `predict` asks a trained model about new photos,
`compare` what a grid of runs supports."""

import argparse
import pathlib
import sys


def main(arguments=None):
    """Run one command; return its exit status: 0 good, 1 something failed or was found, 2 it could not run."""
    parser = argparse.ArgumentParser(prog="python -m tutorial_utils", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    course = commands.add_parser("course", help="execute every chapter and say where the results are")
    course.add_argument("--run-dir", default="runs", help="folder for the run folders (default: runs)")
    course.add_argument("--photos-per-class", type=int, help="a smaller sample of the photos")
    course.add_argument("--backbone", help="the network to borrow (default: the chapters' own)")
    course.add_argument("--dataset", help="a data set's name or a folder (default: the chapters' own)")
    course.add_argument("--image-size", type=int, help="side of the photos in pixels")
    commands.add_parser("doctor", help="check that this machine is ready")
    audit = commands.add_parser("audit", help="say what is wrong with a folder of class folders; changes nothing")
    audit.add_argument("folder", help="folder that holds one folder of photos a class, or a data set's name")
    audit.add_argument("--csv", action="store_true", help="print the findings as CSV")
    audit.add_argument(
        "--deep", action="store_true", help="also doubt labels and look for shortcuts, with a borrowed network"
    )
    advise = commands.add_parser("advise", help="head, last layers or all? What a minute of trials says")
    advise.add_argument("folder", help="folder that holds one folder of photos a class, or a data set's name")
    advise.add_argument("--backbone", default="efficientnet_lite0", help="the network to borrow (%(default)s)")
    advise.add_argument("--image-size", type=int, default=128, help="side of the photos in pixels (%(default)s)")
    advise.add_argument("--seed", type=int, default=0, help="of the split and of the trials (%(default)s)")
    fetch = commands.add_parser("fetch", help="fetch photos and weights now, for a machine that will be offline")
    fetch.add_argument("names", nargs="+", help="data sets (such as beans) and networks (such as mobilenet_v2)")
    compare = commands.add_parser("compare", help="compare the settings of a grid of runs, seed by seed")
    compare.add_argument("folder", help="the folder that experiments.run_grid has filled")
    predict = commands.add_parser("predict", help="say what a saved model makes of photos; a row each")
    predict.add_argument("model", help="a run folder, or a .keras or .h5 file")
    predict.add_argument("photos", nargs="+", help="photos, folders of photos, or patterns such as 'new/*.jpg'")
    predict.add_argument("--csv", action="store_true", help="print CSV, with the probability of every class")
    predict.add_argument("--class-names", help="file with a class a line (default: labels.txt beside the model)")
    predict.add_argument("--pixels", default="0-255", help="what the model wants: 0-255, 0-1 or -1..1 (%(default)s)")
    predict.add_argument("--output", default="probabilities", help="what it gives: or logits (%(default)s)")
    predict.add_argument("--image-size", type=int, help="side of the photos in pixels, if the model takes any")
    chosen = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # names of files may hold what a terminal cannot write
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    commands = {"doctor": _doctor, "course": _course, "audit": _audit, "advise": _advise}
    commands |= {"compare": _compare, "fetch": _fetch, "predict": _predict}
    return commands[chosen.command](chosen)


def _audit(chosen):
    """Print the findings; 0: no error and no warning, 1: some, 2: it could not run."""
    from .data import audit, catalog

    try:
        photos = catalog.load_photos(chosen.folder, check_photos=False)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    findings, cues, reason = _examine(photos, chosen.deep)
    if chosen.csv:
        findings.to_csv(sys.stdout, index=False, lineterminator="\n")
    else:
        print(f"{len(photos):,} photos, {photos['label'].nunique()} classes.")
        print(audit.format_findings(findings, pathlib.Path(photos["path"].iloc[0]).parents[1]))
    if cues is not None:
        print(_shortcuts(cues), file=sys.stderr if chosen.csv else sys.stdout)
    if reason:
        print(reason, file=sys.stderr)
    return int(findings["severity"].isin(["error", "warning"]).any() or (cues is not None and cues["fires"].any()))


def _examine(photos, deep):
    """Return (findings, cues, reason), as checkup.deep_audit does; cues is None and reason "" unless `deep`."""
    if deep:
        from .course import checkup
        from .models import backbones

        return checkup.deep_audit(photos, backbones.get("efficientnet_lite0"), 224)
    from .data import audit

    return audit.audit_photos(photos), None, ""


def _shortcuts(cues):
    """Return what the shortcut probe says as text, one line a cue."""
    from .data import shortcuts

    lines = [f"What else tells the class? Chance {cues['chance'][0]:.1%}, the pictures {cues['subject'][0]:.1%}."]
    for row in cues.dropna(subset="accuracy").itertuples():
        fires = "  <- a shortcut: a model may learn this instead of the subject" if row.fires else ""
        lines.append(f"  {shortcuts.CUES[row.cue]}: {row.accuracy:.1%} ({row.low:.1%} to {row.high:.1%}){fires}")
    return "\n".join(lines)


def _advise(chosen):
    """Print the advice for the photos of a folder, its test photos left aside; 0: done, 2: it could not run."""
    from .course import adviser
    from .data import catalog, image_stats, splits
    from .models import backbones

    try:
        photos = catalog.load_photos(chosen.folder)
        photos = splits.split(photos, seed=chosen.seed, stats=image_stats.compute_stats(photos))
        known = photos[photos["split"] != "test"].reset_index(drop=True)
        print(f"{len(known):,} photos are tried out; the {len(photos) - len(known):,} test photos stay closed.")
        advice = adviser.advise(known, backbones.get(chosen.backbone), chosen.image_size, chosen.seed)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(adviser.advice_table(advice).to_string())
    print(advice)
    return 0


def _fetch(chosen):
    """Fetch each data set and network that is named and not there yet; 0: all there, 1: some not, 2: unknown names."""
    from .data import catalog

    sets, networks = catalog.names(), ()
    if not set(chosen.names) <= set(sets):  # TensorFlow is loaded for networks only
        from .models import backbones

        networks = backbones.NAMES
    unknown = [name for name in chosen.names if name not in (*sets, *networks)]
    if unknown:
        print(
            f"Not known: {', '.join(unknown)}. Data sets: {', '.join(sets)}. Networks: {', '.join(networks)}.",
            file=sys.stderr,
        )
        return 2
    missing = 0
    for name in chosen.names:
        try:
            if name in networks:
                print(f"{name}: weights {backbones.get(name, fallback=None).weights_file}")
            else:
                print(f"{name}: {len(catalog.load_photos(name)):,} photos")
        except (ValueError, OSError, RuntimeError) as error:  # RuntimeError: weights that cannot be had
            missing += 1
            print(f"{name}: {error}", file=sys.stderr)
    return int(missing > 0)


def _compare(chosen):
    """Print what the runs of a grid support; 0: done, 2: there is nothing to compare."""
    from .course import comparison

    try:
        table, apart = comparison.compare(chosen.folder)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    base = next(name for name in table.index if name not in apart.index)
    print(table.round(3).to_string())
    print(comparison.conclusions(apart, base))
    print(f"As a page: {chosen.folder}/comparison.html")
    return 0


def _predict(chosen):
    """Print what a model says of photos; 0: of all, 1: some could not be read, 2: it could not run."""
    if not pathlib.Path(chosen.model).exists():  # said before TensorFlow is loaded
        print(f"There is no {chosen.model}. Give a run folder that holds model.keras, or a model.", file=sys.stderr)
        return 2
    from .course import predictor

    try:
        judge = predictor.load_predictor(
            chosen.model, chosen.class_names, chosen.pixels, chosen.output, image_size=chosen.image_size
        )
        paths, others = predictor.find_photos(chosen.photos)
        if not paths:
            raise ValueError(f"There are no photos in {', '.join(chosen.photos)}.")
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if others:
        print(f"{others:,} files do not end like photos and are left out.", file=sys.stderr)
    bad = 0
    for first, table in enumerate(predictor.predict_photos(judge, paths)):
        bad += int((table["problem"] != "").sum())
        if chosen.csv:
            table.to_csv(sys.stdout, index=False, header=first == 0, lineterminator="\n", float_format="%.6f")
        else:
            print("\n".join(map(_answer, table.itertuples())))
        sys.stdout.flush()  # what is answered is there if the next batch never comes
    if bad:
        print(f"{bad:,} of {len(paths):,} photos could not be read.", file=sys.stderr)
    return int(bad > 0)


def _answer(row):
    """Return a line of `predict`, for a row of predictor.predict_photos."""
    if row.problem:
        return f"{row.path}: not read. {row.problem}"
    strange = "  (unlike all photos that the model learned from)" if row.unknown == "yes" else ""
    return f"{row.path}: {row[2]} {row.confidence:.0%}{strange}"


def _doctor(_chosen):
    from .course import doctor

    table = doctor.check_machine()
    print(table.to_string(index=False))
    return 0 if table["ready"].all() else 1


def _course(chosen):
    import papermill

    from .course import execution

    names = ("photos_per_class", "backbone", "dataset", "image_size")
    parameters = {name: getattr(chosen, name) for name in names if getattr(chosen, name) is not None}
    try:
        rows = execution.execute_chapters(execution.chapters(), chosen.run_dir, parameters)
    except papermill.PapermillExecutionError as error:
        print(f"\nStopped: a cell of a chapter failed with {error.ename}: {error.evalue}", file=sys.stderr)
        print(f"The chapters as far as they ran are in {chosen.run_dir}/<chapter>/.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            f"\nInterrupted. What ran is in {chosen.run_dir}/<chapter>/; `make course` starts again.", file=sys.stderr
        )
        return 130
    print(execution.summarize(rows, chosen.run_dir))
    return 0


if __name__ == "__main__":
    sys.exit(main())
