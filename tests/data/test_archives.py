"""Downloads that fail, lie and lead elsewhere; archives that lie, climb, link, repeat and explode."""

import collections
import gzip
import hashlib
import io
import multiprocessing
import pathlib
import stat
import subprocess
import sys
import tarfile
import zipfile

import numpy as np
import pytest

from tutorial_utils.data import archives
from tutorial_utils.data.archives import ArchiveError, DownloadError

FILES = {"set/rust/1.jpg": b"one", "set/rust/2.jpg": b"two" * 1000, "set/healthy/1.jpg": bytes(5000)}


def as_zip(entries):
    """Return a zip archive of (name or ZipInfo, content) pairs, as bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def as_tar(entries, mode="w:gz"):
    """Return a tar archive of (name or TarInfo, content) pairs, as bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in entries:
            entry = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            if entry.isreg():
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def special(name, kind, target=""):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


def zip_link(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


def bzip2(name):
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_BZIP2
    return entry


WHOLE = {
    "zip": as_zip(FILES.items()),
    "zip with folders": as_zip([("set/", b""), ("set/rust/", b""), *FILES.items()]),
    "tar.gz": as_tar(FILES.items()),
    "tar": as_tar(FILES.items(), "w:"),
    "tar with folders": as_tar([(special("set", tarfile.DIRTYPE), b""), *FILES.items()]),
    "zip with ./": as_zip([("./", b""), *FILES.items()]),
    "tar with a folder twice": as_tar([(special("set", tarfile.DIRTYPE), b"")] * 2 + [*FILES.items()]),
    "tar with ./": as_tar([(f"./{name}", content) for name, content in FILES.items()]),
}
GOOD = ("good.jpg", b"good")
BAD = {  # name: (bytes, words of the error)
    "zip climbs": (as_zip([GOOD, ("../evil", b"")]), "points out"),
    "zip climbs inside": (as_zip([GOOD, ("a/../../evil", b"")]), "points out"),
    "zip absolute": (as_zip([GOOD, ("/evil", b"")]), "points out"),
    "zip drive": (as_zip([GOOD, ("C:/evil", b"")]), "points out"),
    "zip backslash": (as_zip([GOOD, ("..\\evil", b"")]), "cannot keep"),
    "zip device name": (as_zip([GOOD, ("aux/NUL.jpg", b"")]), "cannot keep"),
    "zip bzip2": (as_zip([GOOD, (bzip2("a"), b"0" * 1000)]), "fill the memory"),
    "zip star": (as_zip([GOOD, ("*.jpg", b"")]), "cannot keep"),
    "zip dot at the end": (as_zip([GOOD, ("a./b", b"")]), "cannot keep"),
    "zip link": (as_zip([GOOD, (zip_link("evil"), "/etc/passwd")]), "link"),
    "zip other case": (as_zip([("A.jpg", b"1"), ("a.jpg", b"2")]), "comes twice"),
    "tar climbs": (as_tar([GOOD, ("../evil", b"")]), "points out"),
    "tar absolute": (as_tar([GOOD, ("/evil", b"")]), "points out"),
    "tar link": (as_tar([GOOD, (special("evil", tarfile.SYMTYPE, "/etc"), b"")]), "link"),
    "tar hard link": (as_tar([GOOD, (special("evil", tarfile.LNKTYPE, "good.jpg"), b"")]), "link"),
    "tar device": (as_tar([GOOD, (special("evil", tarfile.CHRTYPE), b"")]), "link"),
    "tar pipe": (as_tar([GOOD, (special("evil", tarfile.FIFOTYPE), b"")]), "link"),
    "tar file and folder": (as_tar([("a", b""), ("a/b", b"")]), "could not be"),
    "tar cut": (as_tar(FILES.items(), "w:")[:-20_000], "could not be|breaks off"),
    "tar.gz cut": (as_tar(FILES.items())[:-50], "could not be|breaks off"),
    "zip cut": (as_zip(FILES.items())[:-50], "could not be"),
    "empty": (b"", "could not be|breaks off"),
    "a photo": (b"\xff\xd8\xff\xe0" * 1000, "could not be|breaks off"),
    "many": (as_zip([(f"{number}", b"") for number in range(200)]), "more than 100 entries"),
    "zip bomb": (as_zip([("a", bytes(20_000_000))]), "more than 10,000,000 bytes"),
    "tar bomb": (as_tar([("a", bytes(20_000_000))]), "more than 10,000,000 bytes"),
}


def everything(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def address(serve, tmp_path, monkeypatch):
    """The address of a server that does what the first part of a path says."""
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TUTORIAL_OFFLINE", "")

    def answer(request):
        way = request.path.split("/")[1]
        request.send_response({"refuses": 503, "leads_elsewhere": 302}.get(way, 200))
        request.send_header("Content-Length", str(len(CONTENT)))
        if way == "leads_elsewhere":
            request.send_header("Location", "http://example.org/photos.zip")
        request.end_headers()
        request.wfile.write({"wrong": bytes(len(CONTENT)), "breaks": CONTENT[:1000]}.get(way, CONTENT))

    return serve(answer)


@pytest.fixture
def path(tmp_path):
    """Where the file is kept."""
    path = tmp_path / "cache" / "downloads" / f"{SHA256[:16]}-photos.zip"
    path.parent.mkdir(parents=True)
    return path


def test_a_file_is_downloaded_once(address, path):
    assert archives.fetch(f"{address}/right/photos.zip", SHA256) == path
    assert path.read_bytes() == CONTENT
    assert archives.fetch(f"{address}/refuses/photos.zip", SHA256) == path
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("refuses", "503"),
        ("wrong", "does not match"),
        ("breaks", "1000 bytes read, 299000 more expected"),
        ("leads_elsewhere", "http://example.org/photos.zip is not an https address"),
    ],
)
def test_what_is_not_the_file_is_not_kept_and_the_way_by_hand_is_told(address, path, way, words):
    with pytest.raises(DownloadError, match=words) as caught:
        archives.fetch(f"{address}/{way}/photos.zip", SHA256)
    assert f"download {address}/{way}/photos.zip and save it as {path}" in str(caught.value)
    assert not list(path.parent.iterdir())


