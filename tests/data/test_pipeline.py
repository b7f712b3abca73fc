import pathlib

import numpy as np
import pytest

from tutorial_utils.data import layouts, pipeline


@pytest.fixture
def photos(class_folders):
    return layouts.load_folder(class_folders)


def test_one_pass_is_every_photo_once_in_order(photos):
    assert len(pipeline.batches(photos, 32)) == 1  # of 32 at most
    assert len(pipeline.batches(photos, 32, batch_size=8)) == 3
    batches = list(pipeline.batches(photos, 32, batch_size=8))
    assert [len(labels) for _, labels in batches] == [8, 8, 4]
    labels = np.concatenate([labels for _, labels in batches])
    assert labels.tolist() == [0] * 10 + [1] * 10
    images = np.concatenate([images for images, _ in batches])
    assert images.shape == (20, 32, 32, 3)
    assert images.dtype == np.float32
    assert images[3, 0, 0].tolist() == [15, 175, 15]  # (0, 160, 0) plus 5 a photo
    assert images.max() > 1  # 0-255


def test_shuffling_keeps_pixels_and_labels_together_and_follows_the_seed(photos):
    def order(seed):
        batches = pipeline.batches(photos, 32, shuffle=True, seed=seed)
        epochs = [[(x.numpy(), y.numpy()) for x, y in batches] for _ in range(2)]
        return [
            [(image[0, 0].tolist(), int(label)) for x, y in epoch for image, label in zip(x, y, strict=True)]
            for epoch in epochs
        ]

    first, second = order(1)
    assert first != second  # a new order every epoch
    assert sorted(first) == sorted(second)
    assert order(1) == [first, second]
    assert order(2)[0] != first
    assert all((red > green) == (label == 1) for (red, green, _), label in first)


def test_augmentation_acts_in_training_only_and_follows_the_seed(photos):
    augment = pipeline.augmentation(seed=3)
    images = np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 3)).astype("float32")
    np.testing.assert_array_equal(augment(images, training=False), images)
    changed = np.asarray(augment(images, training=True))
    assert not np.array_equal(changed, images)
    np.testing.assert_array_equal(changed, pipeline.augmentation(seed=3)(images, training=True))


def test_augmentation_lays_a_square_down_in_eight_ways_and_no_other():
    image = np.arange(27, dtype=np.float32).reshape(1, 3, 3, 3)
    augment = pipeline.augmentation(seed=0)
    ways = [np.rot90(each, turn) for each in (image[0], image[0, :, ::-1]) for turn in range(4)]
    views = [np.asarray(augment(image, training=True))[0] for _ in range(100)]
    seen = [next(place for place, each in enumerate(ways) if np.array_equal(view, each)) for view in views]
    assert set(seen) == set(range(8))


def test_half_of_the_images_are_mirrored_along_their_diagonal():
    """Of 400, 200 on average and 160 to 240 but once in 10,000 times."""
    images = np.tile(np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1), (400, 1, 1, 1))
    mirrored = np.asarray(pipeline.RandomTranspose()(images, training=True))[:, 0, 1, 0] == 2
    assert 160 <= mirrored.sum() <= 240
    np.testing.assert_array_equal(
        mirrored, np.asarray(pipeline.RandomTranspose(0)(images, training=True))[:, 0, 1, 0] == 2
    )


def test_a_damaged_photo_is_named(photos, make_photo):
    path = make_photo(pathlib.Path(photos["path"].iloc[5]), size=(64, 64))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(Exception, match=r"5\.png is damaged"):
        list(pipeline.batches(photos, 32))


@pytest.mark.parametrize("size", [0, 10, 5000, "big", True])
def test_an_image_size_that_makes_no_sense(photos, size):
    with pytest.raises(ValueError, match="image_size must be a whole number from 32 to 1024"):
        pipeline.batches(photos, size)


@pytest.mark.parametrize(("room", "reads"), [(20 * 32 * 32 * 3, 20), (20 * 32 * 32 * 3 - 1, 40)])
def test_photos_that_fit_into_memory_are_read_once(photos, monkeypatch, room, reads):
    monkeypatch.setattr(pipeline, "_KEEP_BYTES", room)
    read, paths = pipeline.read_image, []
    monkeypatch.setattr(pipeline, "read_image", lambda path, size: (paths.append(path), read(path, size))[1])
    batches = pipeline.batches(photos, 32)
    first, second = (next(iter(batches))[0].numpy() for _ in range(2))
    assert len(paths) == reads
    np.testing.assert_array_equal(first, second)


