"""A training that is killed again and again, at any moment, ends as if nothing had happened."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tutorial_utils.data import folders

KILLS, TRAININGS = 20, 4

TRAIN = """
import json, sys
import keras
from tutorial_utils.data import folders, pipeline, splits
from tutorial_utils.models import backbones, training

folder, run, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
keras.utils.set_random_seed(seed)
photos = splits.assign(folders.load(folder), seed=seed)
train, validation, _ = (splits.part(photos, name) for name in splits.NAMES)
lite0 = backbones.get("efficientnet_lite0")
model, _ = training.frozen(lite0, train, validation, 32, head="dense", epochs=2, seed=seed)
change = pipeline.augmentation(seed)
batches = pipeline.batches(train, 32, batch_size=4, shuffle=True, augmentation=change, seed=seed)
print("ready", flush=True)
history = training.fine_tune(
    model, lite0.base, batches, pipeline.batches(validation, 32), epochs=12, run_dir=run, name="tuning"
)
weights = sum(float(abs(weight).sum()) for weight in model.get_weights())
print(json.dumps([history.astype(float).fillna(-1).values.tolist(), weights]))
"""


def start(photos, run, seed):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", TRAIN, str(photos), str(run), str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process):
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0
    return json.loads(output.splitlines()[-1])  # before it, that the training goes on


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_twenty_kills_at_random_moments_are_twenty_right_recoveries(class_folders, tmp_path, record_property):
    assert len(folders.load(class_folders)) == 20
    draw, ends = random.Random(5), []
    for seed in range(TRAININGS):
        began = time.monotonic()
        unbroken = finish(start(class_folders, tmp_path / f"unbroken{seed}", seed))
        seconds = time.monotonic() - began
        assert finish(start(class_folders, tmp_path / f"again{seed}", seed)) == unbroken  # two processes, one result
        for _ in range(KILLS // TRAININGS):
            process = start(class_folders, tmp_path / f"killed{seed}", seed)
            time.sleep(draw.uniform(0, 0.5 * seconds))
            process.kill()
            ends.append(process.wait())
        assert finish(start(class_folders, tmp_path / f"killed{seed}", seed)) == unbroken
    assert -signal.SIGKILL in ends
    record_property("killed while training", ends.count(-signal.SIGKILL))
