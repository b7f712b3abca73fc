import keras
import pytest

from tutorial_utils.models import configs


def nested(units=4, layers=2):
    """Return a model that holds another, a wrapper and a sum, with no name given to anything."""
    inputs = keras.Input((3, 2))
    inner = keras.Sequential([keras.Input((3, 2)), *(keras.layers.Dense(2) for _ in range(layers))])
    x = keras.layers.Bidirectional(keras.layers.LSTM(units))(inner(inputs) - 1)
    return keras.Model(inputs, keras.layers.Dense(1)(x) / 2)


def test_a_model_made_again_is_set_as_before_whatever_keras_calls_its_layers():
    one, other = nested(), nested()
    assert one.layers[-1].name != other.layers[-1].name
    assert configs.of_layers(one) == configs.of_layers(other)


def test_settings_are_told_by_place_and_class():
    found = configs.of_layers(nested())
    assert found["layer 1 (Sequential) layer 2 (Dense) units"] == 2
    assert found["layer 3 (Bidirectional) merge_mode"] == "concat"
    assert found["layer 3 (Bidirectional) layer units"] == 4
    assert found["input 1 (InputLayer) batch_shape"] == "[null, 3, 2]"
    changed = {name for name, value in configs.of_layers(nested(units=5)).items() if found[name] != value}
    assert changed == {"layer 3 (Bidirectional) layer units", "layer 3 (Bidirectional) backward_layer units"}


@pytest.mark.parametrize(("layers", "one_by_one"), [(19, True), (20, False)])
def test_the_layers_of_a_large_model_inside_are_told_of_together(layers, one_by_one):
    """Twenty, the input among them, are told one by one."""
    found = configs.of_layers(nested(layers=layers))
    assert ("layer 1 (Sequential) layer 1 (Dense) units" in found) is one_by_one
    assert ("the base's layers" in found) is not one_by_one


def test_what_does_not_change_a_training_is_left_out():
    def dense(**options):
        return configs.of_layers(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, **options)]))

    assert dense() == dense(name="mine", kernel_initializer="zeros")  # the weights at the start are told elsewhere
    assert dense() != dense(use_bias=False)
    dropouts = [keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.5, seed=seed)]) for seed in (1, 2)]
    assert configs.of_layers(dropouts[0]) == configs.of_layers(dropouts[1])


@pytest.mark.parametrize(
    ("thing", "settings"),
    [
        (keras.regularizers.L2(0.1), {"l2": 0.1}),
        (keras.losses.MeanSquaredError(), {"reduction": "sum_over_batch_size"}),
    ],
)
def test_how_an_object_is_set(thing, settings):
    assert configs.of(thing) == settings


def test_the_digest_of_a_configuration_knows_no_addresses():
    assert configs.digest([object()]) == configs.digest([object()])
    assert configs.digest([1]) != configs.digest([2])
