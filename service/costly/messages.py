"""The messages between the front and the costly process."""

import socket
import struct
from enum import Enum

HEAD = struct.Struct("!cI")  # the kind, and the number of bytes that follow


class Kind(Enum):
    """What a message says; the package's docstring has their order."""

    REQUEST = b"Q"
    WAIT = b"W"
    RESUME = b"R"
    START = b"S"
    CHUNK = b"C"
    END = b"E"


class Gone(Exception):
    """The other process has closed the connection, or has ended."""


def send(connection: socket.socket, kind: Kind, content: bytes = b"") -> None:
    """Send a message. Raises `Gone`."""
    try:
        connection.sendall(HEAD.pack(kind.value, len(content)) + content)
    except OSError as error:
        raise Gone from error


def receive(connection: socket.socket) -> tuple[Kind, bytes]:
    """The next message. Raises `Gone`."""
    kind, length = HEAD.unpack(_receive_bytes(connection, HEAD.size))
    return Kind(kind), _receive_bytes(connection, length)


def _receive_bytes(connection: socket.socket, length: int) -> bytes:
    try:
        received = connection.recv(length, socket.MSG_WAITALL)
    except OSError as error:
        raise Gone from error
    if len(received) < length:
        raise Gone
    return received


def send_descriptor(connection: socket.socket, descriptor: int) -> None:
    """Send a byte with a descriptor. Raises `Gone`."""
    try:
        socket.send_fds(connection, [b"."], [descriptor])
    except OSError as error:
        raise Gone from error


def receive_descriptor(connection: socket.socket) -> int:
    """The descriptor that comes with the next byte. Raises `Gone`."""
    try:
        descriptors = socket.recv_fds(connection, 1, 1)[1]
    except OSError as error:
        raise Gone from error
    if not descriptors:
        raise Gone
    return descriptors[0]
