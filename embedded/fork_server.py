"""The fork server: a process of one Python thread that has imported the libraries that several programs share.

Programs in Python are forked from it instead of executed, so that these libraries are in memory once, not once for each
program. (Arrow's allocator has a thread of its own, which is prepared for forks.) Linux only: on macOS, whose own
libraries do not allow it, programs are executed.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from types import TracebackType
from typing import IO, NamedTuple, Protocol

import setproctitle

from backpropd import blas

SHARED = (
    "pyarrow",
    "backpropd.learn",
    "backpropd.logs",
    "backpropd.queue",
    "backpropd.tracing",
    "backpropd.store.blobs",
    "backpropd.store.datasets",
    "backpropd.store.quota",
    "backpropd.store.scheduling.claims",
    "backpropd.store.scheduling.job_endings",
    "backpropd.store.scheduling.rescue",
    "backpropd.store.scheduling.workers",
    "backpropd.store.sql.revision",
)
"""What is imported before programs are forked, each with all that it imports: what at least two programs need."""

PR_SET_CHILD_SUBREAPER = 36
MADV_DONTNEED = 4
# Of a file that is mapped to be read: the beginning and the end, and the KiB of its pages that were changed before.
MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r-[x-]p .* /.+\n(?:[A-Z].*\n)*?Anonymous: +(\d+) kB", re.MULTILINE)


class Process(Protocol):
    """A running program, in a session of its own; a part of what `subprocess.Popen` has."""

    @property
    def pid(self) -> int: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    def poll(self) -> int | None: ...
    def wait(self) -> int: ...
    def terminate(self) -> None: ...


Launch = Callable[[Sequence[str], Mapping[str, str]], Process]
"""Starts a command with an environment."""


class ForkedProgram(NamedTuple):
    """What a process is that was just forked from the fork server: `python -m` this module, with these arguments."""

    module: str
    arguments: list[str]


def execute(command: Sequence[str], environment: Mapping[str, str]) -> Process:
    """Execute a program in a session of its own, so that Ctrl-C in the terminal signals only the supervisor."""
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def start() -> ForkServer | ForkedProgram:
    """Fork the fork server from this process, which must have one thread.

    It returns here with the fork server, and in the process of each program with what to run there.
    """
    ours, theirs = socket.socketpair()
    if pid := os.fork():
        theirs.close()
        return ForkServer(pid, ours)
    ours.close()
    return _serve(theirs)


class ForkServer:
    """The supervisor's end of the socket to the fork server, which ends with the context."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self._pid, self._control = pid, control

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._control.close()
        os.kill(self._pid, signal.SIGKILL)  # it may still be importing; the programs are not its children
        os.waitpid(self._pid, 0)

    def launch(self, command: Sequence[str], environment: Mapping[str, str]) -> Process:
        """Fork a `python -m MODULE …`; execute any other command, and all of them if that fails."""
        if list(command[:2]) == [sys.executable, "-m"]:
            with suppress(OSError):
                return self._fork(command[2:], environment)
        return execute(command, environment)

    def _fork(self, arguments: Sequence[str], environment: Mapping[str, str]) -> ForkedProcess:
        """Raises `OSError`. The program begins when it is a child of this process, and ends if that does not happen."""
        reading, writing = os.pipe()
        beginning, begin = os.pipe()
        output = os.fdopen(reading, "rb")
        try:
            with _adopting_orphans():
                socket.send_fds(self._control, [b"."], [writing, beginning])
                self._control.sendall(json.dumps([*arguments, dict(environment)]).encode() + b"\n")
                pid = int(_read_line(self._control))
            if not pid:
                raise OSError("the fork server cannot fork")
            os.write(begin, b".")
        except BaseException:
            output.close()
            raise
        finally:
            for each in (writing, beginning, begin):
                os.close(each)
        return ForkedProcess(pid, output)


class ForkedProcess:
    """A program that was forked from the fork server and then adopted as a child of this process."""

    def __init__(self, pid: int, stdout: IO[bytes]) -> None:
        self.pid = pid
        self.stdout = stdout
        self._status: int | None = None

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while the program runs."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int:
        """Wait for the exit status."""
        status = self._wait(0)
        assert status is not None  # noqa: S101
        return status

    def terminate(self) -> None:
        """Send SIGTERM."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def _wait(self, options: int) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status


@contextmanager
def _adopting_orphans() -> Iterator[None]:
    """Make this process the parent of every descendant whose own parent ends meanwhile. Raises `OSError`."""
    prctl = ctypes.CDLL(None).prctl
    if prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError("this system does not let a process adopt others")
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def _serve(control: socket.socket) -> ForkedProgram:
    """Fork a program for each request, until the supervisor ends; only programs return."""
    os.setsid()
    setproctitle.setproctitle("python -m embedded (fork server)")
    os.environ["NOSETPS"] = "1"  # or Celery would give its processes names of its own
    blas.use_one_thread()
    for module in SHARED:
        with suppress(ImportError):  # the program that needs it says so
            import_module(module)
    gc.collect()
    gc.freeze()  # a collection in a program would write to, and so copy, all shared pages
    _release_pages_of_libraries()
    while descriptors := socket.recv_fds(control, 1, 2)[1]:
        *arguments, environment = json.loads(_read_line(control))
        if _fork_twice(control):
            return _become(arguments, environment, *descriptors)
        for each in descriptors:
            os.close(each)
    os._exit(0)


def _release_pages_of_libraries() -> None:
    """Give back the pages of libraries, most of which only loading them needed: 40 MiB of Arrow alone.

    The system reads those that are used again from its cache. Mappings with changed pages, which it could not, stay.
    """
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    with open("/proc/self/smaps") as lines:
        mappings = MAPPING.findall(lines.read())
    for start, end, changed in mappings:
        if changed == "0":
            madvise(int(start, 16), int(end, 16) - int(start, 16), MADV_DONTNEED)


def _fork_twice(control: socket.socket) -> bool:
    """Fork a program whose parent ends at once, so that the supervisor adopts it, and send its id, or 0. True in it."""
    try:
        intermediate = os.fork()
    except OSError:
        control.sendall(b"0\n")
        return False
    if not intermediate:
        try:
            program = os.fork()
        except OSError:
            program = -1
        if not program:
            return True
        control.sendall(str(max(program, 0)).encode())
        os._exit(0)
    os.waitpid(intermediate, 0)
    control.sendall(b"\n")
    return False


def _become(arguments: list[str], environment: dict[str, str], output: int, beginning: int) -> ForkedProgram:
    """Give this process what an executed program has: a session, files, an environment, arguments, and a title.

    It waits until the supervisor has adopted it, and ends if the supervisor has ended.
    """
    os.setsid()
    output, beginning = (fcntl.fcntl(each, fcntl.F_DUPFD, 3) for each in (output, beginning))  # above those below
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for each in (1, 2):
        os.dup2(output, each)
    if not os.read(beginning, 1):
        os._exit(1)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", 1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    setproctitle.setproctitle(" ".join(["python", "-m", *arguments]))
    return ForkedProgram(arguments[0], arguments[1:])


def _read_line(control: socket.socket) -> bytes:
    """Read to the end of a line. Raises `ConnectionError` if the other process has ended."""
    line = b""
    while not line.endswith(b"\n"):
        if not (received := control.recv(65536)):
            raise ConnectionError("the other process has ended")
        line += received
    return line
