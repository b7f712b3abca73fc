"""Folders, hashes and atomic writes (standard library only)."""

import contextlib
import errno
import hashlib
import json
import os
import pathlib
import time
import uuid

_FORGOTTEN = 3600  # seconds after which a temporary file is no one's any more
PACKAGE = pathlib.Path(__file__).resolve().parent


def project_root():
    """Return the folder that holds the course's pyproject.toml, else the working directory."""
    for folder in (PACKAGE.parent, *pathlib.Path.cwd().resolve().parents, pathlib.Path.cwd().resolve()):
        manifest = folder / "pyproject.toml"
        if manifest.is_file() and 'name = "tutorial_utils"' in manifest.read_text(encoding="utf-8"):
            return folder
    return pathlib.Path.cwd()


def run_path(run_dir):
    """Return the absolute run folder for `run_dir` (DESIGN: the environment variable TUTORIAL_RUNS moves it).

    A relative path starts at `project_root()`; with TUTORIAL_RUNS set, that folder stands for "runs".
    """
    path = pathlib.Path(run_dir).expanduser()
    base = os.environ.get("TUTORIAL_RUNS")
    if path.is_absolute():
        return path
    if base:
        parts = path.parts[1:] if path.parts[:1] == ("runs",) else path.parts
        return pathlib.Path(base).expanduser().joinpath(*parts)
    return project_root() / path


def cache_folder():
    """Return the folder for what can be made again: TUTORIAL_CACHE, else ~/.cache/tutorial_utils."""
    chosen = os.environ.get("TUTORIAL_CACHE")
    return pathlib.Path(chosen).expanduser() if chosen else pathlib.Path.home() / ".cache" / "tutorial_utils"


def cards_folder():
    """Return the folder of data set cards: inside an installed wheel, else `datasets/` of the checkout."""
    inside = PACKAGE / "cards"
    return inside if inside.is_dir() else PACKAGE.parent / "datasets"


def notebooks_folder():
    """Return the folder of the chapters: inside an installed wheel, else `notebooks/` of the checkout."""
    inside = PACKAGE / "notebooks"
    return inside if inside.is_dir() else project_root() / "notebooks"


def benchmarks_folder():
    """Return the folder of the benchmarks' tables: inside an installed wheel, else `benchmarks/`."""
    inside = PACKAGE / "benchmarks"
    return inside if inside.is_dir() else PACKAGE.parent / "benchmarks"


def sha256(path):
    """Return the sha256 of a file's bytes as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(data):
    """Return the sha256 of bytes as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def replace_with(path, write, durable=False):
    """Make the file `path` by `write(temporary_path)`: a reader sees the old file or the new one, never half.

    The temporary file has the same suffix and stands in the same folder; it is removed if `write` fails.
    durable : wait until the disk has it, so that it is whole after a power cut too
    Raises OSError that names the file if the disk is full; what was there before is still there then.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{uuid.uuid4().hex}{path.suffix}")
    try:
        part.touch(exist_ok=False)  # with the permissions of any new file, which tempfile's files do not have
        write(part)
        if durable:
            with open(part, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(error.errno, "the disk is full; make room and run this again", str(path)) from None
        raise
    finally:
        part.unlink(missing_ok=True)
    return path


def sweep(folder):
    """Delete the temporary files that `replace_with` left in a folder when its process was killed: an hour old ones.

    Younger ones may be another process's that is writing just now.
    """
    for part in pathlib.Path(folder).glob(".part-*"):
        with contextlib.suppress(FileNotFoundError):  # another process swept it
            if time.time() - part.stat().st_mtime > _FORGOTTEN:
                part.unlink()


def write_bytes(path, data):
    """Write bytes to `path` atomically."""
    return replace_with(path, lambda part: part.write_bytes(data))


def write_text(path, text):
    """Write text to `path` atomically, as UTF-8 with line feeds on every system."""
    return write_bytes(path, text.encode("utf-8", "surrogateescape"))  # names of files may be no UTF-8


def write_json(path, value):
    """Write `value` to `path` atomically as indented JSON; NaN raises ValueError."""
    return write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
