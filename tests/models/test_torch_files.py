import collections
import pickle

import pytest

from tutorial_utils.models import efficientnet_lite, torch_files


def test_a_file_cut_short_is_named(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(efficientnet_lite.weights_path().read_bytes()[:2_000_000])
    with pytest.raises(torch_files.WeightsError, match="cannot be read as a PyTorch weights file"):
        torch_files.read_torch_file(path)


def test_a_file_that_wants_to_run_something_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("I ran",)

    path = tmp_path / "weights.pth"
    path.write_bytes(b"".join(pickle.dumps(value, 2) for value in (1, 1001, {}, Evil(), [])))
    with pytest.raises(torch_files.WeightsError, match=r"asks for (builtins|__builtin__)\.print"):
        torch_files.read_torch_file(path)


def test_harmless_names_pass(tmp_path):
    path = tmp_path / "weights.pth"
    state = collections.OrderedDict()
    path.write_bytes(b"".join(pickle.dumps(value, 2) for value in (1, 1001, {}, state, [])))
    assert torch_files.read_torch_file(path) == {}
