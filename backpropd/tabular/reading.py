"""`python -m backpropd.tabular.reading FD`: forks a child for every table, which reads it within limits and answers.

The control socket FD brings one byte and one socket a table; the socket brings the question and takes the answer. All
processes are one group, and the group ends when the control socket does.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa

from backpropd.errors import BackpropdError
from backpropd.tabular.ingest import ingest
from backpropd.tabular.limits import Confinement, TableLimits
from backpropd.tabular.numerals import numbers_in
from backpropd.tabular.statistics import statistics_for

HARD_SECONDS = 5  # of computing, beyond which the system ends a child that did not end itself
STACK_BYTES = 512 * 1024  # of a thread: it counts as memory
DESCRIPTION_BYTES = 8 * 1024 * 1024

Say = Callable[[dict[str, Any]], NoReturn]


def warm_up() -> None:
    """Do here what NumPy and Arrow do once, at their first use: a child need not. None of it starts a thread."""
    for cells, numeric in ((numbers_in(pa.array(["1", " 2"])), True), (pa.array(["a", "b"]), False)):
        statistics = statistics_for("", numeric, 1)
        statistics.update(cells)
        statistics.info(2)


def serve(control: socket.socket) -> None:
    """Fork a child for every socket that comes, until the control socket closes."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # whoever asks is told to stop, and waits for what it asked for
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries the children
    warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside Arrow's idle allocator
    while fds := socket.recv_fds(control, 1, 1)[1]:
        with socket.socket(fileno=fds[0]) as line:
            try:
                born = os.fork() == 0
            except OSError:  # whoever asks sees the line close
                continue
            if born:
                control.close()
                _answer(line)
    os.killpg(0, signal.SIGKILL)


def _answer(line: socket.socket) -> NoReturn:
    """Say that there is a child, hear the question, and say what came of it."""

    def say(answer: dict[str, Any]) -> NoReturn:
        text = json.dumps(answer).encode()
        if len(text) > DESCRIPTION_BYTES:
            text = json.dumps(_too_long(len(text))).encode()
        line.sendall(text + b"\n")
        os._exit(0)

    try:
        line.sendall(b"\n")
        with line.makefile("rb") as questions:
            asked = json.load(questions)
        _confine(Confinement(**asked["confinement"]), say)
        say(_read(asked))
    except MemoryError:
        say({"over": "memory"})
    except OSError:  # nobody listens any more, or the disk is full
        say({"fault": traceback.format_exc()})
    finally:
        os._exit(1)


def _read(asked: dict[str, Any]) -> dict[str, Any]:
    try:
        info = ingest(
            Path(asked["source"]),
            Path(asked["destination"]),
            delimiter=asked["delimiter"],
            limits=TableLimits(**asked["limits"]),
        )
    except BackpropdError as error:
        return {"error": type(error).__name__, "detail": error.detail}
    except MemoryError:
        raise
    except Exception:
        return {"fault": traceback.format_exc()}
    return {"format": info.format, "rows": info.rows, "columns": [column.to_json() for column in info.columns]}


def _confine(most: Confinement, say: Say) -> None:
    """Limit this process; where it can still speak, it says which limit it met."""
    signal.signal(signal.SIGXCPU, lambda *_: say({"over": "cpu"}))
    signal.signal(signal.SIGALRM, lambda *_: say({"over": "clock"}))
    signal.alarm(most.seconds)
    threading.stack_size(STACK_BYTES)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (most.cpu_seconds, most.cpu_seconds + HARD_SECONDS))
    if sys.platform == "linux":  # elsewhere the system does not count what is mapped
        whole = _data_bytes() + most.memory_bytes
        resource.setrlimit(resource.RLIMIT_DATA, (whole, whole))


def _data_bytes() -> int:
    """What the libraries have mapped for themselves, in writing: the system's own count."""
    found = re.search(r"VmData:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def _too_long(size: int) -> dict[str, Any]:
    most = DESCRIPTION_BYTES // 2**20
    detail = (
        f"describing the columns of this table takes {size // 2**20} MiB, and {most} are the most: send fewer columns, "
        "or fewer and shorter values of the categories"
    )
    return {"error": "TableTooLarge", "detail": detail}


if __name__ == "__main__":
    warm_up()
    serve(socket.socket(fileno=int(sys.argv[1])))
