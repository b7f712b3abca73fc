"""Scripts are fetched once, checked, and without npm there is a sentence."""

import io
import os
import sys
import tarfile

import pytest

from book import vendor


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
    return vendor.integrity(archive.read_bytes()), calls


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a script that Windows would not start")
def test_a_package_is_fetched_once_and_its_file_put_in_place(npm, tmp_path):
    integrity, calls = npm
    package = vendor.Package("@a/it", "1.0.0", integrity, {"dist/it.js": "it/it.js"})
    for _ in range(2):
        kept = vendor.fetch([package], tmp_path / "kept")
    assert (kept / "it" / "it.js").read_bytes() == b"it()"
    assert calls.read_text() == "@a/it@1.0.0\n"


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a script that Windows would not start")
def test_another_content_is_refused(npm, tmp_path):
    package = vendor.Package("it", "1.0.0", "sha512-other", {"dist/it.js": "it.js"})
    with pytest.raises(vendor.NotThere, match=r"it 1\.0\.0 is not the package that was checked"):
        vendor.fetch([package], tmp_path / "kept")
    assert not (tmp_path / "kept" / "it.js").exists()


def test_without_npm_a_sentence_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(vendor.shutil, "which", lambda name: None)
    with pytest.raises(vendor.NotThere, match=r"needs npm to fetch requirejs 2\.3\.8, once.*Install Node\.js"):
        vendor.fetch(kept=tmp_path)


def test_integrity_is_what_npm_writes():
    assert vendor.integrity(b"").startswith("sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP")


def test_the_script_of_anywidget_is_a_module_that_require_js_can_load(tmp_path):
    vendor.widgets(tmp_path)
    assert 'define(["@jupyter-widgets/base"]' in (tmp_path / "anywidget.js").read_text(encoding="utf-8")
