"""`train`, stopped in the middle of fine-tuning by Ctrl-C and by a kill: the same command goes on."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process"),
]


def start(folder, run, **options):
    command = [sys.executable, "-m", "tutorial_utils", "train", str(folder), "--run-dir", str(run)]
    command += ["--effort", "best", "--image-size", "64"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def await_epochs(run, process, count=3, seconds=240):
    """Wait until the state of a training has been written anew a few times."""
    seen, state = set(), run / "trainings" / "training.npz"
    for _ in range(10 * seconds):
        seen |= {state.stat().st_mtime_ns} if state.is_file() else set()
        if len(seen) > count:
            return
        assert process.poll() is None, process.stderr.read()[-3000:]
        time.sleep(0.1)
    raise TimeoutError(f"no epochs within {seconds} s: {[str(path) for path in run.rglob('*')]}")


def test_stopped_twice_it_goes_on_and_ends(class_folders, tmp_path):
    run = tmp_path / "run"
    process = start(class_folders, run)
    await_epochs(run, process)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted. The same command goes on where it was." in errors
    assert "Traceback" not in errors
    process = start(class_folders, run)
    await_epochs(run, process)
    process.kill()
    process.communicate()
    process = start(class_folders, run)
    out, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors[-3000:]
    assert "Ask it: python -m tutorial_utils predict" in out
    notebook = nbformat.read(run / "08_your_own_photos.ipynb", as_version=4)
    said = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "training: goes on after epoch" in said or "training: finished before" in said
