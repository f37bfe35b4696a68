"""The name of a process that holds a lease: `<machine>/<parent's pid>/<own pid>`, and whether that process runs."""

import functools
import os
import socket
from pathlib import Path


@functools.cache
def machine() -> str:
    """This machine since its last boot; a container, which sees other processes than its host, is another one."""
    names = [socket.gethostname()]
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    if boot.exists() and namespace.exists():
        names += [boot.read_text()[:8], str(namespace.stat().st_ino)]
    return "-".join(names)


def identity(parent: int) -> str:
    """The name of this process: the child of a worker's parent, or that parent itself."""
    return f"{machine()}/{parent}/{os.getpid()}"


def may_run(name: str) -> bool:
    """Whether the process of this name may run: false only if it is of this machine and has ended."""
    where, *pids = name.split("/")
    return where != machine() or is_running(int(pids[-1]))


def is_running(pid: int) -> bool:
    """Whether a process has this pid and has not ended; without /proc a zombie counts as running."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:  # another user's process, or no Linux
        return True
