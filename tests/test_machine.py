import pytest

from tutorial_utils import _machine


@pytest.mark.parametrize("value", ["1", "true", "TRUE", "yes", "on"])
def test_offline_is_asked_for(monkeypatch, value):
    monkeypatch.setenv("TUTORIAL_OFFLINE", value)
    assert _machine.is_offline()


@pytest.mark.parametrize("value", ["", "0", "false", "No", "FALSE "])
def test_offline_is_not_asked_for(monkeypatch, value):
    monkeypatch.setenv("TUTORIAL_OFFLINE", value)
    assert not _machine.is_offline()
    monkeypatch.delenv("TUTORIAL_OFFLINE")
    assert not _machine.is_offline()
