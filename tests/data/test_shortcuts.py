import numpy as np
import pandas
import pytest

from tests.data import hostile
from tutorial_utils.data import image_stats, shortcuts


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shortcuts, "_TREES", 20)  # enough for cues as plain as these


@pytest.fixture
def photos(tmp_path):
    """Two classes of 40 photos, drawn by the same hand; the file names tell nothing."""
    names = np.random.default_rng(0).permutation(1000)[:80]
    paths = [str(tmp_path / f"{name:03d}.jpg") for name in names]
    labels = pandas.Categorical(["a", "b"] * 40)
    return pandas.DataFrame({"path": paths, "label": labels, "group": [f"{number // 4}" for number in range(80)]})


def write(photos, change):
    """Write the photos, each as `change(picture, its class number)`; return their statistics."""
    for seed, (path, code) in enumerate(zip(photos["path"], photos["label"].cat.codes, strict=True)):
        picture, options = change(hostile.picture(80, 60, seed=seed), code)
        picture.save(path, quality=90, **options)
    return image_stats.compute_stats(photos, progress=False)


def right(cue, photos, stats, **options):
    return (shortcuts.predict_from_cue(cue, photos, stats, **options) == photos["label"].cat.codes).mean()


def test_no_cue_tells_classes_apart_that_differ_in_nothing(photos):
    """Chance is 0.5; of 80 photos 0.65 or more would be right by chance once in 200 times."""
    stats = write(photos, lambda picture, code: (picture, {}))
    for cue in ("border", "name", "color", "bytes"):
        assert right(cue, photos, stats) < 0.66
    assert shortcuts.predict_from_cue("dimensions", photos, stats) is None
    assert shortcuts.predict_from_cue("date", photos, stats) is None


def test_a_frame_gives_the_class_away(photos):
    def framed(picture, code):
        picture.paste((30, 60, 200) if code else (40, 70, 180), (0, 0, 80, 3))
        return picture, {}

    assert right("border", photos, write(photos, framed)) > 0.95


@pytest.mark.parametrize("date", ["2027-03-12 10:00", "2026-03-13 10:00", "2026-03-12 11:00", None])
def test_a_date_gives_the_class_away(photos, date):
    """Another year, day or hour, or none: class a was photographed on 12 March 2026 at 10."""
    stats = pandas.DataFrame({"taken": pandas.to_datetime(["2026-03-12 10:00", date] * 40)})
    assert right("date", photos, stats) == 1


@pytest.mark.parametrize("change", [{"width": 81}, {"height": 61}, {"format": "PNG"}])
def test_a_size_or_format_gives_the_class_away(photos, change):
    plain = {"width": 80, "height": 60, "format": "JPEG"}
    assert right("dimensions", photos, pandas.DataFrame([plain, plain | change] * 40)) == 1


def test_bytes_and_the_mean_color_give_the_class_away(photos):
    colors = [np.array([90, 120, blue], np.float32) for blue in (80, 82)]
    stats = pandas.DataFrame({"bytes": [1000, 1001] * 40, "color": colors * 40})
    assert right("bytes", photos, stats) == right("color", photos, stats) == 1


def test_a_name_gives_the_class_away(photos):
    named = photos.assign(path=[f"{code}-{number}.jpg" for number, code in enumerate(photos["label"].cat.codes)])
    assert right("name", named, None) == 1


def test_no_photo_is_predicted_by_a_model_that_saw_its_group(photos):
    """Each group has a file size of its own: photo by photo that tells the class, group by group it cannot."""
    photos = photos.assign(label=pandas.Categorical.from_codes(np.arange(80) // 4 % 2, list("ab")))
    stats = pandas.DataFrame({"bytes": np.random.default_rng(0).permutation(20).repeat(4)})
    assert right("bytes", photos, stats) < 0.8
    assert right("bytes", photos.assign(group=photos["path"]), stats) > 0.95


def test_seed_and_folds_are_those_given(photos):
    stats = pandas.DataFrame({"bytes": np.random.default_rng(0).integers(0, 9, 80)})

    def said(**options):
        return shortcuts.predict_from_cue("bytes", photos, stats, **options).tolist()

    assert said() == said(folds=5, seed=0)
    assert said() != said(seed=1)
    assert said() != said(folds=3)


def test_guessing_the_largest_class_is_right_for_its_share():
    assert shortcuts.majority_share(pandas.DataFrame({"label": ["a", "b", "a", "a"]})) == 0.75


def test_unknown_cues_are_refused(photos):
    with pytest.raises(ValueError, match="cue"):
        shortcuts.predict_from_cue("smell", photos, None)
