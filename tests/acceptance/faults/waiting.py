"""Waiting for what must become true."""

import time
from collections.abc import Callable

TIMEOUT = 90.0  # seconds


def eventually(condition: Callable[[], bool], logs: Callable[[], str] = str, timeout: float = TIMEOUT) -> None:
    """Wait until the condition holds; fail with the logs after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"the condition did not become true within {timeout:.0f} s\n{logs()}")
        time.sleep(0.02)
