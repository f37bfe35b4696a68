"""Blobs compared with the sha256 that names them: once in a process for a file that has not changed since."""

import hashlib
import os
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from backpropd import errors

MAX_VERIFIED = 10_000  # files that are remembered
# A file that was changed a moment ago may change again without a new time: the clock of file systems has coarse steps.
SETTLED_SECONDS = 1.0


class _Version(NamedTuple):
    """What changes with a file's content; nobody can set the time of its last change (ctime)."""

    inode: int
    size: int
    modified_ns: int
    changed_ns: int


class VerifiedFiles:
    """The files of this process that have been compared with their sha256."""

    def __init__(self) -> None:
        self._verified: OrderedDict[str, _Version] = OrderedDict()
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def check(self, path: Path, sha256: str) -> None:
        """Raise `errors.BlobDamaged` unless the file has this sha256, `errors.BlobMissing` if there is none.

        Reading a file again costs one `stat`. Several threads that need the same file wait for one of them to read it.
        """
        with self._lock:
            lock = self._locks.setdefault(sha256, threading.Lock())
        try:
            with lock:
                self._check(path, sha256)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise errors.BlobMissing("the stored bytes are missing") from error
        except OSError as error:
            raise errors.BlobDamaged("the stored bytes cannot be read") from error
        finally:
            with self._lock:
                self._locks.pop(sha256, None)

    def _check(self, path: Path, sha256: str) -> None:
        with path.open("rb") as file:
            version = _version(file.fileno())
            if self._verified.get(sha256) == version:
                return
            began = time.time()
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise errors.BlobDamaged("the stored bytes are not those that were written")
            if _version(file.fileno()) == version and began - version.changed_ns / 1e9 > SETTLED_SECONDS:
                self._remember(sha256, version)

    def _remember(self, sha256: str, version: _Version) -> None:
        with self._lock:
            self._verified[sha256] = version
            if len(self._verified) > MAX_VERIFIED:
                self._verified.popitem(last=False)


def _version(descriptor: int) -> _Version:
    found = os.fstat(descriptor)
    return _Version(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
