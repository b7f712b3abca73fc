"""Scripts are fetched once, checked, and without npm there is a sentence."""

import io
import os
import sys
import tarfile

import pytest

from tutorial_utils.course import npm_packages


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """A stand-in for npm that packs one file; returns the package's integrity and how often it was called."""
    archive = tmp_path / "archive.tgz"
    with tarfile.open(archive, "w:gz") as package:
        member = tarfile.TarInfo("package/dist/it.js")
        member.size = 4
        package.addfile(member, io.BytesIO(b"it()"))
    script, calls = tmp_path / "npm", tmp_path / "calls"
    script.write_text(
        f"#!{sys.executable}\nimport shutil, sys\nopen({str(calls)!r}, 'a').write(sys.argv[-1] + '\\n')\n"
        f"shutil.copy({str(archive)!r}, sys.argv[sys.argv.index('--pack-destination') + 1] + '/it.tgz')\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return npm_packages.integrity(archive.read_bytes()), calls


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a script that Windows would not start")
def test_a_package_is_fetched_once_and_its_file_put_in_place(npm, tmp_path):
    integrity, calls = npm
    package = npm_packages.Package("@a/it", "1.0.0", integrity, {"dist/it.js": "it/it.js"})
    for _ in range(2):
        kept = npm_packages.fetch([package], tmp_path / "kept")
    assert (kept / "it" / "it.js").read_bytes() == b"it()"
    assert calls.read_text() == "@a/it@1.0.0\n"
    (kept / "it" / "it.js").unlink()
    npm_packages.fetch([package], tmp_path / "kept")
    assert (kept / "it" / "it.js").read_bytes() == b"it()"


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a script that Windows would not start")
def test_another_content_is_refused(npm, tmp_path):
    package = npm_packages.Package("it", "1.0.0", "sha512-other", {"dist/it.js": "it.js"})
    with pytest.raises(npm_packages.NotThere, match=r"it 1\.0\.0 is not the package that was checked"):
        npm_packages.fetch([package], tmp_path / "kept")
    assert not (tmp_path / "kept" / "it.js").exists()


def test_without_npm_a_sentence_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(npm_packages.shutil, "which", lambda name: None)
    with pytest.raises(npm_packages.NotThere, match=r"npm is needed to fetch it 1\.0\.0, once.*Install Node\.js"):
        npm_packages.fetch([npm_packages.Package("it", "1.0.0", "sha512-", {})], tmp_path)


def test_integrity_is_what_npm_writes():
    assert npm_packages.integrity(b"").startswith("sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP")
