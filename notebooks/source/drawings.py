"""The drawings of the chapters, notebooks/drawings/*.svg: made here, in one visual language, light and dark.

    python notebooks/source/drawings.py

derive.py writes them too. Each has a background of its own, so it can be read on any page; texts are 15 units high or
more in a drawing 720 wide, so a phone shows them at about 8 points.
"""

import html
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "drawings"
STYLE = """
  .card { fill: #ffffff; stroke: #d3d9d6; } .ink { fill: #1d2321; } .soft { fill: #55605b; }
  .line { stroke: #1d2321; fill: none; stroke-width: 2; } .cold { fill: #d6e9f5; stroke: #0072b2; }
  .warm { fill: #fbe3cf; stroke: #d55e00; } .leaf { fill: #5d9b54; stroke: #35662f; } .spot { fill: #8a4b1f; }
  .bar { fill: #0072b2; } .track { fill: #d3d9d6; }
  text { font-family: system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
  @media (prefers-color-scheme: dark) {
    .card { fill: #1e2426; stroke: #3a4345; } .ink { fill: #e6eaea; } .soft { fill: #a8b3b0; }
    .line { stroke: #e6eaea; } .cold { fill: #16384d; stroke: #7cc4f2; } .warm { fill: #4d2a12; stroke: #ff9c4f; }
    .bar { fill: #7cc4f2; } .track { fill: #3a4345; } }
"""


