"""A server that a test starts: its process, its log, its temporary home folder."""

import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

TIMEOUT = 30.0  # seconds
LOOPBACK = "127.0.0.1"


class Server:
    """A server process with a log and a temporary home folder; it can be started again at the same address."""

    def __init__(self, log: Path, prefix: str) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log = log
        self._home = Path(tempfile.mkdtemp(prefix=prefix))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        raise NotImplementedError

    def start(self) -> None:
        """Start the server; returns when it answers."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop it gracefully."""
        self._signal(signal.SIGTERM)

    @property
    def is_running(self) -> bool:
        """Whether its process was started and has not been stopped."""
        return self._process is not None

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, without answers."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop it and delete its home folder."""
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        """Send a signal and wait for the end."""
        if self._process:
            self._process.send_signal(number)
            try:
                self._process.wait(timeout=TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def free_port() -> int:
    """A free port of the loopback."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])


def start(command: list[str], log: Path, user: str | None = None) -> subprocess.Popen[bytes]:
    """Start a program as this user, without our groups; its output is appended to the log."""
    group = pwd.getpwnam(user).pw_gid if user else None
    with log.open("ab") as lines:
        return subprocess.Popen(
            command,
            user=user,
            group=group,
            extra_groups=[] if user else None,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not ready():
        assert process.poll() is None, f"{process.args!r} ended:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"{process.args!r} does not answer:\n{log.read_text()}"
        time.sleep(0.02)
