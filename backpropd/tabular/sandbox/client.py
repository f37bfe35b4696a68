"""Tables that nobody vouches for are read in a process of their own: this is the side that asks for it.

A server process (`backpropd.tabular.sandbox.server`) has imported all that reading takes, and forks a child for every
table. It ends, and every child with it, when its control socket closes: with whoever asks, however that ends.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from backpropd import errors
from backpropd.blas import ONE_THREAD
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.ingest import IngestedTable
from backpropd.tabular.limits import SandboxLimits, TableLimits

GRACE = 5.0  # seconds beyond the child's own clock
KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")  # of the environment: a child sees no secret
MIB = 2**20


class SandboxedReader:
    """Reads tables, so many at once; the others wait."""

    def __init__(self, limits: TableLimits, confinement: SandboxLimits, at_once: int) -> None:
        self._limits, self._confinement = limits, confinement
        self._places = threading.BoundedSemaphore(at_once)

    def read(self, source: Path, destination: Path, delimiter: str | None) -> IngestedTable:
        """What `ingest` does, and raises.

        Raises, too:
            TooLarge: reading it would take more memory or time than is allowed; the message has the number.
            Unavailable: no process could be started.
        """
        asked = {
            "source": str(source),
            "destination": str(destination),
            "delimiter": delimiter,
            "limits": vars(self._limits),
            "confinement": vars(self._confinement),
        }
        with self._places, _server.child() as child:
            return self._info(_ask(child, json.dumps(asked).encode(), self._confinement.seconds + GRACE))

    def _info(self, answer: dict[str, Any]) -> IngestedTable:
        if "error" in answer:
            raise getattr(errors, answer["error"])(answer["detail"])
        if "over" in answer:
            raise errors.TooLarge(self._over(answer["over"]))
        if "fault" in answer:
            raise RuntimeError(f"reading a table failed\n{answer['fault']}")
        return IngestedTable(answer["format"], answer["rows"], tuple(map(ColumnInfo.from_json, answer["columns"])))

    def _over(self, what: str) -> str:
        most = self._confinement
        memory, cpu, clock = f"{most.memory_bytes // MIB} MiB of memory", f"{most.cpu_seconds} s", f"{most.seconds} s"
        limit = {
            "memory": f"more than {memory}",
            "cpu": f"more than {cpu} of computing",
            "clock": f"longer than {clock}",
        }.get(what, f"more than {memory}, {cpu} of computing or {clock}")
        return f"reading this table takes {limit}, the most allowed here: send fewer or shorter rows"


def start_sandbox() -> None:
    """Start the server process, so that the first table need not wait for it."""
    _server.child().close()


def _ask(child: socket.socket, asked: bytes, seconds: float) -> dict[str, Any]:
    """What the child answers, or that it died. Raises `errors.Unavailable` if none was born."""
    child.settimeout(seconds)
    try:
        with child.makefile("rb") as answers:
            if not answers.readline():
                raise errors.Unavailable("no process could be started to read the table: try again")
            child.sendall(asked)
            child.shutdown(socket.SHUT_WR)
            answer: dict[str, Any] = json.loads(answers.readline() or '{"over": "something"}')
            return answer
    except TimeoutError:
        return {"over": "clock"}
    except OSError:
        return {"over": "something"}


class _Server:
    """The server process, started when it is first needed, and anew if it died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._owner = 0

    def child(self) -> socket.socket:
        """The line to a fresh child. Raises `errors.Unavailable`."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            for _ in range(2):
                try:
                    socket.send_fds(self._running(), [b"."], [theirs.fileno()])
                    return ours
                except OSError:
                    self._stop()
        ours.close()
        raise errors.Unavailable("no process can be started to read the table: try again")

    def _running(self) -> socket.socket:
        if self._owner != os.getpid():  # a fork has nothing of its parent's
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
            Finalize(self, self._stop, exitpriority=0)  # `atexit` is not asked at the end of a server's worker
        return self._control

    def _stop(self) -> None:
        if self._control is not None and self._owner == os.getpid():
            self._control.close()
            if self._process is not None:
                self._process.wait()
        self._process = self._control = None


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith("PYTHON")}
    return kept | ONE_THREAD


_server = _Server()
