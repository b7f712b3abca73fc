"""The small base of the tests of models."""

from tests.models.conftest import toy  # noqa: F401
