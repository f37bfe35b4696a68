"""The signals that stop the stack: Ctrl-C, SIGTERM, and SIGHUP of a closed terminal."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType
from typing import Any

# Seconds. Under make, a signal to the process group arrives twice, since make forwards it: only a later one is a second
# request.
_SAME_REQUEST = 0.5


class StopSignals:
    """A context manager that records whether a stop was requested, and whether it was requested again."""

    def __init__(self) -> None:
        self._first_at: float | None = None
        self.repeated = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # started with nohup
            self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @property
    def received(self) -> bool:
        return self._first_at is not None

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self._first_at is None:
            self._first_at = time.monotonic()
        elif time.monotonic() - self._first_at > _SAME_REQUEST:
            self.repeated = True
