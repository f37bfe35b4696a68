"""The server, supervisors and parsers of the sandbox: `python -m backpropd.tabular.sandbox.server CONTROL_FD`.

The package's docstring describes the processes and their messages.
"""

import errno
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa

from backpropd import errors
from backpropd.tabular.cells.infer_dates import infer_dates
from backpropd.tabular.heap import avoid_gaps
from backpropd.tabular.ingest import ingest
from backpropd.tabular.limits import SandboxLimits, TableLimits
from backpropd.tabular.lossless_numbers import parse_numbers
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.sandbox.memory import Memory, data_bytes, peak_bytes, take_gaps
from backpropd.tabular.staging import new_statistics
from backpropd.tabular.threads import forbid_threads

POLL_SECONDS = 0.02  # between two looks at a parser
MAX_ANSWER_BYTES = 8 * 1024 * 1024


def serve(control: socket.socket) -> None:
    """Pass every connection to a supervisor that is ready, until the control socket closes."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # the client receives them too, and waits for its answers
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps supervisors
    warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside Arrow's idle allocator thread
    _preload()
    gc.freeze()  # a collection in a child would write to, and so copy, all shared pages
    supervise = partial(_supervise, used=Memory(data_bytes(), peak_bytes("self")))
    while True:
        _, supervisor = _fork(supervise, control)
        with supervisor:
            fds = socket.recv_fds(control, 1, 1)[1]
            if fds:
                _send_connection(supervisor, fds[0])
        if not fds:
            return _end_group()


def _end_group() -> None:
    """Kill the parsers that are still working, and wait until supervisors and parsers have ended."""
    os.killpg(0, signal.SIGTERM)  # the server and supervisors ignore it
    with suppress(ChildProcessError):
        while True:
            os.wait()


def _preload() -> None:
    """Do before forking what a parser would do for its first table; nothing of it starts a thread.

    Else each parser, which has one table, would compile the patterns of dates and import a part of NumPy.
    """
    import_module("numpy.ma")
    infer_dates({}, 1, lambda: ())
    parse_numbers(pa.array(["1", " 2"]))
    for cells in (pa.array([1.0, 2.0]), pa.array(["a", "b"])):
        statistics = new_statistics(cells.type, "", 1)
        statistics.update(cells)
        statistics.info(2)


def _fork(work: Callable[[socket.socket], None], *inherited: socket.socket) -> tuple[int, socket.socket]:
    """Fork a child that does the work and ends: its process id and a socket to it. It closes `inherited` sockets."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child:
        theirs.close()
        return child, ours
    try:
        for each in (ours, *inherited):
            each.close()
        work(theirs)
    except BrokenPipeError:
        pass  # the client no longer waits for the answer
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _send_connection(child: socket.socket, fd: int) -> None:
    """Pass a connection to a child; if the child has died, the client's end closes."""
    with suppress(OSError):
        socket.send_fds(child, [b"."], [fd])
    os.close(fd)


def _receive_connection(parent: socket.socket) -> socket.socket:
    """Wait for a connection. Raises `BrokenPipeError` if the parent has ended."""
    fds = socket.recv_fds(parent, 1, 1)[1]
    if not fds:
        raise BrokenPipeError
    return socket.socket(fileno=fds[0])


