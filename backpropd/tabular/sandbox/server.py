"""`python -m backpropd.tabular.reading FD`: hands every table to a keeper, which has a child read it.

The control socket FD brings one byte and one line a table; the line brings the question and takes the answer: the
child's, or the keeper's if the child took too much or died. A keeper and a warm child are always ready, so that nobody
waits for a fork. All of them are one group, which ends when the control socket does.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from backpropd.errors import BackpropdError
from backpropd.tabular.column_statistics import statistics_for
from backpropd.tabular.delimited.number_parsing import numbers_in
from backpropd.tabular.ingest import ingest
from backpropd.tabular.limits import SandboxLimits, TableLimits

LOOK_SECONDS = 0.02  # between two looks at how much memory a child holds: a limit on addresses would count what Arrow
# reserves, which is a hundred times what it uses
LULL_SECONDS = 0.05  # without a question, before a child warms up: the one before it may be at work
DESCRIPTION_BYTES = 8 * 1024 * 1024


def serve(control: socket.socket) -> None:
    """Hand every line that comes to a keeper that is ready, until the control socket closes."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # whoever asks is told to stop, and waits for what it asked for
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries the keepers
    warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside Arrow's idle allocator
    _set_up()
    gc.freeze()  # a collection in a child would touch, and so copy, all that is here
    while True:
        _, keeper = _forked(_keep, control)
        with keeper:
            fds = socket.recv_fds(control, 1, 1)[1]
            if fds:
                _hand(keeper, fds[0])
        if not fds:
            return _end()


def _end() -> None:
    """Kill whoever reads still, and go when everybody is gone: nothing is left over, and nobody to bury."""
    os.killpg(0, signal.SIGTERM)  # keepers and this process ignore it
    with suppress(ChildProcessError):
        while True:
            os.wait()


def _set_up() -> None:
    """Have NumPy and Arrow do here what they do once, so that no child need; none of it starts a thread."""
    for cells, numeric in ((numbers_in(pa.array(["1", " 2"])), True), (pa.array(["a", "b"]), False)):
        statistics = statistics_for("", numeric, 1)
        statistics.update(cells)
        statistics.info(2)


def _forked(work: Callable[[socket.socket], None], *others: socket.socket) -> tuple[int, socket.socket]:
    """A child that does the work and ends, and the socket to it; `others` are not for the child."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child:
        theirs.close()
        return child, ours
    try:
        for each in (ours, *others):
            each.close()
        work(theirs)
    except BrokenPipeError:
        pass  # nobody waits for the answer any more
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _hand(child: socket.socket, line: int) -> None:
    """Give a child the line; if it died before its time, whoever asks sees the line close."""
    with suppress(OSError):
        socket.send_fds(child, [b"."], [line])
    os.close(line)


def _taken(parent: socket.socket) -> socket.socket:
    """The line that comes at last; a child whose parent is gone ends."""
    fds = socket.recv_fds(parent, 1, 1)[1]
    if not fds:
        raise BrokenPipeError
    return socket.socket(fileno=fds[0])


def _keep(server: socket.socket) -> None:
    """Have a child ready, hear the question, and see to it that the child takes no more than it may."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child, reader = _forked(_read, server)
    try:
        with _taken(server) as line:
            line.sendall(b"\n")
            with line.makefile("rb") as questions:
                asked = questions.read()
            if os.waitpid(child, os.WNOHANG)[0]:  # it died while it waited, which is no fault of this table
                reader.close()
                child, reader = _forked(_read, server, line)
            _hand(reader, os.dup(line.fileno()))
            reader.sendall(asked)
            reader.shutdown(socket.SHUT_WR)
            if over := _watch(child, SandboxLimits(**json.loads(asked)["confinement"])):
                _say(line, {"over": over})
    finally:
        reader.close()
        with suppress(ChildProcessError):  # it is buried already
            os.waitpid(child, 0)


def _watch(child: int, most: SandboxLimits) -> str | None:
    """Wait for the child; gives what it had too much of, and `something` if it died of what nobody knows."""
    memory, until = _resident_bytes(child) + most.memory_bytes, time.monotonic() + most.seconds
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        over = "memory" if _resident_bytes(child) > memory else "clock" if time.monotonic() > until else None
        if over:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
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


def _read(keeper: socket.socket) -> None:
    """Wait for a question, and answer it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if not select.select([keeper], [], [], LULL_SECONDS)[0]:
        _warm_up()
    with _taken(keeper) as line, keeper.makefile("rb") as questions:
        _say(line, _answer(json.load(questions)))


def _warm_up() -> None:
    """The first table that a process reads takes longest."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "source").write_text("a,b\n1,x\n")
        ingest(Path(folder) / "source", Path(folder) / "destination")


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    seconds = SandboxLimits(**asked["confinement"]).cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
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
        return {"over": "memory"}
    except Exception:
        return {"fault": traceback.format_exc()}
    return {"format": info.format, "rows": info.rows, "columns": [column.to_json() for column in info.columns]}


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
    serve(socket.socket(fileno=int(sys.argv[1])))
