"""The API's address: a free port, a URL to reach it, and whether it answers."""

import errno
import socket
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from backpropd.errors import Conflict

_LOOPBACK_OF_WILDCARD = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@dataclass(frozen=True)
class Address:
    """The host and port that the API listens on."""

    host: str
    port: int

    @property
    def reachable_host(self) -> str:
        """The host to connect to: the loopback if the API listens on all interfaces."""
        return _LOOPBACK_OF_WILDCARD.get(self.host, self.host)

    @property
    def url(self) -> str:
        host = self.reachable_host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def answers(self, path: str) -> bool:
        """Whether `GET path` answers 200."""
        connection = HTTPConnection(self.reachable_host, self.port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def free(host: str, port: int) -> Address:
    """This address if it is free, with any free port for port 0. Raises `Conflict`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as listener:
            return Address(host, listener.getsockname()[1])
    except OSError as error:
        raise Conflict(_cannot_listen(host, port, error)) from error


def _cannot_listen(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is in use. Choose another one, BACKPROPD_PORT={port + 1} make run, "
            "or any free one, BACKPROPD_PORT=0 make run"
        )
    return f"Cannot listen on {host}, port {port}: {error.strerror}. Change BACKPROPD_HOST or BACKPROPD_PORT."