def test_a_machine_without_a_network_gets_a_plain_sentence(address, path):
    with pytest.raises(DownloadError) as caught:
        archives.fetch("https://127.0.0.1:9/photos.zip", SHA256)
    assert str(caught.value) == (
        "photos.zip could not be downloaded: the server does not answer; check the network. "
        f"To do it by hand, download https://127.0.0.1:9/photos.zip and save it as {path}"
    )


@pytest.mark.parametrize("offline", ["1", "true"])
def test_offline_only_a_file_saved_by_hand_is_used(address, path, monkeypatch, offline):
    monkeypatch.setenv("TUTORIAL_OFFLINE", offline)
    url = f"{address}/right/photos.zip"
    with pytest.raises(DownloadError, match="is not on this machine, and TUTORIAL_OFFLINE forbids"):
        archives.fetch(url, SHA256)
    path.write_text("<html>")
    with pytest.raises(DownloadError, match="sha256 is wrong"):
        archives.fetch(url, SHA256)
    path.write_bytes(CONTENT)
    assert archives.fetch(url, SHA256) == path


def test_a_wrong_file_saved_by_hand_is_replaced(address, path):
    path.write_text("<html>")
    assert archives.fetch(f"{address}/right/photos.zip", SHA256).read_bytes() == CONTENT


def test_plain_http_is_refused(address):
    with pytest.raises(DownloadError, match="not an https address"):
        archives.fetch("http://example.org/photos.zip", SHA256)


def in_processes(count, function, *arguments):
    """Call a function in so many processes at once."""
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=function, args=arguments) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
        assert worker.exitcode == 0


def test_two_processes_download_the_same_file(address, path):
    in_processes(2, archives.fetch, f"{address}/right/photos.zip", SHA256)
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", WHOLE)
def test_whole_archives(tmp_path, name):
    (tmp_path / "archive").write_bytes(WHOLE[name])
    folder = archives.unpack(tmp_path / "archive", tmp_path / "out")
    assert everything(folder) == FILES
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "out"}


