"""Blobs: immutable files named by the sha256 of their content, in a folder or at a URL, verified when read."""

import fcntl
import hashlib
import logging
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from backpropd import errors, private_folder
from backpropd.store.remote_blobs import RemoteFiles
from backpropd.store.verification import VerifiedFiles

log = logging.getLogger(__name__)

COPY_BYTES = 1024 * 1024
REMOTE = re.compile(r"(?!file://)[A-Za-z][A-Za-z0-9+.:-]*://")  # how a URL begins, and an absolute path does not
NAME = re.compile(r"[0-9a-f]{64}(\.[0-9a-f]+\.part)?")  # of a blob, or of one that is being written

LOCK_FILE = ".in-use"  # of a workspace


def sha256_of(source: Path) -> str:
    """The name that a file would have as a blob."""
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Blobs:
    """A store of blobs in a folder or at a URL of fsspec, and a local scratch folder for unfinished files."""

    def __init__(self, location: str, scratch: Path) -> None:
        """`location` is a path as it stands, or a URL.

        Raises `errors.Misconfigured` for a URL of an unknown scheme, or one whose driver is not installed.
        """
        self.remote = RemoteFiles(location) if is_remote(location) else None
        self.scratch = scratch
        self._verified = VerifiedFiles()
        private_folder.make(scratch.parent)
        private_folder.make(scratch)
        self.folder = folder_of(location)  # of the blobs, unless they are remote
        if not self.remote:
            self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def local_folders(self) -> list[str]:
        """The folders of this machine that are written to."""
        return [str(self.scratch), *([] if self.remote else [str(self.folder)])]

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A temporary folder, removed at the end of the block; locked until then, so that no reaper removes it."""
        with (
            tempfile.TemporaryDirectory(dir=self.scratch, ignore_cleanup_errors=True) as folder,
            _locked(Path(folder)),
        ):
            yield Path(folder)

    def tidy_scratch(self, seconds: float) -> None:
        """Remove what killed processes left, and whatever else is there: without a change for `seconds`.

        Workspaces in use stay, and so does what cannot be removed, which is logged.
        """
        limit = _clock_of(self.scratch) - seconds
        for path in self.scratch.iterdir():
            try:
                if _last_change(path) < limit and not _is_locked(path):
                    _remove(path)
            except FileNotFoundError:  # another process removed it first
                continue
            except OSError:
                log.exception("%s in the scratch folder cannot be removed", path.name)

    def put(self, source: Path) -> tuple[str, int]:
        """Store a file; returns its sha256 and its size in bytes. Equal files are one blob."""
        sha256 = sha256_of(source)
        with source.open("rb") as file:
            os.fsync(file.fileno())
        if self.remote:
            self.remote.put(source, _path(sha256))
        else:
            self._put_local(source, self.folder / _path(sha256))
        return sha256, source.stat().st_size

    def _put_local(self, source: Path, target: Path) -> None:
        # Written aside, synced and renamed: after a crash the blob is complete or absent.
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f"{target.name}.{secrets.token_hex(8)}.part")
        shutil.copyfile(source, unfinished)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def local_path(self, sha256: str, owner: str) -> Iterator[Path]:
        """The blob as a verified local file: itself, or a copy that is removed at the end of the block.

        Raises `errors.BlobsUnavailable`; and `errors.BlobMissing` and `errors.BlobDamaged`, which name the
        `owner`, such as `the dataset ds_1`.
        """
        try:
            if not self.remote:
                path = self.folder / _path(sha256)
                self._verified.check(path, sha256)
                yield path
                return
            with self.workspace() as folder:
                path = folder / sha256
                self.remote.get(_path(sha256), path)
                self._verified.check(path, sha256)
                yield path
        except (FileNotFoundError, errors.BlobMissing) as error:
            raise errors.BlobMissing(f"the stored bytes of {owner} are missing: {_MEND}") from error
        except errors.BlobDamaged as error:
            log.error("the blob %s of %s is damaged", sha256, owner)
            raise errors.BlobDamaged(f"the stored bytes of {owner} are damaged: {_MEND}") from error

    def exists(self, sha256: str) -> bool:
        """Whether there is a blob of this name."""
        return self.remote.exists(_path(sha256)) if self.remote else (self.folder / _path(sha256)).exists()

    def delete(self, sha256: str) -> None:
        """Delete a blob, if it exists."""
        if self.remote:
            self.remote.delete(_path(sha256))
        else:
            (self.folder / _path(sha256)).unlink(missing_ok=True)

    def older_than(self, seconds: float) -> Iterator[str]:
        """The names of the blobs that were written more than `seconds` ago. Files of other names are ignored.

        The clock is that of the store, which also has the times of the blobs: this machine's may differ by hours.
        """
        limit = (self._remote_clock(self.remote) if self.remote else _clock_of(self.folder)) - seconds
        for name, written in self.remote.modified() if self.remote else self._modified():
            if NAME.fullmatch(name) and written < limit:
                yield name

    def _remote_clock(self, remote: RemoteFiles) -> float:
        """The time of a file that is written now, under a name that is cleaned up if this process is killed."""
        name = f"{secrets.token_hex(32)}.{secrets.token_hex(8)}.part"
        with self.workspace() as folder:
            (folder / name).touch()
            return remote.time_of_writing(folder / name, _path(name))

    def _modified(self) -> Iterator[tuple[str, float]]:
        for path in self.folder.rglob("*"):
            with suppress(FileNotFoundError):  # deleted in the meantime
                found = path.lstat()
                if stat.S_ISREG(found.st_mode):
                    yield path.name, found.st_mtime

    def check(self) -> None:
        """Raise `errors.BlobsUnavailable` unless they are in a folder, or where they are answers."""
        if self.remote:
            self.remote.check()


def _path(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"


_MEND = "an operator can restore them from a backup; or upload the same file again, which replaces them"


def is_remote(location: str) -> bool:
    """Whether the blobs at this location are not in a folder of this machine."""
    return REMOTE.match(location) is not None


def folder_of(location: str) -> Path:
    """The folder of a location. Only a URL is parsed: a path may have any characters."""
    path = url2pathname(urlsplit(location).path) if location.startswith("file://") else location
    return Path(os.path.abspath(path))


def _clock_of(folder: Path) -> float:
    """The time of a file that is written in this folder now: it may be on another machine's disk."""
    with tempfile.TemporaryFile(dir=folder) as file:
        return os.fstat(file.fileno()).st_mtime


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on a file in this folder; it ends with this process. A file system without locks has none."""
    with (folder / LOCK_FILE).open("wb") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _is_locked(path: Path) -> bool:
    """Whether a process holds the lock of this workspace."""
    try:
        with (path / LOCK_FILE).open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # it is no workspace, or cannot be locked
        return False
    return False


def _last_change(path: Path) -> float:
    """The time of the last change of a file, or of anything in a folder. Links are not followed."""
    newest = path.lstat().st_mtime
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            newest = max(newest, os.lstat(os.path.join(folder, name)).st_mtime)
    return newest


def _remove(path: Path) -> None:
    if stat.S_ISDIR(path.lstat().st_mode):
        shutil.rmtree(path)
    else:
        path.unlink()
