"""The data folder: one stack at a time lives in it, and leaves its address there while it runs."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backpropd.errors import Conflict, Unavailable

_ANOTHER = "Choose another one: BACKPROPD_DATA_DIR=/some/folder make run"
# How long a guard may take to end all parts, in seconds: no longer than the supervisor.
_GUARDS_LONGEST = 30.0


@contextmanager
def claimed(folder: Path) -> Iterator[int]:
    """The folder, made if need be, for this stack alone; yields the lock's descriptor.

    The lock is flock's: it is held until the last process that inherited the descriptor has gone. That may be the
    guard of a stack that was killed, which is waited for. Raises `Conflict` when another stack lives in the folder,
    `Unavailable` when it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "stack.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Unavailable(f"The data folder {folder} cannot be used: {error.strerror}. {_ANOTHER}") from error
    try:
        _lock(lock, folder)
        yield lock
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    deadline = time.monotonic() + _GUARDS_LONGEST
    while not _locked(lock):
        holder = os.pread(lock, 32, 0).decode().strip()
        if _lives(holder) or time.monotonic() > deadline:
            raise Conflict(f"Another stack (process {holder}) runs in {folder}, or is stopping. {_ANOTHER}")
        time.sleep(0.1)
    os.pwrite(lock, f"{os.getpid():<32}".encode(), 0)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(holder: str) -> bool:
    if not holder:
        return True  # it made the file this very moment, and has not written its number yet
    try:
        os.kill(int(holder), 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


@contextmanager
def address_file(folder: Path) -> Iterator[Path]:
    """`stack.json`, which lets a script find the stack: gone before it is ready, and after."""
    path = folder / "stack.json"
    path.unlink(missing_ok=True)  # of a stack that was killed
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def write_address(path: Path, url: str) -> None:
    """Write the file whole or not at all: whoever waits for it reads it at once."""
    aside = path.with_suffix(".part")
    aside.write_text(json.dumps({"url": url, "pid": os.getpid()}) + "\n")
    aside.replace(path)
