"""Shared memory between a worker's parent process and its children, allocated before the fork."""

import mmap
import os
import time

import numpy as np

from backpropd import logs
from worker.process_identity import is_running

PID, HEARTBEAT, ERRORS = 0, 1, 2  # the columns of a slot


class HeartbeatBoard:
    """A slot for each child: its pid, the time of its last heartbeat, its logged errors; and one stop flag for all.

    The heartbeat of a child without a job is zero. Times are the machine's monotonic clock.
    """

    def __init__(self, slots: int) -> None:
        self._stop_flag = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.uint8)
        size = max(slots * 3 * 8, mmap.PAGESIZE)
        self._slots = np.frombuffer(mmap.mmap(-1, size), np.float64)[: slots * 3].reshape(slots, 3)
        self._known_pids = [0] * slots
        self._own_slot: int | None = None
        self._parent = os.getpid()

    def stop(self) -> None:
        """Tell every child to stop."""
        self._stop_flag[0] = 1

    def is_stopping(self) -> bool:
        """Whether the parent is stopping or, in a child, has died."""
        return bool(self._stop_flag[0]) or (self._own_slot is not None and os.getppid() != self._parent)

    def take_slot(self, slot: int) -> None:
        """Register this child."""
        self._own_slot = slot
        self._slots[slot] = os.getpid(), 0.0, 0.0

    def beat(self) -> None:
        """Record a heartbeat of this child, which has a job."""
        if self._own_slot is not None:
            self._slots[self._own_slot, HEARTBEAT] = time.monotonic()

    def rest(self) -> None:
        """Record that this child has no job."""
        if self._own_slot is not None:
            self._slots[self._own_slot, HEARTBEAT] = 0.0
            self._slots[self._own_slot, ERRORS] = logs.error_count()

    def errors(self) -> int:
        """How many errors the children have logged; a child that was replaced no longer counts."""
        return int(self._slots[:, ERRORS].sum())

    def pids(self) -> list[int]:
        """The pid in each slot, 0 in an empty one."""
        return [int(pid) for pid in self._slots[:, PID]]

    def child_died(self) -> bool:
        """Whether a child has ended since the last call: its process, or its pid in the slot, is gone."""
        pids = self.pids()
        pairs = zip(self._known_pids, pids, strict=True)
        died = any(known and (known != pid or not is_running(known)) for known, pid in pairs)
        self._known_pids = [pid if pid and is_running(pid) else 0 for pid in pids]
        return died

    def hung(self, seconds: float) -> list[int]:
        """The pids of children that have a job and whose last heartbeat is older than `seconds`.

        Only of those that ran at the last call of `child_died`: the pid of a dead child may have been reused.
        """
        late = (self._slots[:, HEARTBEAT] > 0) & (self._slots[:, HEARTBEAT] < time.monotonic() - seconds)
        triples = zip(self.pids(), self._known_pids, late, strict=True)
        return [pid for pid, known, is_late in triples if is_late and known == pid]
