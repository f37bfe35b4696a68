"""What a worker's parent and its children see of each other: a page of shared memory, made before the fork."""

from __future__ import annotations

import mmap
import os
import time

import numpy as np

from worker.process_identity import is_there

PID, BEAT = 0, 1


class HeartbeatBoard:
    """A place for each child, in which it writes its pid and when it last gave a sign of life, and one order to all.

    A child that has no job gives no signs: its beat is zero. Times are the machine's monotonic clock.
    """

    def __init__(self, places: int) -> None:
        self._order = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.uint8)
        size = max(places * 2 * 8, mmap.PAGESIZE)
        self._places = np.frombuffer(mmap.mmap(-1, size), np.float64)[: places * 2].reshape(places, 2)
        self._known = [0] * places
        self._mine: int | None = None
        self._parent = os.getpid()

    def stop(self) -> None:
        """Tell every child to stop."""
        self._order[0] = 1

    def stopping(self) -> bool:
        """Whether the parent was told to stop, or is gone without a word."""
        return bool(self._order[0]) or (self._mine is not None and os.getppid() != self._parent)

    def enter(self, place: int) -> None:
        """A child takes its place."""
        self._mine = place
        self._places[place] = os.getpid(), 0.0

    def beat(self) -> None:
        """A child with a job gives a sign of life."""
        if self._mine is not None:
            self._places[self._mine, BEAT] = time.monotonic()

    def rest(self) -> None:
        """A child has no job."""
        if self._mine is not None:
            self._places[self._mine, BEAT] = 0.0

    def pids(self) -> list[int]:
        """The pid in each place, 0 in one that nobody has taken yet."""
        return [int(pid) for pid in self._places[:, PID]]

    def somebody_died(self) -> bool:
        """Whether a child is gone since this was last asked: its pid lives no more, or another child has its place."""
        now = self.pids()
        died = any(known and (known != pid or not is_there(known)) for known, pid in zip(self._known, now, strict=True))
        self._known = [pid if pid and is_there(pid) else 0 for pid in now]
        return died

    def hung(self, seconds: float) -> list[int]:
        """The pids of children that have a job and gave no sign of life for so long.

        Those alone that were there when `somebody_died` was last asked: the pid of a dead one may be anybody's.
        """
        late = (self._places[:, BEAT] > 0) & (self._places[:, BEAT] < time.monotonic() - seconds)
        return [
            pid for pid, known, is_late in zip(self.pids(), self._known, late, strict=True) if is_late and known == pid
        ]
