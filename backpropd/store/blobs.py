"""Blobs: immutable files named by the sha256 of their content, stored through fsspec."""

import hashlib
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import fsspec

from backpropd import errors

COPY_BYTES = 1024 * 1024


class Blobs:
    """A store of blobs at any URL that fsspec supports, and a local scratch folder for unfinished files."""

    def __init__(self, url: str, scratch: Path) -> None:
        """Raises `errors.Misconfigured` for a URL of an unknown scheme, or one whose driver is not installed."""
        try:
            self.filesystem, self.root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise errors.Misconfigured(f"BACKPROPD_BLOBS_URL={url} cannot be opened: {error}") from error
        self.local = "file" in (self.filesystem.protocol, *self.filesystem.protocol)
        self.scratch = scratch
        scratch.mkdir(parents=True, exist_ok=True)
        self.filesystem.makedirs(self.root, exist_ok=True)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A temporary folder for an upload, removed at the end of the block."""
        with tempfile.TemporaryDirectory(dir=self.scratch, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def tidy_scratch(self, seconds: float) -> None:
        """Remove the workspaces of killed processes: those without a change for `seconds`."""
        limit = time.time() - seconds
        for folder in self.scratch.iterdir():
            with suppress(FileNotFoundError):  # another process removed it first
                if max(path.stat().st_mtime for path in (folder, *folder.rglob("*"))) < limit:
                    shutil.rmtree(folder)

    def put(self, source: Path) -> tuple[str, int]:
        """Store a file; returns its sha256 and its size in bytes. Equal files are one blob."""
        with source.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        target = self._path(sha256)
        self.filesystem.makedirs(target.rpartition("/")[0], exist_ok=True)
        if self.local:
            self._put_local(source, Path(target))
        else:
            self.filesystem.put_file(str(source), target)
        return sha256, source.stat().st_size

    def _put_local(self, source: Path, target: Path) -> None:
        # Written aside, synced and renamed: after a crash the blob is complete or absent.
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
    def local_path(self, sha256: str) -> Iterator[Path]:
        """The blob as a local file: itself, or a copy that is removed at the end of the block.

        Raises `errors.NotFound` if its dataset was deleted after the caller read the name.
        """
        try:
            if self.local:
                yield Path(self._path(sha256))
                return
            with self.workspace() as folder:
                copy = folder / sha256
                self.filesystem.get_file(self._path(sha256), str(copy))
                yield copy
        except FileNotFoundError as gone:
            raise errors.NotFound("the dataset was deleted a moment ago") from gone

    def exists(self, sha256: str) -> bool:
        """Whether there is a blob of this name."""
        return bool(self.filesystem.exists(self._path(sha256)))

    def delete(self, sha256: str) -> None:
        """Delete a blob, if it exists."""
        if self.exists(sha256):
            self.filesystem.rm_file(self._path(sha256))

    def older_than(self, seconds: float) -> Iterator[str]:
        """The names of the blobs that were written more than `seconds` ago."""
        limit = time.time() - seconds
        for path in self.filesystem.find(self.root):
            if self.filesystem.modified(path).timestamp() < limit:
                yield path.rpartition("/")[2]

    def _path(self, sha256: str) -> str:
        return f"{self.root}/{sha256[:2]}/{sha256}"
