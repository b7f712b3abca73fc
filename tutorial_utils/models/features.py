"""What the frozen base makes of each photo: computed once a photo, not once an epoch."""

import keras
import numpy as np
import tqdm.auto


def extractor(backbone, image_size):
    """Return the model from pixels to features: preprocessing, base, the mean of each channel (chapter 1).

    backbone : from backbones.get
    Takes float (batch, image_size, image_size, 3), 0-255; returns (batch, channels).
    """
    images = keras.Input((image_size, image_size, 3), name="pixels")
    maps = backbone.base(backbone.preprocess(images), training=False)  # (batch, h, w, channels)
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(maps), name="extractor")


def compute(model, batches, progress=True):
    """Return (features, labels) of one pass over the batches: float32 (photos, channels), int (photos,).

    model : from `extractor`; progress : show a bar, one step a batch
    """
    features, labels = [], []
    for images, batch_labels in tqdm.auto.tqdm(batches, desc="features", unit="batch", disable=not progress):
        features.append(model.predict_on_batch(images))
        labels.append(np.asarray(batch_labels))
    return np.concatenate(features), np.concatenate(labels)
