"""The signals that ask the stack to stop: Ctrl-C, SIGTERM, and the terminal that closes."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType
from typing import Any

# A signal to the whole process group reaches us twice under make, which passes on what it gets itself. Only a signal
# that comes later than this, in seconds, was sent by somebody who will not wait.
_ONE_REQUEST = 0.5


class StopSignals:
    """Inside its `with`, remembers whether a stop was asked for, and whether it was asked for again."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._again = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
                continue  # started with nohup: it shall outlive its terminal
            self._before[number] = signal.signal(number, self._received)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def asked(self) -> bool:
        return self._first is not None

    def hurry(self) -> bool:
        return self._again

    def _received(self, number: int, frame: FrameType | None) -> None:
        if self._first is None:
            self._first = time.monotonic()
        elif time.monotonic() - self._first > _ONE_REQUEST:
            self._again = True
