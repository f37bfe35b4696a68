"""`python -m backpropd.tabular.reading FD`: forks a keeper for every table, and the keeper a child that reads it.

The control socket FD brings one byte and one socket a table; the socket brings the question and takes the answer: the
child's, or the keeper's if the child took too much or died. All are one group, which ends when the control socket does.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from backpropd.errors import BackpropdError
from backpropd.tabular.ingest import ingest
from backpropd.tabular.limits import Confinement, TableLimits
from backpropd.tabular.numerals import numbers_in
from backpropd.tabular.statistics import statistics_for

LOOK_SECONDS = 0.02  # between two looks at how much memory a child holds: a limit on addresses would count what Arrow
# reserves, which is a hundred times what it uses
DESCRIPTION_BYTES = 8 * 1024 * 1024


def warm_up() -> None:
    """Do here what NumPy and Arrow do once, at their first use: a child need not. None of it starts a thread."""
    for cells, numeric in ((numbers_in(pa.array(["1", " 2"])), True), (pa.array(["a", "b"]), False)):
        statistics = statistics_for("", numeric, 1)
        statistics.update(cells)
        statistics.info(2)


def serve(control: socket.socket) -> None:
    """Fork a keeper for every socket that comes, until the control socket closes."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # whoever asks is told to stop, and waits for what it asked for
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries the keepers
    warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside Arrow's idle allocator
    while fds := socket.recv_fds(control, 1, 1)[1]:
        with socket.socket(fileno=fds[0]) as line:
            if _forked(partial(_keep, line, control)) is None:
                continue  # whoever asks sees the line close
    os.killpg(0, signal.SIGKILL)


def _forked(work: Callable[[], None]) -> int | None:
    """Do the work in a child, which ends with it; gives its number, or None if the system is out of processes."""
    try:
        child = os.fork()
    except OSError:
        return None
    if child:
        return child
    try:
        work()
    except BrokenPipeError:
        pass  # nobody waits for the answer any more
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _keep(line: socket.socket, control: socket.socket) -> None:
    """Hear the question, have a child read the table, and see to it that it takes no more than it may."""
    control.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    line.sendall(b"\n")
    with line.makefile("rb") as questions:
        asked = json.load(questions)
    most = Confinement(**asked["confinement"])
    memory = _resident_bytes(os.getpid()) + most.memory_bytes
    until = time.monotonic() + most.seconds
    reader = _forked(partial(_answer, line, asked, most.cpu_seconds))
    over = None if reader is None else _watch(reader, memory, until)
    if over:
        _say(line, {"over": over})


def _watch(reader: int, memory: int, until: float) -> str | None:
    """Wait for a child; gives what it had too much of, and `something` if it died of what nobody knows."""
    while not (ended := os.waitpid(reader, os.WNOHANG))[0]:
        over = "memory" if _resident_bytes(reader) > memory else "clock" if time.monotonic() > until else None
        if over:
            os.kill(reader, signal.SIGKILL)
            os.waitpid(reader, 0)
            return over
        time.sleep(LOOK_SECONDS)
    if os.WIFSIGNALED(ended[1]):
        return "cpu" if os.WTERMSIG(ended[1]) == signal.SIGXCPU else "something"
    return None


def _resident_bytes(process: int) -> int:
    """The memory of a process: 0 where the system does not tell, and for one that just ended."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _answer(line: socket.socket, asked: dict[str, Any], cpu_seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    try:
        info = ingest(
            Path(asked["source"]),
            Path(asked["destination"]),
            delimiter=asked["delimiter"],
            limits=TableLimits(**asked["limits"]),
        )
    except BackpropdError as error:
        _say(line, {"error": type(error).__name__, "detail": error.detail})
    except MemoryError:
        _say(line, {"over": "memory"})
    except Exception:
        _say(line, {"fault": traceback.format_exc()})
    else:
        columns = [column.to_json() for column in info.columns]
        _say(line, {"format": info.format, "rows": info.rows, "columns": columns})


def _say(line: socket.socket, answer: dict[str, Any]) -> None:
    text = json.dumps(answer).encode()
    if len(text) > DESCRIPTION_BYTES:
        text = json.dumps(_too_long(len(text))).encode()
    line.sendall(text + b"\n")


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
