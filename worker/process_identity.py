"""Who holds a job: `<machine>/<parent's pid>/<own pid>`, so that whoever runs on the same machine sees if it lives."""

from __future__ import annotations

import functools
import os
import socket
from pathlib import Path


@functools.cache
def machine() -> str:
    """This machine, since it was started, as seen from here: a container sees other processes than its host."""
    parts = [socket.gethostname()]
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if boot.exists() and namespace.exists():
        parts += [boot.read_text()[:8], str(namespace.stat().st_ino)]
    return "-".join(parts)


def identity(parent: int) -> str:
    """The name of this process, a worker's child or, to itself, a parent."""
    return f"{machine()}/{parent}/{os.getpid()}"


def lives(name: str) -> bool:
    """Whether the process of this name may be there: a process of another machine always may."""
    place, *pids = name.split("/")
    return place != machine() or is_there(int(pids[-1]))


def is_there(pid: int) -> bool:
    """Whether a process has this pid, and has not ended: one that nobody has buried yet does nothing any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether the process has ended, and its parent has not asked how; where there is no /proc, nobody can tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
