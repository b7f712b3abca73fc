"""What do I borrow, and how do I teach it? Importing this wing loads TensorFlow."""

from .. import _quiet

_quiet.import_tensorflow()
