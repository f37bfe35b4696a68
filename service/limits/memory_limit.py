"""The limit of the API's memory: a request reserves what it may take, or is rejected."""

import ctypes
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from backpropd import errors

JSON_FACTOR = 32  # bytes in memory for each byte of JSON, at most: an object of one member
MAX_JSON_BYTES = 384 * 1024**2  # in memory, of one body: its values are counted before it is decoded
COSTLY_BYTES = 128 * 1024**2  # an inspection, or a look at a wide dataset
TRIM_SECONDS = 1.0  # between two attempts to give memory back

PROCESSES = Path("/proc")
PROPORTIONAL = re.compile(r"^Pss: +(\d+) kB$", re.MULTILINE)


def json_cost(length: int) -> int:
    """The bytes that a JSON body of this length and its values may take."""
    return min(length * JSON_FACTOR, MAX_JSON_BYTES)


class MemoryLimit:
    """Requests reserve at most half of the limit; the program, its caches and answers have the other half.

    A tenant's share is a part of that half; it may exceed it by its only reservation. Nothing is reserved that the
    processes that share the limit, as they are, have no room for.
    """

    def __init__(self, limit: int, share: Callable[[int], int]) -> None:
        """`limit` in bytes; `share` gives a tenant's part of a total."""
        self._limit, self._total, self._per_tenant = limit, limit // 2, share(limit // 2)
        self._held: Counter[str] = Counter()
        self._processes = ["self"]
        self._trimmed = 0.0
        self._lock = threading.Lock()

    @property
    def most(self) -> int:
        """The bytes that all requests together may reserve, and so the most that one may need."""
        return self._total

    def share_with(self, process: int) -> None:
        """The limit is that of this process and of another one together."""
        self._processes.append(str(process))

    @contextmanager
    def reserve(self, tenant: str, size: int) -> Iterator[None]:
        """Hold `size` bytes for the duration of the block.

        Raises `errors.TooManyAtOnce` if the tenant's other requests leave too little, `errors.Unavailable` if those of
        all do.
        """
        self._check_processes(size)
        self._take(tenant, size)
        try:
            yield
        finally:
            self._give_back(tenant, size)

    def _take(self, tenant: str, size: int) -> None:
        with self._lock:
            if self._held[tenant] and self._held[tenant] + size > self._per_tenant:
                raise errors.TooManyAtOnce(
                    f"your requests in progress may take {self._per_tenant} bytes of memory, and this one would exceed "
                    "that: wait until one of them has ended, or send less at a time"
                )
            if self._held.total() and self._held.total() + size > self._total:
                raise errors.Unavailable("the memory for requests is in use: try again")
            self._held[tenant] += size

    def _give_back(self, tenant: str, size: int) -> None:
        with self._lock:
            self._held[tenant] -= size
            if not self._held[tenant]:
                del self._held[tenant]

    def _check_processes(self, size: int) -> None:
        if sum(map(resident_bytes, self._processes)) + size <= self._limit:  # counts what they share twice
            return
        with self._lock:
            if time.monotonic() - self._trimmed > TRIM_SECONDS:
                self._trimmed = time.monotonic()
                trim()
        if sum(map(proportional_bytes, self._processes)) + size > self._limit:
            raise errors.Unavailable(f"the service uses the {self._limit} bytes of memory it may have: try again")


def resident_bytes(process: str = "self") -> int:
    """The memory of a process; 0 where the system does not tell."""
    try:
        return int((PROCESSES / process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def proportional_bytes(process: str = "self") -> int:
    """The same with a part of each page that others have, too: it takes milliseconds."""
    try:
        found = PROPORTIONAL.search((PROCESSES / process / "smaps_rollup").read_text())
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else resident_bytes(process)


def trim() -> None:
    """Give memory that was freed back to the system, where the C library can."""
    if release := getattr(ctypes.CDLL(None), "malloc_trim", None):
        release(0)
