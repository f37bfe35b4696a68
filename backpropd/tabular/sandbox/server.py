"""The server, supervisors and parsers of the sandbox: `python -m backpropd.tabular.sandbox.server CONTROL_FD`.

The package's docstring describes the processes and their messages.
"""

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

from backpropd import errors
from backpropd.tabular.ingest import ingest
from backpropd.tabular.limits import SandboxLimits, TableLimits
from backpropd.tabular.lossless_numbers import parse_numbers
from backpropd.tabular.messages import brief
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.staging import new_statistics

POLL_SECONDS = (
    0.02  # between two checks of a parser's memory; a limit on its address space would count what Arrow reserves
)
WARM_UP_DELAY = 0.05  # seconds without a request before a parser warms up: the one before it may still be working
MAX_ANSWER_BYTES = 8 * 1024 * 1024


def serve(control: socket.socket) -> None:
    """Pass every connection to a supervisor that is ready, until the control socket closes."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # the client receives them too, and waits for its answers
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps supervisors
    warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside Arrow's idle allocator thread
    _preload()
    gc.freeze()  # a collection in a child would write to, and so copy, all shared pages
    while True:
        _, supervisor = _fork(_supervise, control)
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
    """Run the one-time initializations of NumPy and Arrow before forking; none of them starts a thread."""
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


def _supervise(server: socket.socket) -> None:
    """Have a parser ready, pass a request to it, and enforce its limits."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid, parser = _fork(_run_parser, server)
    try:
        with _receive_connection(server) as connection:
            connection.sendall(b"\n")
            with connection.makefile("rb") as stream:
                request = stream.read()
            if os.waitpid(pid, os.WNOHANG)[0]:  # it died while it waited, which this file did not cause
                parser.close()
                pid, parser = _fork(_run_parser, server, connection)
            _send_connection(parser, os.dup(connection.fileno()))
            parser.sendall(request)
            parser.shutdown(socket.SHUT_WR)
            if exceeded := _enforce_limits(pid, SandboxLimits(**json.loads(request)["sandbox_limits"])):
                _send_answer(connection, {"exceeded": exceeded})
    finally:
        parser.close()
        with suppress(ChildProcessError):  # it may have been waited for
            os.waitpid(pid, 0)


def _enforce_limits(pid: int, limits: SandboxLimits) -> str | None:
    """Wait for a parser to end. Returns the limit that it exceeded, `unknown` if it was killed for another reason."""
    max_memory, deadline = _resident_bytes(pid) + limits.memory_bytes, time.monotonic() + limits.seconds
    while not (ended := os.waitpid(pid, os.WNOHANG))[0]:
        exceeded = "memory" if _resident_bytes(pid) > max_memory else "clock" if time.monotonic() > deadline else None
        if exceeded:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return exceeded
        time.sleep(POLL_SECONDS)
    if os.WIFSIGNALED(ended[1]):
        return "cpu" if os.WTERMSIG(ended[1]) == signal.SIGXCPU else "unknown"
    return None


def _resident_bytes(pid: int) -> int:
    """The resident memory of a process besides mapped files: 0 without /proc, or if the process has ended."""
    try:
        resident, mapped = map(int, Path(f"/proc/{pid}/statm").read_text().split()[1:3])
        return (resident - mapped) * resource.getpagesize()
    except OSError:
        return 0


def _run_parser(supervisor: socket.socket) -> None:
    """Wait for a request, and answer it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if not select.select([supervisor], [], [], WARM_UP_DELAY)[0]:
        _warm_up()
    with _receive_connection(supervisor) as connection, supervisor.makefile("rb") as stream:
        _send_answer(connection, _answer(json.load(stream)))


def _warm_up() -> None:
    """Ingest a small table: the first one in a process takes longest."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "source").write_text("a,b\n1,x\n")
        ingest(Path(folder) / "source", Path(folder) / "destination")


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    cpu_seconds = SandboxLimits(**request["sandbox_limits"]).cpu_seconds
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    paths, limits = (Path(request["source"]), Path(request["destination"])), TableLimits(**request["table_limits"])
    try:
        options = ReadOptions.from_json(request["options"])
        table = ingest(*paths, format=request["format"], options=options, limits=limits, beginning=request["beginning"])
    except errors.BackpropdError as error:
        kind = next(each for each in type(error).__mro__ if hasattr(errors, each.__name__))
        problems = [vars(problem) for problem in error.problems]
        return {"error": kind.__name__, "detail": error.detail, "problems": problems}
    except MemoryError:
        return {"exceeded": "memory"}
    except Exception as error:
        places = "".join(traceback.format_tb(error.__traceback__))
        answer = {"unforeseen": type(error).__name__, "detail": brief(error), "traceback": places}
        return answer | {"is_about_file": not isinstance(error, OSError)}
    return {
        "format": table.format,
        "rows": table.rows,
        "columns": [column.to_json() for column in table.columns],
        "dialect": table.dialect,
        "warnings": [warning.to_json() for warning in table.warnings],
    }


def _send_answer(connection: socket.socket, answer: dict[str, Any]) -> None:
    text = json.dumps(answer).encode()
    if len(text) > MAX_ANSWER_BYTES:
        detail = (
            f"the description of the columns takes {len(text) // 2**20} MiB; the maximum is "
            f"{MAX_ANSWER_BYTES // 2**20}: send fewer columns, or fewer and shorter values of the categories"
        )
        text = json.dumps({"error": "TableTooLarge", "detail": detail}).encode()
    connection.sendall(text + b"\n")


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
