"""Helpers of the image transfer learning course; `import tutorial_utils` alone loads nothing heavy."""

import os

# TensorFlow reads this when it is first imported; 2 keeps its start-up notes out of notebooks and errors in.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__version__ = "0.1.0"
