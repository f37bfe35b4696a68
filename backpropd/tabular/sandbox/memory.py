"""The memory of a process of the sandbox, as the system counts it."""

import ctypes
import resource
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from backpropd.tabular.heap import MAPPED_BYTES

LARGEST_GAP_BYTES = 4 * 2**20  # of those that are looked for


class Memory(NamedTuple):
    """What a process has of the two kinds of memory that are limited, in bytes, before it reads a file."""

    data: int
    peak: int


def peak_bytes(pid: int | str) -> int:
    """The most addresses that a process has had; 0 where the system does not tell, or if it has ended."""
    with suppress(OSError, StopIteration):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmPeak")).split()[1]) * 1024
    return 0


def data_bytes() -> int:
    """The private memory of this process that can be written, used or not, which `RLIMIT_DATA` bounds; 0 likewise."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    return 0


def take_gaps() -> None:
    """Allocate the larger gaps in the heap; call it after `avoid_gaps`.

    There are more of them if modules were compiled when the process began; a file must not need less memory for that.
    """
    if not data_bytes():
        return
    library = ctypes.CDLL(None)
    library.malloc.argtypes, library.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    library.free.argtypes = [ctypes.c_void_p]
    size = LARGEST_GAP_BYTES
    while size >= MAPPED_BYTES:
        before = data_bytes()
        taken = library.malloc(size)
        if data_bytes() > before:  # it was mapped: no gap is as large
            library.free(taken)
            size //= 2
