"""Files at a URL of fsspec, such as a bucket of S3, whose every fault is one error, `errors.BlobsUnavailable`."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec

from backpropd import errors
from backpropd.store import s3_session

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5
READ_SECONDS = 10  # without a byte from the server
ATTEMPTS = 2
OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {
        "skip_instance_cache": True,
        "config_kwargs": {
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
            "retries": {"max_attempts": 0},  # the driver repeats by itself
            "connector_args": {"socket_factory": s3_session.socket_with_timeout(READ_SECONDS)},
        },
    }
}
SILENT = "the blob store does not answer: try again later"
REFUSED = "the blob store refuses this service ({}): an operator has to mend its credentials or its bucket"
REFUSALS = ("NoCredentialsError", "PartialCredentialsError", "PermissionError")


class RemoteFiles:
    """The files below a URL, each named by a path relative to it.

    The file system is opened by the process that uses it first: drivers have threads and connections, which a child
    must not inherit.
    """

    def __init__(self, location: str) -> None:
        """Raises `errors.Misconfigured` for a URL of an unknown scheme, or one whose driver is not installed."""
        self.location = location
        self._scheme = location.partition("://")[0].partition("::")[0]
        self._opened: tuple[int, Any, str] | None = None
        try:
            fsspec.get_filesystem_class(self._scheme)
        except (ImportError, ValueError) as error:
            raise errors.Misconfigured(f"BACKPROPD_BLOBS_URL={location} cannot be opened: {error}") from error

    def put(self, source: Path, name: str) -> None:
        """Store a file."""
        with self._answering() as (filesystem, root):
            if self._scheme != "s3":  # which has no folders, and whose driver would create a missing bucket
                filesystem.makedirs(f"{root}/{name}".rpartition("/")[0], exist_ok=True)
            filesystem.put_file(str(source), f"{root}/{name}")

    def get(self, name: str, target: Path) -> None:
        """Copy a file to a local one. Raises `FileNotFoundError`."""
        with self._answering() as (filesystem, root):
            filesystem.get_file(f"{root}/{name}", str(target))

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        with self._answering() as (filesystem, root):
            return bool(filesystem.exists(f"{root}/{name}"))

    def delete(self, name: str) -> None:
        """Delete a file, if it exists."""
        with self._answering() as (filesystem, root):
            if filesystem.exists(f"{root}/{name}"):
                filesystem.rm_file(f"{root}/{name}")

    def modified(self) -> Iterator[tuple[str, float]]:
        """The last part of each file's name, and when it was written, in seconds since 1970."""
        with self._answering() as (filesystem, root):
            filesystem.invalidate_cache()  # the times are read from the listing
            paths = filesystem.find(root)
        for path in paths:
            try:
                with self._answering():
                    written = filesystem.modified(path).timestamp()
            except FileNotFoundError:  # deleted in the meantime
                continue
            yield path.rpartition("/")[2], written

    def time_of_writing(self, source: Path, name: str) -> float:
        """What the store's clock shows now, in seconds since 1970: a file is written and deleted for it."""
        self.put(source, name)
        try:
            with self._answering() as (filesystem, root):
                filesystem.invalidate_cache()
                return float(filesystem.modified(f"{root}/{name}").timestamp())
        finally:
            self.delete(name)

    def check(self) -> None:
        """Raise `errors.BlobsUnavailable` unless the server answers and lets us read the folder or bucket."""
        with self._answering() as (filesystem, root):
            filesystem.invalidate_cache()
            try:
                filesystem.ls(root)
            except FileNotFoundError:  # nothing is stored yet, unless the bucket is missing, too
                bucket = root.partition("/")[0]
                if bucket and not filesystem.exists(bucket):
                    raise PermissionError(
                        f"there is no bucket {bucket}, or it is closed to these credentials"
                    ) from None

    @contextmanager
    def _answering(self) -> Iterator[tuple[Any, str]]:
        """The file system and the path of the URL in it; every error but a missing file is `BlobsUnavailable`."""
        try:
            yield self._open()
        except FileNotFoundError:
            raise
        except Exception as error:  # of any driver
            log.warning("the blobs at %s cannot be used: %s: %s", self.location, type(error).__name__, error)
            refused = type(error).__name__ in REFUSALS
            raise errors.BlobsUnavailable(REFUSED.format(error) if refused else SILENT) from error

    def _open(self) -> tuple[Any, str]:
        if self._opened is None or self._opened[0] != os.getpid():
            options = OPTIONS.get(self._scheme, {})
            if self._scheme == "s3":
                options = {**options, "session": s3_session.session()}
            filesystem, root = fsspec.core.url_to_fs(self.location, **options)
            filesystem.retries = ATTEMPTS
            self._opened = os.getpid(), filesystem, root
        return self._opened[1:]
