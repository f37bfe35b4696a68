"""Blobs: bytes named by their sha256, through fsspec; written to the side, synced, and renamed into place."""

from __future__ import annotations

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
    """A folder, or another place that fsspec reaches, of content-addressed files."""

    def __init__(self, url: str, scratch: Path) -> None:
        self.filesystem, self.root = fsspec.core.url_to_fs(url)
        self.local = "file" in (self.filesystem.protocol, *self.filesystem.protocol)
        self.scratch = scratch
        scratch.mkdir(parents=True, exist_ok=True)
        self.filesystem.makedirs(self.root, exist_ok=True)

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A folder for files on their way in; it goes with the block."""
        with tempfile.TemporaryDirectory(dir=self.scratch, ignore_cleanup_errors=True) as folder:
            yield Path(folder)

    def tidy_scratch(self, seconds: float) -> None:
        """Remove what killed processes left of their workspaces: those in which nothing was written for so long."""
        limit = time.time() - seconds
        for place in self.scratch.iterdir():
            with suppress(FileNotFoundError):  # another was quicker
                if max(path.stat().st_mtime for path in (place, *place.rglob("*"))) < limit:
                    shutil.rmtree(place)

    def put(self, source: Path) -> tuple[str, int]:
        """Store a file's bytes; gives their sha256 and number. The same bytes twice are one blob."""
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
        aside = target.with_name(f"{target.name}.{secrets.token_hex(8)}.part")  # the same bytes may come twice at once
        shutil.copyfile(source, aside)
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def local_path(self, sha256: str) -> Iterator[Path]:
        """The blob as a file on this machine: itself where it lies here, or a copy that goes with the block.

        Raises `errors.NotFound` when its dataset was deleted since the caller read of it.
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

    def holds(self, sha256: str) -> bool:
        """Whether there is such a blob."""
        return bool(self.filesystem.exists(self._path(sha256)))

    def delete(self, sha256: str) -> None:
        """Remove a blob; none of that name is no error."""
        if self.holds(sha256):
            self.filesystem.rm_file(self._path(sha256))

    def older_than(self, seconds: float) -> Iterator[str]:
        """The names of blobs written at least so long ago: what the reaper asks about."""
        limit = time.time() - seconds
        for path in self.filesystem.find(self.root):
            if self.filesystem.modified(path).timestamp() < limit:
                yield path.rpartition("/")[2]

    def _path(self, sha256: str) -> str:
        return f"{self.root}/{sha256[:2]}/{sha256}"
