import importlib.metadata

from tutorial_utils.course import doctor


def test_this_machine_is_ready():
    table = doctor.check_machine("efficientnet_lite0")
    assert table["ready"].all(), table.to_string()
    assert (table["what to do"] == "").all()


def test_what_is_missing_comes_with_what_to_do(monkeypatch):
    def version(name):
        if name in ("seaborn", "tensorflow", "tensorflow-cpu"):
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    table = doctor.check_machine("mobilenet_v2").set_index("check")
    assert not table.loc["seaborn", "ready"]
    assert table.loc["seaborn", "what to do"] == "pip install seaborn"
    assert table.loc["TensorFlow", "what to do"] == "pip install tensorflow"


def test_two_tensorflows_are_one_too_many(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.21.0")
    row = doctor.check_machine("mobilenet_v2").set_index("check").loc["TensorFlow"]
    assert not row["ready"]
    assert "uninstall both" in row["what to do"]
