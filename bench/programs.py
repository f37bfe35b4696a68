"""The programs of a stack that a benchmark has started: the CPU time of each, and a worker that stands still."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

COMMANDS = {
    "api": ("-m", "service"),
    "worker": ("-m", "worker", "run"),
    "database": ("postgres", "-D"),
    "broker": ("valkey-server",),
}


class Programs:
    """The processes of each of `COMMANDS` below this one; this one itself is the client."""

    def __init__(self) -> None:
        roots: dict[str, psutil.Process] = {}
        for process in psutil.Process().children(recursive=True):
            for name, command in COMMANDS.items():
                if name not in roots and _has(process, command):
                    roots[name] = process
        assert len(roots) == len(COMMANDS), f"not all programs run: {sorted(roots)}"
        self._roots = roots

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU time so far of each program, with its processes that have ended, and of the client."""
        client = psutil.Process().cpu_times()
        programs = {name: sum(map(_seconds, _family(root))) for name, root in self._roots.items()}
        return programs | {"client": client.user + client.system}

    @contextmanager
    def without_workers(self) -> Iterator[None]:
        """The worker's processes stand still."""
        family = _family(self._roots["worker"])
        for process in family:
            process.suspend()
        try:
            yield
        finally:
            for process in family:
                process.resume()


def per_operation(before: Mapping[str, float], after: Mapping[str, float], operations: int) -> dict[str, float]:
    """Seconds of CPU time of each program for one operation."""
    return {name: (after[name] - before[name]) / operations for name in before}


def _family(root: psutil.Process) -> list[psutil.Process]:
    return [root, *root.children(recursive=True)]


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    ticks = times.user + times.system + times.children_user + times.children_system
    return float(
        max(ticks, _precise_seconds(process.pid))
    )  # a tick is 10 ms: all that Redis needs for some hundred jobs


def _precise_seconds(pid: int) -> float:
    """The CPU time of the threads that run, without those that have ended. Linux only."""
    with suppress(OSError):
        threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
        return sum(int(file.read_text().split()[0]) for file in threads) / 1e9
    return 0.0


def _has(process: psutil.Process, command: Sequence[str]) -> bool:
    """Whether the words of a command are in this order in that of the process, perhaps with a path before them."""
    line = f"{' '.join(process.cmdline())} "
    return f"{' '.join(command)} " in line
