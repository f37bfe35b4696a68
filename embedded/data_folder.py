"""The data folder: locked by one stack at a time, with a file that contains the running stack's address."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backpropd import private_folder
from backpropd.errors import Conflict, Unavailable
from embedded.orphan_guard import is_running

_CHOOSE_ANOTHER = "Choose another one: BACKPROPD_DATA_DIR=/some/folder make run"
_GUARD_SECONDS = 60.0  # a guard takes up to 30 to stop all programs, longer on a busy machine
LOCK = "stack.lock"


@contextmanager
def locked(folder: Path) -> Iterator[int]:
    """Create and lock the folder for this stack, and for this user alone; yields the lock's descriptor.

    The lock is flock's: it is held until the last process that inherited the descriptor has ended. That may be the
    guard of a stack that was killed, which is waited for. Raises `Conflict` if another stack uses the folder,
    `Unavailable` if it is not writable.
    """
    try:
        _make_private(folder)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Unavailable(f"The data folder {folder} cannot be used: {error.strerror}. {_CHOOSE_ANOTHER}") from error
    try:
        _lock(descriptor, folder)
        yield descriptor
    finally:
        os.close(descriptor)


def _make_private(folder: Path) -> None:
    """Create the folder; take it from others if it is a stack's, or empty. One with other files keeps its mode."""
    private_folder.make(folder)
    if (folder / LOCK).exists() or not any(folder.iterdir()):
        folder.chmod(private_folder.PRIVATE)


def _lock(descriptor: int, folder: Path) -> None:
    deadline = time.monotonic() + _GUARD_SECONDS
    while not _try_lock(descriptor):
        # A stack that has just created the file has not written its pid yet.
        holder = os.pread(descriptor, 32, 0).decode().strip()
        if not holder or is_running(int(holder)) or time.monotonic() > deadline:
            raise Conflict(f"Another stack (process {holder}) runs in {folder}, or is stopping. {_CHOOSE_ANOTHER}")
        time.sleep(0.1)
    os.pwrite(descriptor, f"{os.getpid():<32}".encode(), 0)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def address_file(folder: Path) -> Iterator[Path]:
    """The path of `stack.json`, from which scripts read the address; it exists only while the stack is ready."""
    path = folder / "stack.json"
    path.unlink(missing_ok=True)  # left by a stack that was killed
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def write_address(path: Path, url: str) -> None:
    """Write the file atomically: scripts that wait for it read it immediately."""
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
    temporary.replace(path)
