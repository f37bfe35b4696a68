"""The TCP connection of a request, below the HTTP server: how much its client has still to receive, and its end."""

import fcntl
import os
import socket
import struct
import sys
import termios
from contextlib import suppress
from pathlib import Path

Address = tuple[str, int]

OPEN_FILES = Path("/dev/fd")
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: what the client has not received is dropped


def find(server: Address, client: Address) -> socket.socket | None:
    """A duplicate of this process's socket that is connected from `server` to `client`; None if there is none.

    The HTTP server does not give its sockets away, so it is looked for among the open files.
    """
    for file in os.listdir(OPEN_FILES):
        with suppress(OSError):  # it is not a connected socket, or was closed meanwhile
            candidate = socket.socket(fileno=int(file))
            try:
                if (candidate.getsockname()[:2], candidate.getpeername()[:2]) == (server, client):
                    return candidate.dup()
            finally:
                candidate.detach()  # it is not ours to close
    return None


def unsent_bytes(connection: socket.socket) -> int:
    """How many bytes the system holds that the client's system has not acknowledged; 0 where it does not tell."""
    try:
        answer = fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4))
    except OSError:
        return 0
    return int.from_bytes(answer, sys.byteorder)


def abort(connection: socket.socket) -> None:
    """Close the connection, whatever the HTTP server still has to send on it."""
    with suppress(OSError):  # the client was faster
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        connection.shutdown(socket.SHUT_RDWR)