def _supervise(server: socket.socket, used: Memory) -> None:
    """Have a parser ready, pass a request to it, and its answer to the client.

    How much memory a parser takes depends on how fast its threads are. One that may have taken too much is followed by
    one without threads, which takes the least, and always as much: only its answer says that a file takes too much.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    parser = _Parser(_fork(partial(_run_parser, used=used), server))
    try:
        with _receive_connection(server) as connection:
            connection.sendall(b"\n")
            with connection.makefile("rb") as stream:
                request = stream.readline()
            if not request:
                raise BrokenPipeError
            limits = SandboxLimits(**json.loads(request)["sandbox_limits"])
            deadline = time.monotonic() + limits.seconds
            max_bytes = used.peak + limits.memory_bytes
            answer = None if parser.has_ended() else parser.ask(request, connection, deadline, max_bytes)
            if answer is None:
                parser.end()
                forked = _fork(partial(_run_last_parser, used=used), server, connection)
                parser = _Parser(forked)
                answer = parser.ask(request, connection, deadline) or _exceeded("memory")
            connection.sendall(answer)
    finally:
        parser.end()


class _Parser:
    """A parser, as its supervisor sees it."""

    def __init__(self, forked: tuple[int, socket.socket]) -> None:
        self._pid, self._socket = forked
        self._status: int | None = None

    def has_ended(self) -> bool:
        """Whether it died while it waited, which no file caused."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        self._status = status if pid else None
        return bool(pid)

    def ask(self, request: bytes, client: socket.socket, deadline: float, most: int = sys.maxsize) -> bytes | None:
        """The line that it answers until the deadline, or which limit it exceeded; None if it may lack memory.

        Ends it, and raises `BrokenPipeError`, if the client leaves: then it has nothing more to read from there.
        """
        with suppress(BrokenPipeError):
            self._socket.sendall(request)
        self._socket.shutdown(socket.SHUT_WR)
        while not (ready := select.select([self._socket, client], [], [], POLL_SECONDS)[0]):
            if time.monotonic() > deadline:
                return _exceeded("clock")
            if peak_bytes(self._pid) > most:
                return None
        if self._socket not in ready:
            self.end()
            raise BrokenPipeError
        with self._socket.makefile("rb") as stream, suppress(ConnectionResetError):
            if line := stream.readline():
                return line
        return self._reason()

    def end(self) -> None:
        """Kill it unless it has ended."""
        self._socket.close()
        if self._status is None:
            os.kill(self._pid, signal.SIGKILL)
            self._wait()

    def _wait(self) -> int:
        self._status = os.waitpid(self._pid, 0)[1]
        return self._status

    def _reason(self) -> bytes | None:
        """Why it ended without an answer. Libraries in C++ and Rust abort if there is no memory."""
        status = self._wait()
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGABRT:
            return _exceeded("cpu" if os.WTERMSIG(status) == signal.SIGXCPU else "unknown")
        return None


def _exceeded(limit: str) -> bytes:
    return json.dumps({"exceeded": limit}).encode() + b"\n"


def _run_parser(supervisor: socket.socket, used: Memory) -> None:
    """Wait for a request, and answer it, unless it failed or took too much memory: then end."""
    _become_parser()
    request = _receive_request(supervisor)
    answer = _answer(request)
    max_bytes = used.peak + request["sandbox_limits"]["memory_bytes"]
    if not answer.keys() & {"unforeseen", "exceeded"} and peak_bytes("self") <= max_bytes:
        supervisor.sendall(_as_line(answer))


def _run_last_parser(supervisor: socket.socket, used: Memory) -> None:
    """Answer a request. An allocation beyond the limit fails, at once and in every run, however busy the machine is."""
    _become_parser()
    forbid_threads()
    avoid_gaps()
    take_gaps()
    pa.set_io_thread_count(1)
    request = _receive_request(supervisor)
    if used.data:
        resource.setrlimit(resource.RLIMIT_DATA, (used.data + request["sandbox_limits"]["memory_bytes"],) * 2)
    supervisor.sendall(_as_line(_answer(request)))


def _become_parser() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _receive_request(supervisor: socket.socket) -> dict[str, Any]:
    """Wait for a request, and limit the CPU time. Raises `BrokenPipeError` if the supervisor has ended."""
    with supervisor.makefile("rb") as stream:
        text = stream.read()
    if not text:
        raise BrokenPipeError
    request: dict[str, Any] = json.loads(text)
    seconds = request["sandbox_limits"]["cpu_seconds"]
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    return request


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    paths, limits = (Path(request["source"]), Path(request["destination"])), TableLimits(**request["table_limits"])
    try:
        options = ReadOptions.from_json(request["options"])
        table = ingest(*paths, format=request["format"], options=options, limits=limits, beginning=request["beginning"])
    except errors.BackpropdError as error:
        kind = next(each for each in type(error).__mro__ if hasattr(errors, each.__name__))
        problems = [vars(problem) for problem in error.problems]
        return {"error": kind.__name__, "detail": error.detail, "problems": problems}
    except Exception as error:
        return _unforeseen(error)
    return {
        "format": table.format,
        "rows": table.rows,
        "columns": [column.to_json() for column in table.columns],
        "dialect": table.dialect,
        "warnings": [warning.to_json() for warning in table.warnings],
    }


def _unforeseen(error: Exception) -> dict[str, Any]:
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return {"exceeded": "memory"}
    places = "".join(traceback.format_tb(error.__traceback__))
    return {"unforeseen": type(error).__name__, "traceback": places, "is_about_file": not isinstance(error, OSError)}


def _as_line(answer: dict[str, Any]) -> bytes:
    text = json.dumps(answer).encode()
    if len(text) > MAX_ANSWER_BYTES:
        detail = (
            f"the description of the columns takes {len(text) // 2**20} MiB; the maximum is "
            f"{MAX_ANSWER_BYTES // 2**20}: send fewer columns, or fewer and shorter values of the categories"
        )
        text = json.dumps({"error": "TableTooLarge", "detail": detail}).encode()
    return text + b"\n"


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
