"""Hold back TensorFlow's and LiteRT's start-up notes, which no setting turns off and no reader can act on."""

import contextlib
import importlib
import os
import re
import sys
import tempfile

_NOTES = re.compile(
    rb"oneDNN custom operations|before absl::InitializeLog|cpu_feature_guard|To enable the following"
    rb"|Created TensorFlow Lite XNNPACK delegate|tf_tfl_flatbuffer_helpers|single_machine.cc|devices.cc"
    rb"|fully_quantize: 0, inference_type"
)


def import_tensorflow():
    """Import keras and tensorflow; whatever they say on standard error passes, but for the known notes."""
    if "tensorflow" not in sys.modules:
        with without_notes():
            importlib.import_module("keras")
            importlib.import_module("tensorflow").get_logger().setLevel("ERROR")  # its advice is for developers


@contextlib.contextmanager
def without_notes():
    """Hold back the process's standard error, then pass on the lines that are not known notes."""
    with tempfile.TemporaryFile() as held:
        kept = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not _NOTES.search(line):
                    os.write(2, line)
