import hostile
import numpy as np
import pandas
import pytest

from tutorial_utils.data import image_stats, shortcuts


@pytest.fixture
def photos(tmp_path):
    """Two classes of 40 photos, drawn by the same hand; the file names tell nothing."""
    names = np.random.default_rng(0).permutation(1000)[:80]
    paths = [str(tmp_path / f"{name:03d}.jpg") for name in names]
    labels = pandas.Categorical(["a", "b"] * 40)
    return pandas.DataFrame({"path": paths, "label": labels, "group": [f"{number // 4}" for number in range(80)]})


def write(photos, change):
    """Write the photos, each as `change(picture, its class number)`; return their facts."""
    for seed, (path, code) in enumerate(zip(photos["path"], photos["label"].cat.codes, strict=True)):
        picture, options = change(hostile.picture(80, 60, seed=seed), code)
        picture.save(path, quality=90, **options)
    return image_stats.compute_stats(photos, progress=False)


def right(cue, photos, stats):
    return (shortcuts.predict_from_cue(cue, photos, stats) == photos["label"].cat.codes).mean()


def test_no_cue_tells_classes_apart_that_differ_in_nothing(photos):
    """Chance is 0.5; of 80 photos 0.65 or more would be right by chance once in 200 times."""
    stats = write(photos, lambda picture, code: (picture, {}))
    assert shortcuts.majority_share(photos) == 0.5
    for cue in ("border", "name", "color", "bytes"):
        assert right(cue, photos, stats) < 0.66
    assert shortcuts.predict_from_cue("dimensions", photos, stats) is None
    assert shortcuts.predict_from_cue("date", photos, stats) is None


def test_a_frame_gives_the_class_away(photos):
    def framed(picture, code):
        picture.paste((30, 60, 200) if code else (40, 70, 180), (0, 0, 80, 3))
        return picture, {}

    assert right("border", photos, write(photos, framed)) > 0.95


def test_a_crop_gives_the_class_away(photos):
    stats = write(photos, lambda picture, code: (picture.crop((0, 0, 80 - code, 60)), {}))
    assert right("dimensions", photos, stats) == 1


def test_a_day_gives_the_class_away(photos):
    def dated(picture, code):
        return picture, {"exif": hostile.exif(1, f"2026:0{3 + code}:12 10:00:00")}

    assert right("date", photos, write(photos, dated)) == 1


def test_a_name_gives_the_class_away(photos):
    named = photos.assign(path=[f"{code}-{number}.jpg" for number, code in enumerate(photos["label"].cat.codes)])
    assert right("name", named, None) == 1


def test_unknown_cues_are_refused(photos):
    with pytest.raises(ValueError, match="cue"):
        shortcuts.predict_from_cue("smell", photos, None)
