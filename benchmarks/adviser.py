"""How good the adviser's advice is on sets that it has not seen: from strategies.csv, one set left out at a time.

    python -m benchmarks.adviser

Regret is explained at adviser.regrets. Writes adviser.csv (one row a cell) and adviser.md.
"""

import pandas

from tutorial_utils import _files
from tutorial_utils.course import adviser, benchmark_tables

from . import results


def judge(table):
    """Return one row for each set, number and seed: what was advised, what it brought, what else would have."""
    tables = adviser.complete_cells(table)
    keys, rows = ["set", "photos_per_class", "seed"], []
    for (_, cell), (_, signals), (_, truth) in zip(*map(pandas.DataFrame.iterrows, tables), strict=True):
        expected, lead, advised = adviser.predict_strategies(signals, table[table["set"] != cell["set"]])
        held = (expected["low"] <= truth[expected.index]) & (truth[expected.index] <= expected["high"])
        row = cell[keys].to_dict() | {"advised": advised, "sure": lead[advised] > 0}
        found = {"accuracy": truth[advised], "held": held.mean(), "held_advised": float(held[advised])}
        rows.append(row | truth.to_dict() | found)
    return pandas.DataFrame(rows)


def main():
    """Judge the adviser and write what was found."""
    table, caption = benchmark_tables.read_table("strategies")
    judged = judge(table)
    found = adviser.regrets(judged)
    results.keep_table("adviser", judged, "python -m benchmarks.adviser", show=False)
    means = judged.groupby(["set", "photos_per_class"])[[*adviser.STRATEGIES, "accuracy"]].mean().mul(100).round(1)
    means["advised"] = judged.groupby(["set", "photos_per_class"])["advised"].agg(", ".join)
    lines = ["| set | photos a class | head | last | all | as advised | advised, by seed |", "| --- " * 7 + "|"]
    for (name, number), row in means.iterrows():
        lines.append(f"| {name} | {number} | " + " | ".join(map(str, row.tolist())) + " |")
    parts = [
        "# How good the advice is",
        f"{caption}; each set judged by an adviser that knows the others only. Accuracies in %, means over the seeds.",
        "Not a blind record: the signals that the advice goes by were picked by their regret on earlier rows of these.",
        "\n".join(lines),
        "Mean regret against the best strategy in hindsight for that set and number, in points: "
        + ", ".join(f"{name} {value:.2f}" for name, value in found.items())
        + ".",
        f"The {100 * adviser.LEVEL:.0f} % intervals of the expected accuracies hold the measured one in "
        f"{judged['held'].mean():.0%} of {len(judged) * len(adviser.STRATEGIES)} cases, those of the advised strategy "
        f"in {judged['held_advised'].mean():.0%} of {len(judged)}.",
    ]
    _files.write_text(results.HERE / "adviser.md", "\n\n".join(parts) + "\n")
    print("\n\n".join(parts[4:]))


if __name__ == "__main__":
    main()