def drawing(title, height, *parts, width=720):
    """Return an SVG of some parts on a card; title : for those who cannot see it."""
    told = html.escape(title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{told}">\n'
        f"<title>{told}</title>\n<style>{STYLE}</style>\n"
        f'<rect class="card" x="1" y="1" width="{width - 2}" height="{height - 2}" rx="14"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def text(x, y, words, size=16, kind="ink", anchor="middle", weight=400):
    """Return a line of text whose middle, or start, is at x."""
    return (
        f'<text class="{kind}" x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}">'
        f"{html.escape(words)}</text>"
    )


def box(x, y, width, height, kind, *words):
    """Return a rounded box with lines of text in its middle."""
    lines = [
        text(
            x + width / 2,
            y + height / 2 + 6 + 22 * (place - (len(words) - 1) / 2),
            each,
            weight=600 if not place else 400,
        )
        for place, each in enumerate(words)
    ]
    rectangle = f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="10" stroke-width="2"/>'
    return rectangle + "".join(lines)


def arrow(x1, y1, x2, y2):
    """Return an arrow to the right or down."""
    head = (
        f"M{x2 - 9} {y2 - 6} L{x2} {y2} L{x2 - 9} {y2 + 6}"
        if y1 == y2
        else f"M{x2 - 6} {y2 - 9} L{x2} {y2} L{x2 + 6} {y2 - 9}"
    )
    return f'<path class="line" d="M{x1} {y1} L{x2} {y2} {head}"/>'


def leaf(x, y, size):
    """Return a leaf with spots in a square of `size` whose upper left corner is at x, y."""
    scale = size / 100
    return (
        f'<g transform="translate({x} {y}) scale({scale})">'
        '<path class="leaf" stroke-width="3" d="M50 96 C10 80 6 38 50 6 C94 38 90 80 50 96 Z"/>'
        '<path class="leaf" fill="none" stroke-width="3" '
        'd="M50 96 L50 20 M50 72 L28 54 M50 72 L72 54 M50 50 L32 36 M50 50 L68 36"/>'
        '<circle class="spot" cx="36" cy="68" r="6"/><circle class="spot" cx="66" cy="44" r="5"/>'
        '<circle class="spot" cx="62" cy="76" r="4"/></g>'
    )


def grid(x, y, cell, rows, kind="cold", size=15):
    """Return a table of texts, a square each."""
    parts = []
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            left, top = x + column * cell, y + row * cell
            parts.append(
                f'<rect class="{kind}" x="{left}" y="{top}" width="{cell}" height="{cell}" stroke-width="1.5"/>'
            )
            parts.append(text(left + cell / 2, top + cell / 2 + 5, str(value), size))
    return "".join(parts)


def base_and_head():
    """Return the picture of the whole course: photo, base, head, answer."""
    answers = [("healthy", 0.04), ("rust", 0.91), ("mildew", 0.05)]
    bars = []
    for place, (name, share) in enumerate(answers):
        y = 68 + 46 * place
        bars += [
            text(596, y, name, 15, anchor="start"),
            f'<rect class="track" x="596" y="{y + 6}" width="100" height="10" rx="5"/>',
        ]
        bars.append(f'<rect class="bar" x="596" y="{y + 6}" width="{max(6, 100 * share):.0f}" height="10" rx="5"/>')
    return drawing(
        "A leaf goes into a frozen base, which makes features of it; a small new head turns these into a class",
        236,
        leaf(24, 62, 112), text(80, 206, "your photo", 16, "soft"),
        arrow(146, 118, 186, 118),
        box(190, 56, 174, 124, "cold", "base", "borrowed, frozen", "millions of weights"),
        text(277, 206, "learned on ImageNet", 16, "soft"),
        arrow(368, 118, 434, 118), text(401, 100, "features", 15, "soft"),
        box(440, 78, 106, 80, "warm", "head", "new, small"),
        text(493, 206, "learns from yours", 16, "soft"),
        arrow(550, 118, 588, 118), *bars, text(646, 206, "the answer", 16, "soft"),
    )  # fmt: skip


def photo_to_numbers():
    """Return the picture of a photo, some of its pixels, and the numbers of one of them."""
    shades = [["#4f8a47", "#5d9b54", "#6aa861"], ["#5d9b54", "#8a4b1f", "#7a5a2a"], ["#55924d", "#6b4a20", "#5d9b54"]]
    squares = "".join(
        f'<rect x="{262 + 44 * column}" y="{52 + 44 * row}" width="44" height="44" fill="{shade}" stroke="#ffffff"/>'
        for row, line in enumerate(shades)
        for column, shade in enumerate(line)
    )
    return drawing(
        "A leaf, a part of it enlarged to single squares, and the three numbers of one square",
        226,
        leaf(36, 40, 140), '<rect class="line" x="106" y="88" width="26" height="26"/>',
        arrow(186, 118, 250, 118), text(106, 206, "photo", 16, "soft"),
        squares, '<rect class="line" x="306" y="96" width="44" height="44" stroke-width="3"/>',
        text(328, 206, "nine of its pixels", 16, "soft"),
        arrow(404, 118, 468, 118),
        box(480, 46, 200, 40, "warm", "red 138"), box(480, 96, 200, 40, "cold", "green 75"),
        box(480, 146, 200, 40, "cold", "blue 31"), text(580, 210, "one pixel: three numbers", 16, "soft"),
    )  # fmt: skip


def convolution():
    """Return the picture of one step of a convolution, its sum worked out."""
    window, weights = [[20, 20, 90], [20, 20, 90], [20, 20, 90]], [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    total = sum(a * b for rows in zip(window, weights, strict=True) for a, b in zip(*rows, strict=True))
    return drawing(
        "A window of nine pixels, multiplied by nine weights and added up to one number",
        232,
        grid(48, 44, 46, window), text(117, 206, "a window of the photo", 16, "soft"),
        text(222, 120, "×", 30), grid(262, 44, 46, weights, "warm"), text(331, 206, "the weights", 16, "soft"),
        text(440, 120, "=", 30), box(532, 84, 96, 58, "cold", str(total)),
        text(580, 60, "-20 + 90 - 40 + 180 - 20 + 90", 15, "soft"),
        text(580, 206, "one number of the result", 16, "soft"),
    )  # fmt: skip


def gradient_descent():
    """Return the picture of a valley of loss, and the steps down to its bottom."""

    def valley(x):
        return x, round(226 - 0.0016 * (x - 380) ** 2)

    curve = " L".join("{} {}".format(*valley(x)) for x in range(60, 701, 10))
    steps = [valley(x) for x in (100, 210, 284, 330, 356)]
    path = " L".join(f"{x} {y - 16}" for x, y in steps)
    balls = [f'<circle class="warm" cx="{x}" cy="{y - 16}" r="10" stroke-width="2"/>' for x, y in steps]
    return drawing(
        "A valley: the loss for each value of a weight, and steps that go down to its bottom",
        292,
        f'<path class="line" d="M{curve}"/>', f'<path class="line" stroke-dasharray="5 5" d="M{path}"/>', *balls,
        text(118, 66, "start", 16, anchor="start"), text(180, 116, "each step: downhill", 16, "soft", anchor="start"),
        text(380, 254, "lowest loss", 16, "soft"), text(640, 278, "the weight →", 16, "soft"),
        text(24, 30, "↑ the loss", 16, "soft", anchor="start"),
    )  # fmt: skip


def last_and_all_layers():
    """Return the picture of the two kinds of head: on the last layer, and on all layers."""
    parts, lefts = [], [150, 254, 358, 462]
    for top, kind in ((30, "head on the last layer"), (166, "head on all layers")):
        parts += [leaf(24, top - 4, 60), arrow(92, top + 26, 144, top + 26)]
        for place, (left, name) in enumerate(zip(lefts, ("edges", "textures", "parts", "things"), strict=True)):
            parts.append(box(left, top, 88, 52, "cold", name))
            if place:
                parts.append(arrow(left - 16, top + 26, left - 2, top + 26))
            if kind == "head on all layers":
                parts.append(f'<path class="line" d="M{left + 44} {top + 52} L{left + 44} {top + 82}"/>')
        if kind == "head on all layers":
            parts.append(f'<path class="line" d="M194 {top + 82} L626 {top + 82}"/>')
            tip = f"M620 {top + 67} L626 {top + 58} L632 {top + 67}"
            parts.append(f'<path class="line" d="M626 {top + 82} L626 {top + 58} {tip}"/>')
        else:
            parts.append(arrow(552, top + 26, 578, top + 26))
        parts += [box(582, top, 88, 52, "warm", "head"), text(626, top - 8, kind, 15, "soft")]
    return drawing("A head on the last layer, and a head that gets features from every block", 272, *parts)


def split_by_plant():
    """Return the picture of plants with their photos, each plant whole in one of three parts."""
    parts = [
        ("train", "cold", 4, "the model learns"),
        ("validation", "warm", 2, "you choose"),
        ("test", "track", 2, "once, at the end"),
    ]
    drawn, left = [], 24
    for name, kind, plants, use in parts:
        width = 84 * plants - 12
        drawn.append(
            f'<rect class="{kind}" x="{left}" y="48" width="{width}" height="138" rx="10" stroke-width="2"/>'
            + text(left + width / 2, 34, name, 17, weight=600)
            + text(left + width / 2, 214, use, 16, "soft")
        )
        for plant in range(plants):
            x = left + 7 + 84 * plant
            drawn.append(f'<rect class="line" x="{x}" y="54" width="60" height="126" rx="8" stroke-opacity="0.45"/>')
            drawn += [leaf(x + 11, 58 + 40 * photo, 38) for photo in range(3)]
        left += width + 12
    return drawing(
        "Each plant has several photos, and all photos of a plant go into the same part: train, validation or test",
        262,
        *drawn,
        text(360, 240, "each column: one plant, photographed three times", 16, "soft"),
    )


def frozen_and_learning():
    """Return the picture of a base that is frozen, and of one whose last blocks learn too."""
    names, parts = ("edges", "textures", "parts", "things"), []
    for top, learning, told in (
        (48, 0, "frozen base: only the head learns"),
        (176, 2, "fine-tuning: later blocks learn too"),
    ):
        parts.append(text(24, top - 14, told, 16, anchor="start", weight=600))
        parts.append(leaf(24, top, 60))
        for place, name in enumerate((*names, "head")):
            kind = "warm" if place >= 4 - learning or name == "head" else "cold"
            parts += [arrow(88 + 122 * place, top + 30, 104 + 122 * place, top + 30)]
            parts.append(box(108 + 122 * place, top + 2, 94, 56, kind, name))
    parts += [
        '<rect class="cold" x="108" y="262" width="22" height="22" rx="5" stroke-width="2"/>',
        text(140, 279, "keeps its weights", 16, "soft", anchor="start"),
        '<rect class="warm" x="352" y="262" width="22" height="22" rx="5" stroke-width="2"/>',
        text(384, 279, "learns from your photos", 16, "soft", anchor="start"),
    ]
    return drawing("A frozen base with a head that learns, and a base whose later blocks learn too", 306, *parts)


def early_and_late_features():
    """Return the picture of a photo, a fine early map of its outline, and a coarse late map."""

    def cells(left, top, side, lit):
        rows = []
        for row, line in enumerate(lit):
            for column, shade in enumerate(line):
                rows.append(
                    f'<rect x="{left + side * column}" y="{top + side * row}" width="{side}" height="{side}" '
                    f'class="bar" fill-opacity="{0.08 + 0.9 * shade:.2f}"/>'
                )
        return "".join(rows)

    late = [[0, 0.1, 0.2, 0], [0.1, 0.9, 0.4, 0.1], [0, 0.3, 0.7, 0.2], [0, 0.1, 0.2, 0]]
    outline = (
        '<g transform="translate(286 42) scale(1.4)"><path class="line" stroke-width="3" '
        'd="M50 96 C10 80 6 38 50 6 C94 38 90 80 50 96 Z M50 96 L50 20 M50 72 L28 54 M50 72 L72 54 M50 50 L32 36 '
        'M50 50 L68 36"/></g><rect class="line" x="282" y="38" width="148" height="148" rx="4"/>'
    )
    return drawing(
        "A leaf, an early feature map that shows its outline, and a late one of a few coarse spots",
        244,
        leaf(60, 42, 140), text(130, 212, "your photo", 16, "soft"), arrow(214, 112, 268, 112),
        outline, text(356, 212, "early: edges, fine", 16, "soft"), arrow(442, 112, 496, 112),
        cells(510, 38, 37, late), '<rect class="line" x="510" y="38" width="148" height="148" rx="4"/>',
        text(584, 212, "late: patterns, coarse", 16, "soft"),
    )  # fmt: skip


DRAWINGS = {
    "base_and_head": base_and_head,
    "photo_to_numbers": photo_to_numbers,
    "convolution": convolution,
    "gradient_descent": gradient_descent,
    "last_and_all_layers": last_and_all_layers,
    "split_by_plant": split_by_plant,
    "frozen_and_learning": frozen_and_learning,
    "early_and_late_features": early_and_late_features,
}


def open_in_colab():
    """Return the badge that opens a chapter in Colab."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="128" height="24" role="img" aria-label="Open in Colab">'
        '<title>Open in Colab</title><rect width="128" height="24" rx="5" fill="#3c4a52"/>'
        '<path d="M12 6 L20 12 L12 18 Z" fill="#ffb74d"/><text x="28" y="16.5" font-size="13" fill="#ffffff" '
        "font-family=\"system-ui, 'Segoe UI', Roboto, sans-serif\">Open in Colab</text></svg>\n"
    )


def main(folder=FOLDER):
    """Write every drawing into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in (DRAWINGS | {"open_in_colab": open_in_colab}).items():
        (folder / f"{name}.svg").write_text(draw(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
