import keras
import numpy as np
import pytest
import tensorflow as tf

from tutorial_utils.models import head_epochs


def test_a_step_of_adamw_by_hand():
    """1.0 decays to 1 - 0.004 * 0.1 = 0.9996; Adam's first step is the rate against the gradient's sign: 0.8996."""
    variable = tf.Variable([1.0, 1.0])
    step = head_epochs._adamw([variable], 0.1)
    step([tf.constant([0.5, -2.0])])
    np.testing.assert_allclose(variable.numpy(), [0.8996, 1.0996], rtol=1e-5)
    step([tf.constant([0.5, -2.0])])  # the same gradient again: the same step
    np.testing.assert_allclose(variable.numpy(), [0.8996 * 0.9996 - 0.1, 1.0996 * 0.9996 + 0.1], rtol=1e-5)


def test_scores_by_hand():
    """A head that says 0.8 and 0.2 whatever it sees: losses -ln 0.8 and -ln 0.2; nothing is learned from no rows."""
    head = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
    start = [np.zeros((2, 2)), np.log([0.8, 0.2])]
    head.set_weights(start)
    x, y = np.zeros((4, 2)), np.array([0, 0, 0, 1])
    epoch = head_epochs.epoch(head, (x, y), (x[2:], y[2:]), learning_rate=0.0)
    scores = epoch([])
    assert scores == {
        "val_loss": pytest.approx(-(np.log(0.8) + np.log(0.2)) / 2),
        "val_accuracy": 0.5,
    }
    scores = epoch([3, 0, 1, 2])
    assert scores["loss"] == pytest.approx(-(3 * np.log(0.8) + np.log(0.2)) / 4)
    assert scores["accuracy"] == 0.75
    np.testing.assert_allclose(head.get_weights()[1], start[1], rtol=1e-6)
