"""The client side of the sandbox: it starts the server process and has files parsed."""

import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, NoReturn

from backpropd import errors
from backpropd.blas import ONE_THREAD
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.ingest import GUESS_ALL, IngestedTable
from backpropd.tabular.limits import SandboxLimits, TableLimits
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.warnings import TableWarning

log = logging.getLogger(__name__)

GRACE = 5.0  # seconds beyond the wall-clock limit
INHERITED_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")  # and PYTHON*: no secret reaches a parser
# Memory only from the C library, which takes no more from the system than is used: a limit on data counts all of it.
# The columns of a block stay below the threshold: mapping each of them anew would cost a quarter of the time.
ONE_HEAP = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "2097152"}
MIB = 2**20
LONG_BYTES = 256 * 1024  # of an answer: decoding and using it takes long
UNKNOWN = b'{"exceeded": "unknown"}'
UNAVAILABLE = "no process could be started to read the table: try again"


class SandboxedReader:
    """Ingests files in the sandbox, each in a process of its own; how many at a time is up to the caller."""

    def __init__(self, table_limits: TableLimits, sandbox_limits: SandboxLimits) -> None:
        self._table_limits, self._sandbox_limits = table_limits, sandbox_limits

    def read(
        self,
        source: Path,
        destination: Path,
        format: str,
        options: ReadOptions = GUESS_ALL,
        *,
        beginning: int | None = None,
        connect: Callable[[], socket.socket] | None = None,
        before_long: Callable[[], None] = lambda: None,
    ) -> IngestedTable:
        """`ingest` in the sandbox.

        `connect` is `connect_to_sandbox` unless another process does it for this one; `before_long` is called before a
        description of more than `LONG_BYTES` is decoded.

        Raises what `ingest` raises, and:
            TooLarge: reading exceeded the memory or time limit; the message has the number.
            Unavailable: no process could be started.
        """
        request = {
            "source": str(source),
            "destination": str(destination),
            "format": format,
            "options": options.to_json(),
            "beginning": beginning,
            "table_limits": vars(self._table_limits),
            "sandbox_limits": vars(self._sandbox_limits),
        }
        with (connect or connect_to_sandbox)() as connection:
            answer = _exchange(connection, json.dumps(request).encode(), self._sandbox_limits.seconds + GRACE)
        if len(answer) > LONG_BYTES:
            before_long()
        return self._table_from(json.loads(answer))

    def _table_from(self, answer: dict[str, Any]) -> IngestedTable:
        if "error" in answer:
            problems = [errors.Problem(**problem) for problem in answer.get("problems", ())]
            raise getattr(errors, answer["error"])(answer["detail"], problems=problems)
        if "exceeded" in answer:
            raise errors.TooLarge(self._exceeded_message(answer["exceeded"]))
        if "unforeseen" in answer:
            _raise_unforeseen(answer)
        return IngestedTable(
            answer["format"],
            answer["rows"],
            tuple(map(ColumnInfo.from_json, answer["columns"])),
            answer["dialect"],
            tuple(map(TableWarning.from_json, answer["warnings"])),
        )

    def _exceeded_message(self, limit: str) -> str:
        limits = self._sandbox_limits
        texts = {
            "memory": f"{limits.memory_bytes // MIB} MiB of memory",
            "cpu": f"{limits.cpu_seconds} s of CPU time",
            "clock": f"{limits.seconds} s",
        }
        text = texts.get(limit) or "{memory}, {cpu} or {clock}".format(**texts)
        return f"reading this table takes more than {text}, the limit: send fewer or shorter rows"


def _raise_unforeseen(answer: dict[str, Any]) -> NoReturn:
    """Raise `NotATable` for an error that no reader foresaw, `RuntimeError` for one of the system, as a full disk.

    It is logged without its message, which may quote the file.
    """
    log.error("reading a table failed with %s\n%s", answer["unforeseen"], answer["traceback"])
    if not answer["is_about_file"]:
        raise RuntimeError("reading a table failed; the log has the place")
    raise errors.NotATable(
        "this file could not be read, because it has something that is not expected in a file of its format: save it "
        "again with the program that made it, or send it as CSV in UTF-8"
    )


def connect_to_sandbox() -> socket.socket:
    """A connection for one table. Raises `errors.Unavailable`."""
    return _server.connect()


def _exchange(connection: socket.socket, request: bytes, timeout: float) -> bytes:
    """The answer, JSON, or which limit was exceeded. Raises `errors.Unavailable` if no supervisor ran."""
    connection.settimeout(timeout)
    try:
        with connection.makefile("rb") as lines:
            if not lines.readline():
                raise errors.Unavailable(UNAVAILABLE)
            connection.sendall(request + b"\n")
            return lines.readline() or UNKNOWN
    except TimeoutError:
        return b'{"exceeded": "clock"}'
    except OSError:
        return UNKNOWN


class _Server:
    """The server process, started when first used, and again if it died or this process is a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._owner = 0

    def connect(self) -> socket.socket:
        """A connection to a supervisor. Raises `errors.Unavailable`."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            for _ in range(2):
                try:
                    socket.send_fds(self._control_socket(), [b"."], [theirs.fileno()])
                    return ours
                except OSError:
                    self._stop()
        ours.close()
        raise errors.Unavailable(UNAVAILABLE)

    def _control_socket(self) -> socket.socket:
        if self._owner != os.getpid():  # a fork does not own its parent's server
            self._process = self._control = None
        if self._control is None:
            self._control, theirs = socket.socketpair()
            self._owner = os.getpid()
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-m", "backpropd.tabular.sandbox.server", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    env=_environment(),
                    start_new_session=True,
                )
            Finalize(self, self._stop, exitpriority=0)  # `atexit` does not run in a web server's worker process
        return self._control

    def _stop(self) -> None:
        if self._control is not None and self._owner == os.getpid():
            self._control.close()
            if self._process is not None:
                self._process.wait()
        self._process = self._control = None


def _environment() -> dict[str, str]:
    names = [name for name in os.environ if name in INHERITED_VARIABLES or name.startswith("PYTHON")]
    return {name: os.environ[name] for name in names} | ONE_THREAD | ONE_HEAP


_server = _Server()
