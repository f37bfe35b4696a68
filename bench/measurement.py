"""What benchmarks share: times, percentiles, measurements in new processes, a process's memory from Linux's /proc."""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any


def seconds(work: Callable[[], object]) -> float:
    """The duration of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def p50_p95(values: Sequence[float]) -> tuple[float, float]:
    """The median and the 95th percentile."""
    return statistics.median(values), sorted(values)[int(len(values) * 0.95) - 1]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    return sorted(values)[int(share * (len(values) - 1))]


def milliseconds_queued(job: Mapping[str, Any]) -> float:
    """The time from `queued` to `running`, the first transitions of a job."""
    queued, running = (datetime.fromisoformat(each["at"]) for each in job["transitions"][:2])
    return (running - queued).total_seconds() * 1000


def in_new_process(measure: Callable[..., Any], *arguments: Any) -> Any:
    """What `measure` returns in a process that has only imported its module."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, arguments)


def memory(field: str, pid: int | str = "self") -> int:
    """`VmRSS`, the memory of a process, or `VmHWM`, its peak, in bytes; getrusage's peak survives an exec."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))
