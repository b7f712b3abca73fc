"""A training that is killed again and again, at any moment, ends as if nothing had happened."""

import concurrent.futures
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from tutorial_utils.data import layouts

KILLS, EPOCHS = 20, 12

TRAIN = """
import hashlib, json, pathlib, sys
import keras
from tutorial_utils.data import layouts, pipeline, splits
from tutorial_utils.models import backbones, heads, training

class Tell(keras.callbacks.Callback):
    only_watches = True
    def on_epoch_end(self, epoch, logs=None):
        print("epoch", epoch + 1, flush=True)  # before the log's row, the saved model and the state are written

def digest():
    return hashlib.sha256(b"".join(weight.tobytes() for weight in model.get_weights())).hexdigest()

folder, run, epochs, seed = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), 3
keras.utils.set_random_seed(seed)
photos = splits.split(layouts.load_folder(folder), seed=seed)
train, validation, _ = (splits.subset(photos, name) for name in splits.NAMES)
lite0 = backbones.get("efficientnet_lite0")
model = heads.build_classifier(lite0, heads.dense_head(1280, 2, seed=seed), 32)
change = pipeline.augmentation(seed)
batches = pipeline.batches(train, 32, batch_size=4, shuffle=True, augmentation=change, seed=seed)
run.mkdir(exist_ok=True)
best, log = run / "best.weights.h5", run / "log.csv"
saver = keras.callbacks.ModelCheckpoint(best, save_best_only=True, save_weights_only=True)
watching = [Tell(), keras.callbacks.CSVLogger(log), saver]
asked = pipeline.batches(validation, 32)
options = dict(last=30, callbacks=watching, run_dir=run, name="tuning")
print("ready", flush=True)
history = training.fine_tune(model, lite0.base, batches, asked, epochs, **options)
ends = [history.to_csv(), digest(), log.read_text()]
model.load_weights(best)
print(json.dumps([*ends, digest()]))
"""


def start(photos, run):
    """Start a training in a process of its own; return it as soon as it trains."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", TRAIN, str(photos), str(run), str(EPOCHS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    assert process.stdout.readline() == "ready\n"
    return process


def listen(process, epochs=EPOCHS):
    """Return what a training says, line by line, until it has ended so many epochs; and the seconds of the last one."""
    lines, times = [], [time.monotonic()] * 2
    while epochs and (line := process.stdout.readline()):
        lines.append(line)
        if line.startswith("epoch "):
            times, epochs = [times[-1], time.monotonic()], epochs - 1
    return lines, times[1] - times[0]


def result(lines):
    """Return the history, the log and the digests of the weights and of those saved, from a training's last words."""
    return json.loads(lines[-1])


def ended(process):
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0
    return result(output.splitlines())


def kill(process, epochs, seconds):
    """Kill a training so many seconds after it has ended so many epochs; return the exit code and all that it said."""
    lines, _ = listen(process, epochs)
    time.sleep(seconds)
    process.kill()
    output, _ = process.communicate()
    return process.returncode, lines + output.splitlines()


def kill_again_and_again(photos, folder, kills, draw, epoch, unbroken):
    """Kill a training, its successor too, and so on until it is nearly done, let it end, begin another; so many kills.

    draw : random.Random; epoch : seconds of one; unbroken : what each training must end with
    Returns how many kills have met a training alive, and how many trainings have come to their end.
    """
    met, ends, left, is_whole = 0, 0, EPOCHS, True
    while met < kills or not is_whole:
        process = start(photos, folder / str(ends))
        if met < kills and left > 3:  # at least two more epochs are to come, so that the kill meets it alive
            code, lines = kill(process, draw.randrange(min(4, left - 2)), draw.uniform(0, epoch))
            assert code in (0, -signal.SIGKILL)
        else:
            code, lines = 0, [json.dumps(ended(process))]
        is_whole = code == 0
        if is_whole:
            assert result(lines) == unbroken
            ends, left = ends + 1, EPOCHS
        else:
            met += 1
            left = min([left, *(EPOCHS - int(line.split()[1]) for line in lines if line.startswith("epoch "))])
    return met, ends


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_after_twenty_kills_at_random_moments_trainings_end_as_the_unbroken_one(class_folders, tmp_path):
    """Two at a time: a process mostly starts, on one core. After each kill some training ends, sooner or later."""
    assert len(layouts.load_folder(class_folders)) == 20
    process = start(class_folders, tmp_path / "unbroken")
    _, epoch = listen(process)
    unbroken = ended(process)
    assert unbroken[2].count("\n") == 1 + EPOCHS

    def chain(number):
        draw, folder = random.Random(number), tmp_path / f"killed{number}"
        folder.mkdir()
        return kill_again_and_again(class_folders, folder, KILLS // 2, draw, epoch, unbroken)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        (met, ends), (others, other_ends) = pool.map(chain, range(2))
    assert met + others == KILLS
    assert min(ends, other_ends) >= 1