def test_what_batches_depend_on_is_told(photos):
    def about(**options):
        return pipeline.batches(photos, 32, **options).passes.about()

    assert about() == about(shuffle=False, seed=0, augmentation=None)
    augmented = about(augmentation=pipeline.augmentation(1))
    assert augmented == about(augmentation=pipeline.augmentation(1))
    others = [about(shuffle=True), about(seed=1), augmented, about(augmentation=pipeline.augmentation(2))]
    others += [about(augmentation=pipeline.augmentation(1, upright=True))]
    others += [pipeline.batches(photos, 64).passes.about(), pipeline.batches(photos[:9], 32).passes.about()]
    assert len({str(each) for each in [about(), *others]}) == 8


def test_a_view_is_one_of_eight_drawn_by_its_key():
    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    ways = {np.rot90(each, turn).tobytes() for each in (image, image[:, ::-1]) for turn in range(4)}
    views = [pipeline.view(image, f"{number}").tobytes() for number in range(200)]
    assert set(views) == ways
    assert views == [pipeline.view(image, f"{number}").tobytes() for number in range(200)]
    assert min(views.count(way) for way in ways) > 10  # of 25 each on average


def test_no_thread_tunes_the_batches(photos):
    """Else it holds up the end of every epoch for as long as it sleeps."""
    assert pipeline.batches(photos, 32).options().autotune.enabled is False


def test_a_pass_draws_the_same_again_when_it_is_called_by_its_number(tmp_path, make_photo):
    """Photos of random pixels, so that a flip shows. Pass 1 is another than pass 0, and the same in a new dataset."""
    for number in range(6):
        make_photo(tmp_path / f"class{number % 2}" / f"{number}.png", size=(32, 32), seed=number)
    photos = layouts.load_folder(tmp_path)

    def passes(first, seed=2):
        batches = pipeline.batches(
            photos, 32, batch_size=6, shuffle=True, augmentation=pipeline.augmentation(seed), seed=seed
        )
        batches.passes.next = first
        return [next(iter(batches))[0].numpy() for _ in range(2)]

    zero, one = passes(0)
    one_again, two = passes(1)
    np.testing.assert_array_equal(one, one_again)
    sums = [np.sort(each.reshape(6, -1)[:, :96].sum(axis=1)) for each in (zero, one, two)]  # whatever the order
    assert not np.array_equal(sums[0], sums[1])  # so other flips too
    assert not np.array_equal(sums[1], sums[2])
    assert not np.array_equal(passes(0, seed=3)[0], zero)


def test_upright_photos_are_mirrored_only():
    image = np.arange(2 * 16 * 16 * 3, dtype=np.float32).reshape(2, 16, 16, 3)
    augment = pipeline.augmentation(seed=1, upright=True)
    seen = [np.asarray(augment(image, training=True)) for _ in range(8)]
    rows = {tuple(np.sort(each[0, :, 0, 0] // 48).astype(int)) for each in seen}
    assert rows == {tuple(range(16))}  # the rows stay where they are
    assert {float(each[0, 0, 0, 0]) for each in seen} == {0.0, 45.0}  # the columns are mirrored in some
    pixels = image[0].astype(np.uint8)
    views = [pipeline.view(pixels, f"{number}", upright=True) for number in range(20)]
    assert {view.tobytes() for view in views} == {pixels.tobytes(), pixels[:, ::-1].tobytes()}


def test_views_are_drawn_by_their_key_among_eight():
    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    turns = [np.rot90(each, turn) for each in (image, image[:, ::-1]) for turn in range(4)]
    views = [pipeline.view(image, f"0/{number}/a") for number in range(100)]
    seen = [next(place for place, each in enumerate(turns) if np.array_equal(view, each)) for view in views]
    assert set(seen) == set(range(8))
    np.testing.assert_array_equal(views[5], pipeline.view(image, "0/5/a"))
