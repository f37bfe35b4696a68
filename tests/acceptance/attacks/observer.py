"""An observer of the API during an attack: its memory, and how long `/healthz` and `/readyz` take from outside.

It is a process of its own, so that the attacker's threads do not delay it: `python -m tests.acceptance.attacks.observer
PORT PID KEY` prints a line when it has begun, and its measurements as JSON when its input ends.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PROBE_SECONDS = 0.01  # between two requests of a probe
MEMORY_SECONDS = 0.05  # between two looks at the memory, which take milliseconds
CALIBRATION_SECONDS = 0.1
PROBE_TIMEOUT = 60.0  # seconds; a probe that gets no answer has taken this long
MIB = 1024**2
PROGRAM = [sys.executable, "-m", "tests.acceptance.attacks.observer"]


@dataclass
class Observation:
    """What was seen during an attack: seconds, the peak memory and its growth in bytes, and each probe's latency.

    `slowness` is how many times as long as alone a program takes because others use the machine, too.
    """

    seconds: float = 0.0
    memory_growth: int = 0
    memory_peak: int = 0
    slowness: float = 1.0
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
        assert self.memory_growth < mib * MIB, f"the API's memory grew by {self.memory_growth / MIB:.0f} MiB"
        assert self.seconds < seconds, f"the attack took {self.seconds:.1f} s"
        assert self.p99("/healthz") < healthz, f"the p99 of /healthz was {self.p99('/healthz'):.3f} s"


def _missed(latency: float) -> int:
    """The number of requests that a probe would have sent until this one was answered, itself included."""
    return 1 + int(latency / PROBE_SECONDS)


@contextmanager
def observed(port: int, pid: int, key: str) -> Iterator[Observation]:
    """Watch the API at this port and of this process id during the block; the observation is complete after it."""
    seen, command = Observation(), [*PROGRAM, str(port), str(pid), key]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    ) as process:
        assert process.stdout
        process.stdout.readline()
        began = time.monotonic()
        yield seen
        seen.seconds = time.monotonic() - began
        measured = json.loads(process.communicate("")[0])
    for name, value in measured.items():
        setattr(seen, name, value)
    print(f"{seen.seconds:.2f} s, {seen.memory_growth / MIB:+.0f} MiB, slowness {seen.slowness:.1f}, p99", end="")
    print(*(f" of {path} {1000 * seen.p99(path):.0f} ms" for path in seen.latencies), sep=",")


def _probe(port: int, path: str, key: str, latencies: list[float], over: threading.Event) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT)
    while not over.is_set():
        began = time.monotonic()
        try:
            connection.request("GET", path, headers=headers)
            connection.getresponse().read()
            latencies.append(time.monotonic() - began)
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

    The sandbox's have a group of their own.
    """
    front = psutil.Process(pid)
    return [front, *(each for each in front.children(recursive=True) if _group(each.pid) == _group(pid))]


def _group(pid: int) -> int:
    with suppress(ProcessLookupError):
        return os.getpgid(pid)
    return 0


def _memory(pid: int) -> int:
    """The memory of the API's processes together; what they share counts once."""
    total = 0
    for each in api_processes(pid):
        with suppress(psutil.NoSuchProcess):
            total += int(each.memory_full_info().pss)
    return total


def main(port: int, pid: int, key: str) -> None:
    """Measure until the input ends."""
    over = threading.Event()
    latencies: dict[str, list[float]] = {"/healthz": [], "/readyz": []}
    probes = [
        threading.Thread(target=_probe, args=(port, path, key, measured, over)) for path, measured in latencies.items()
    ]
    for probe in probes:
        probe.start()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    while not all(latencies.values()):  # each has been answered once
        time.sleep(PROBE_SECONDS)
    slowness = _slowness()
    before = peak = _memory(pid)
    print("observing", flush=True)
    while not over.wait(MEMORY_SECONDS):
        peak = max(peak, _memory(pid))
    for probe in probes:
        probe.join()
    slowness = max(slowness, _slowness())
    memory = {"memory_growth": peak - before, "memory_peak": peak}
    print(json.dumps({**memory, "latencies": latencies, "slowness": slowness}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
