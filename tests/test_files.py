import json
import os

import pytest

from tutorial_utils import _files


def test_sha256_of_abc(tmp_path):
    """FIPS 180-2, appendix B.1."""
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert _files.sha256(tmp_path / "abc") == expected


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "metrics.json"
    _files.write_json(path, {"n": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        _files.write_json(path, {"n": float("nan")})

    def half(part):
        part.write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        _files.replace_with(path, half)
    assert json.loads(path.read_text()) == {"n": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


def test_a_new_file_has_the_permissions_of_any_new_file_and_the_umask_is_left_alone(tmp_path, monkeypatch):
    """A thread that reads the umask by setting it opens the files that others make meanwhile to everybody."""
    (tmp_path / "any").touch()
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask was set"))
    path = _files.write_text(tmp_path / "new", "text")
    assert path.stat().st_mode == (tmp_path / "any").stat().st_mode


def test_run_paths(tmp_path, monkeypatch, root):
    monkeypatch.delenv("TUTORIAL_RUNS", raising=False)
    monkeypatch.chdir(tmp_path)
    assert _files.run_path("runs/01_setup") == root / "runs" / "01_setup"
    assert _files.run_path(tmp_path / "mine") == tmp_path / "mine"
    monkeypatch.setenv("TUTORIAL_RUNS", str(tmp_path / "elsewhere"))
    assert _files.run_path("runs/01_setup") == tmp_path / "elsewhere" / "01_setup"
    assert _files.run_path("mine") == tmp_path / "elsewhere" / "mine"
    assert _files.run_path(tmp_path / "mine") == tmp_path / "mine"


def test_the_cache_folder_can_be_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path))
    assert _files.cache_folder() == tmp_path
