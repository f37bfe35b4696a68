"""Measurements in new processes, and a process's memory from Linux's /proc."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any


def in_new_process(measure: Callable[..., Any], *arguments: Any) -> Any:
    """What `measure` returns in a process that has only imported its module."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, arguments)


def memory(field: str, pid: int | str = "self") -> int:
    """`VmRSS`, the memory of a process, or `VmHWM`, its peak, in bytes; getrusage's peak survives an exec."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
