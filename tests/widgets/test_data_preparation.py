"""Each control of chapter 2 is moved without a browser; what it shows must follow."""

import numpy as np
import pandas
import pytest

from tests.widgets.boxes import find
from tutorial_utils.data import audit, layouts, pipeline
from tutorial_utils.widgets import data_preparation


@pytest.fixture
def plants(class_folders):
    """Twenty photos of two classes, five of each plant."""
    photos = layouts.load_folder(class_folders)
    return photos.assign(group=[f"plant {number // 5}" for number in range(20)])


def test_the_chosen_group_is_shown(plants):
    box = data_preparation.browse_groups(plants)
    (menu,), (slider,), (view,) = find(box, "Dropdown"), find(box, "IntSlider"), find(box, "HTML")
    assert slider.max == 2
    assert 'alt="5 photos of plant 1 of the class healthy"' in view.value
    menu.value = "ill"
    slider.value = 2
    assert 'alt="5 photos of plant 2 of the class ill"' in view.value


def test_the_chosen_finding_is_shown_with_its_meaning(class_folders):
    (class_folders / "healthy" / "3.png").write_bytes(b"")
    photos = layouts.load_folder(class_folders, check=False)
    box = data_preparation.browse_findings(audit.audit_photos(photos, progress=False), photos)
    (menu,), (view,) = find(box, "Dropdown"), find(box, "HTML")
    assert menu.options[0] == ("empty (1)", "empty")
    assert 'alt="Photos of the finding small: 19 found"' in view.value
    menu.value = "empty"
    assert "the file holds nothing (0 bytes)" in view.value
    menu.value = "few"  # of whole classes, which have no thumbnail
    assert "healthy (10), ill (10)" in view.value
    assert "<img" not in view.value


def test_nothing_found_is_said(plants):
    findings = pandas.DataFrame(columns=audit.COLUMNS)
    assert "found nothing" in data_preparation.browse_findings(findings, plants).value


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def test_at_its_start_augmentation_is_that_of_the_pipeline(image):
    batch = np.repeat(np.float32(image)[None], 6, axis=0)
    ours = data_preparation.strong_augmentation(seed=3)(batch, training=True)
    np.testing.assert_array_equal(ours, pipeline.augmentation(seed=3)(batch, training=True))


@pytest.mark.parametrize("strengths", [{}, {"upright": True}, {"turn": 90, "zoom": 20, "light": 30}, {"light": 5}])
def test_the_code_that_is_shown_makes_what_is_shown(strengths):
    import keras

    names = {"keras": keras, "pipeline": pipeline}
    exec(data_preparation.augmentation_code(seed=0, **strengths), names)
    made, shown = names["augmentation"], data_preparation.strong_augmentation(seed=0, **strengths)
    assert [type(layer) for layer in made.layers] == [type(layer) for layer in shown.layers]
    for one, other in zip(made.layers, shown.layers, strict=True):
        settings = [{**layer.get_config(), "name": "", "seed": 0} for layer in (one, other)]
        assert str(settings[0]) == str(settings[1])


def test_a_strength_changes_the_picture(image):
    box = data_preparation.explore_augmentation(image[None])
    (view,) = find(box, "HTML")
    before = view.value
    assert "augmentation = pipeline.augmentation(seed=0)" in before
    light = next(slider for slider in find(box, "IntSlider") if slider.description.startswith("light"))
    light.value = 50
    assert "RandomBrightness(0.5" in view.value
    assert view.value.split("base64")[1] != before.split("base64")[1]


def test_by_plant_no_plant_is_divided_and_at_random_they_are(plants):
    photos = pandas.concat([plants.assign(group=plants["group"] + letter) for letter in "ab"], ignore_index=True)
    photos["path"] += photos["group"].str[-1]  # 8 plants of 5 photos
    for rule, divided in (("by plant", False), ("at random", True)):
        parts = data_preparation.split_by(photos, rule).groupby(photos["group"]).nunique()
        assert (parts > 1).any() == divided


def test_the_split_follows_the_rule(plants):
    letters = [f"{group}{number % 5 // 2}" for number, group in enumerate(plants["group"])]  # three groups a plant
    box = data_preparation.explore_split(plants.assign(group=letters))
    (menu,), (view,) = find(box, "Dropdown"), find(box, "HTML")
    assert "split at random" in view.value
    menu.value = "by plant"
    assert (
        "split by plant, shuffle 0: 0 of 12 plants are divided; 0% of the test photos have a twin in training"
        in view.value
    )


def test_labels_are_put_right_photo_by_photo_and_kept_at_once(class_folders):
    photos = layouts.load_folder(class_folders)
    paths = photos["path"].iloc[[0, 12]].tolist()
    box = data_preparation.correct_labels(class_folders, paths, ["ill", "healthy"])
    (number,), (answer,), (view,) = find(box, "IntSlider"), find(box, "ToggleButtons"), find(box, "HTML")
    assert answer.options == ("healthy", "ill", "drop")
    assert answer.value == "healthy"
    assert "a model takes it for ill" in view.value
    assert not (class_folders / "corrections.csv").exists()
    answer.value = "ill"
    number.value = 2
    assert answer.value == "ill"
    answer.value = "drop"
    assert "corrections.csv keeps: 2." in view.value
    table = pandas.read_csv(class_folders / "corrections.csv")
    assert table["label"].tolist() == ["ill", "drop"]
    assert layouts.load_folder(class_folders)["label"].value_counts().to_dict() == {"ill": 10, "healthy": 9}
    again = data_preparation.correct_labels(class_folders, paths[:1])
    assert find(again, "ToggleButtons")[0].value == "ill"


def test_of_the_courses_photos_no_label_is_put_right():
    assert "belong to the course" in data_preparation.correct_labels("leaves", []).value