def test_a_folder_that_is_there_stays(tmp_path):
    (tmp_path / "archive").write_bytes(WHOLE["zip"])
    (tmp_path / "out").mkdir()
    archives.unpack(tmp_path / "archive", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_folder_that_cannot_be_put_in_its_place_is_an_error(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("a virus scanner holds it open")

    (tmp_path / "archive").write_bytes(WHOLE["zip"])
    monkeypatch.setattr(pathlib.Path, "rename", refuse)
    with pytest.raises(OSError, match=r"could not be renamed to .*out"):
        archives.unpack(tmp_path / "archive", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_two_processes_unpack_the_same_archive(tmp_path):
    (tmp_path / "archive").write_bytes(WHOLE["tar.gz"])
    in_processes(4, archives.unpack, tmp_path / "archive", tmp_path / "out")
    assert everything(tmp_path / "out") == FILES
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "out"}


@pytest.mark.parametrize("name", BAD)
def test_nothing_of_a_bad_archive_is_unpacked(tmp_path, name, monkeypatch):
    monkeypatch.setattr(archives, "_WINDOWS", True)
    content, words = BAD[name]
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(ArchiveError, match=words):
        archives.unpack(tmp_path / "archive", tmp_path / "in" / "out", most_files=100, most_bytes=10_000_000)
    assert everything(tmp_path) == {"archive": content}


def test_an_encrypted_zip(tmp_path):
    content = bytearray(as_zip([GOOD]))
    content[6] |= 1  # the flag in the local header, then in the central directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "archive").write_bytes(content)
    with pytest.raises(ArchiveError, match="encrypted"):
        archives.unpack(tmp_path / "archive", tmp_path / "out")


def test_as_many_files_and_bytes_as_are_allowed(tmp_path):
    (tmp_path / "archive").write_bytes(as_zip(FILES.items()))
    size = sum(map(len, FILES.values()))
    archives.unpack(tmp_path / "archive", tmp_path / "out", most_files=3, most_bytes=size)
    for most_files, most_bytes in [(2, size), (3, size - 1)]:
        with pytest.raises(ArchiveError, match="more than"):
            archives.unpack(tmp_path / "archive", tmp_path / "less", most_files, most_bytes)


def test_a_header_without_an_end(tmp_path):
    """Each block of a sparse file's header says that another follows; tarfile would keep them all, 20 MB here."""
    sparse = bytearray(special("a", tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    sparse[482] = 1  # another block of the list of holes follows
    sparse[148:156] = b"%06o\0 " % (sum(sparse[:148]) + 256 + sum(sparse[156:]))  # the sum of all bytes
    (tmp_path / "archive").write_bytes(gzip.compress(bytes(sparse) + (bytes(504) + b"\1" + bytes(7)) * 40_000))
    with pytest.raises(ArchiveError, match="unpacks to more than"):
        archives.unpack(tmp_path / "archive", tmp_path / "out", most_files=1, most_bytes=1)


def test_a_header_that_claims_gigabytes(tmp_path):
    """A tar header of kind x names the size of what follows, and tarfile would read all of it into memory."""
    claim = special("x", tarfile.XHDTYPE)
    claim.size = 2**32
    (tmp_path / "archive").write_bytes(claim.tobuf(tarfile.GNU_FORMAT) + bytes(100_000))
    with pytest.raises(ArchiveError, match="header of this archive says"):
        archives.unpack(tmp_path / "archive", tmp_path / "out")


CODE = """
import pathlib, sys
from tutorial_utils.data import archives

root, seen = pathlib.Path(sys.argv[1]), {}
for path in sorted((root / "in").iterdir()):
    try:
        archives.unpack(path, root / "out" / path.name, 1000, 10_000_000)
        kind = "unpacked"
    except archives.ArchiveError:
        kind = "refused"
        assert not (root / "out" / path.name).exists()
    seen[kind] = seen.get(kind, 0) + 1
assert not list((root / "out").glob(".*"))
print(seen)
"""


@pytest.mark.slow
def test_no_bytes_escape_the_folder(tmp_path, mutated):
    """20,000 archives with changed, missing and doubled bytes, half of them with their first 64 bytes as they were."""
    rng, done, headers = np.random.default_rng(1), collections.Counter(), 0
    whole = [*WHOLE.values(), *(content for content, _ in BAD.values() if 0 < len(content) < 100_000)]
    for batch in range(10):
        root = tmp_path / f"{batch}" / "deep" / "deeper"
        (root / "in").mkdir(parents=True)
        (root / "out").mkdir()
        for number in range(2000):
            content = whole[int(rng.integers(len(whole)))]
            changed = mutated(content, rng)
            headers += changed[:64] == content[:64]
            (root / "in" / f"{number:04d}").write_bytes(changed)
        process = subprocess.run([sys.executable, "-c", CODE, root], capture_output=True, text=True, timeout=300)
        assert process.returncode == 0, process.stderr[-3000:]
        assert process.stderr == ""
        done.update(eval(process.stdout))
        assert {path.name for path in root.iterdir()} == {"in", "out"}
        assert not [path for path in (root / "out").rglob("*") if path.is_symlink()]
        for folder in (tmp_path / f"{batch}", root.parent):
            assert len(list(folder.iterdir())) == 1
    assert not pathlib.Path("/evil").exists()
    assert headers > 10_000
    assert done["unpacked"] > 300
    assert done["refused"] > 10_000
