"""One epoch of a head on stored features as a single call: with so little to compute, `fit` mostly waits for itself."""

import keras
import tensorflow as tf

BETA_1, BETA_2, EPSILON, DECAY = 0.9, 0.999, 1e-7, 0.004  # keras.optimizers.AdamW's own
_NAMES = ("loss", "accuracy", "val_loss", "val_accuracy")


def epoch(head, train, validation, learning_rate=1e-3, batch_size=32):
    """Return a function that trains `head` on the rows of `train` that it is given, in that order, and scores it.

    train, validation : (features, labels), float (photos, channels) and int (photos,)
    The function returns {"loss", "accuracy", "val_loss", "val_accuracy"}; for no rows at all the last two.
    """
    train, validation = ([tf.constant(x, tf.float32), tf.constant(y, tf.int64)] for x, y in (train, validation))
    variables = [variable.value for variable in head.trainable_variables]
    step = _adamw(variables, learning_rate)

    def scores(features, labels, training):
        """Return the sum of the losses in nats, and how many are right."""
        probabilities = head(features, training=training)
        losses = keras.losses.sparse_categorical_crossentropy(labels, probabilities)
        right = tf.argmax(probabilities, axis=1) == labels
        return tf.reduce_sum(losses), tf.math.count_nonzero(right, dtype=tf.float32)

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.int64)])  # traced once, for no rows and for all
    def run(rows):
        loss, right = 0.0, 0.0
        for first in tf.range(0, tf.size(rows), batch_size):
            features, labels = (tf.gather(each, rows[first : first + batch_size]) for each in train)
            with tf.GradientTape() as tape:
                batch_loss, batch_right = scores(features, labels, training=True)
                mean = batch_loss / tf.cast(tf.size(labels), tf.float32)
            step(tape.gradient(mean, variables))
            loss, right = loss + batch_loss, right + batch_right
        return loss, right, *scores(*validation, training=False)

    def call(rows):
        sums = [float(each) for each in run(tf.constant(rows, tf.int64))]
        counts = [len(rows)] * 2 + [len(validation[1])] * 2
        return {name: total / n for name, total, n in zip(_NAMES, sums, counts, strict=True) if n}

    return call


def _adamw(variables, learning_rate):
    """Return a function that takes one step of AdamW, as Keras's does, in TensorFlow's one operation for Adam.

    Keras builds the same step from a dozen operations a variable, each a pass over memory.
    """
    steps = tf.Variable(0.0)
    moments = [[tf.Variable(tf.zeros_like(variable)) for _ in range(2)] for variable in variables]

    def step(gradients):
        number = steps.assign_add(1.0)
        powers = BETA_1**number, BETA_2**number
        for variable, (first, second), gradient in zip(variables, moments, gradients, strict=True):
            variable.assign_sub(variable * (DECAY * learning_rate))
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=learning_rate,
                beta1=BETA_1,
                beta2=BETA_2,
                epsilon=EPSILON,
                grad=gradient,
            )

    return step
