"""An observer of the API during an attack: its memory, and how long `/healthz` and `/readyz` take from outside.

It is a process of its own in a session of its own, so that the attacker does not delay it: Linux divides the processors
between sessions first (sched_autogroup). It reads a line `PORT PID KEY`, prints one
when it has begun, and its measurements as JSON at the next line; and so on until its input ends.
"""

from __future__ import annotations

import atexit
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil

PROBE_SECONDS = 0.02  # between two requests of a probe
MEMORY_SECONDS = 0.05  # between two looks at the memory, which take milliseconds
LIST_SECONDS = 1.0  # between two listings of the API's processes, which takes longer
CALIBRATION_SECONDS = 0.05
PROBE_TIMEOUT = 60.0  # seconds; a probe that gets no answer has taken this long
STEADY = 20  # equal counts of threads in a row
MIB = 1024**2
PROGRAM = [sys.executable, "-m", "tests.acceptance.attacks.observer"]


@dataclass
class Observation:
    """What was seen during an attack: seconds, the peak memory and its growth in bytes, and each probe's latency.

    `errors` is how many probes were answered 500. `slowness` is how many times as long as alone a program takes because
    others use the machine, too.
    """

    seconds: float = 0.0
    memory_growth: int = 0
    memory_peak: int = 0
    slowness: float = 1.0
    errors: int = 0
    latencies: dict[str, list[float]] = field(default_factory=dict)

    def p99(self, path: str) -> float:
        """The 99th percentile of the seconds that a GET of this path took.

        During a long answer further requests would have waited, too: each counts with what was left of the wait.
        """
        waits = (latency - n * PROBE_SECONDS for latency in self.latencies[path] for n in range(_missed(latency)))
        ordered = sorted(waits)
        return ordered[int(0.99 * (len(ordered) - 1))]

    def check(self, *, seconds: float, mib: float, healthz: float = 1.0) -> None:
        """Fail if the attack took longer, the API more memory, or the p99 of `/healthz` more seconds than this.

        The bounds of time are those of an idle machine.
        """
        seconds, healthz = seconds * self.slowness, healthz * self.slowness
        assert not self.errors, "probes got the answer 500"
        assert self.memory_growth < mib * MIB, f"the API's memory grew by {self.memory_growth / MIB:.0f} MiB"
        assert self.seconds < seconds, f"the attack took {self.seconds:.1f} s"
        assert self.p99("/healthz") < healthz, f"the p99 of /healthz was {self.p99('/healthz'):.3f} s"


def _missed(latency: float) -> int:
    """The number of requests that a probe would have sent until this one was answered, itself included."""
    return 1 + int(latency / PROBE_SECONDS)


@contextmanager
def observed(port: int, pid: int, key: str) -> Iterator[Observation]:
    """Watch the API at this port and of this process id during the block; the observation is complete after it."""
    seen = Observation()
    _tell(f"{port} {pid} {key}")
    began = time.monotonic()
    try:
        yield seen
    finally:
        seen.seconds = time.monotonic() - began
        measured = json.loads(_tell("end"))
    for name, value in measured.items():
        setattr(seen, name, value)
    print(f"{seen.seconds:.2f} s, {seen.memory_growth / MIB:+.0f} MiB, slowness {seen.slowness:.1f}, p99", end="")
    print(*(f" of {path} {1000 * seen.p99(path):.0f} ms" for path in seen.latencies), sep=",")


@cache
def _observer() -> subprocess.Popen[str]:
    """The observer of all attacks of this process."""
    process = subprocess.Popen(
        PROGRAM,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        start_new_session=True,
    )
    atexit.register(process.communicate)  # closes its input, and waits for its end
    return process


def _tell(line: str) -> str:
    """Send the observer a line; gives its answer."""
    process = _observer()
    assert process.stdin
    assert process.stdout
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline()


def _probe(port: int, path: str, key: str, latencies: list[float], errors: list[str], over: threading.Event) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT)
    while not over.is_set():
        began = time.monotonic()
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            response.read()
            latencies.append(time.monotonic() - began)
            errors += [path] * (response.status == 500)
        except (OSError, http.client.HTTPException):
            latencies.append(PROBE_TIMEOUT)
            connection.close()
        over.wait(PROBE_SECONDS)


def _slowness() -> float:
    """The time that a little work takes, divided by its CPU time."""
    began, cpu_began = time.monotonic(), time.thread_time()
    while (cpu_seconds := time.thread_time() - cpu_began) < CALIBRATION_SECONDS:
        pass
    return (time.monotonic() - began) / cpu_seconds


def api_processes(pid: int) -> list[psutil.Process]:
    """The API's process of this id, and then its own ones: the template, the costly process.

    Those of the sandbox have another command.
    """
    front = psutil.Process(pid)
    command = front.cmdline()
    return [front, *(each for each in front.children(recursive=True) if _command(each) == command)]


def _command(process: psutil.Process) -> list[str]:
    with suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def idle_threads(process: psutil.Process) -> int:
    """How many threads it has when it does nothing: those of earlier requests end after their answers."""
    counts: list[int] = []
    while len(counts) < STEADY or len(set(counts[-STEADY:])) > 1:
        counts.append(process.num_threads())
        time.sleep(PROBE_SECONDS)
    return counts[-1]


class _Memory:
    """The memory of the API's processes together; what they share counts once."""

    def __init__(self, pid: int) -> None:
        self._pid, self._processes, self._listed_at = pid, api_processes(pid), time.monotonic()

    def read(self) -> int:
        """Bytes; 0 if one of the processes has just ended."""
        with suppress(psutil.NoSuchProcess):
            if time.monotonic() > self._listed_at + LIST_SECONDS:
                self._processes, self._listed_at = api_processes(self._pid), time.monotonic()
            return sum(each.memory_full_info().pss for each in self._processes)
        self._listed_at = 0.0
        return 0


def _observe(port: int, pid: int, key: str, over: threading.Event) -> dict[str, Any]:
    """The measurements until it is over; prints a line when they have begun."""
    latencies: dict[str, list[float]] = {"/healthz": [], "/readyz": []}
    errors: list[str] = []
    probes = [
        threading.Thread(target=_probe, args=(port, path, key, measured, errors, over))
        for path, measured in latencies.items()
    ]
    for probe in probes:
        probe.start()
    while not all(latencies.values()):  # each has been answered once
        time.sleep(PROBE_SECONDS)
    slowness, memory = _slowness(), _Memory(pid)
    before = peak = memory.read()
    print("observing", flush=True)
    while not over.wait(MEMORY_SECONDS):
        peak = max(peak, memory.read())
    for probe in probes:
        probe.join()
    slowness = max(slowness, _slowness())
    memory = {"memory_growth": peak - before, "memory_peak": peak}
    return {**memory, "latencies": latencies, "errors": len(errors), "slowness": slowness}


def _wait_for_line(over: threading.Event) -> None:
    sys.stdin.readline()
    over.set()


def main() -> None:
    """Observe until the input ends."""
    for line in sys.stdin:
        port, pid, key = line.split()
        over = threading.Event()
        threading.Thread(target=_wait_for_line, args=(over,)).start()
        print(json.dumps(_observe(int(port), int(pid), key, over)), flush=True)


if __name__ == "__main__":
    main()
