"""A real Redis for tests."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from embedded import redis_server
from tests.servers.server import LOOPBACK, Server, free_port, start, wait_until


class Redis(Server):
    """A Redis with its append-only file in `folder`, on a unix socket or, with `tcp`, on a free port of `host`.

    `url` is Celery's. `inside` begins the server's command, for example to run it in a network namespace.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tcp: bool = False,
        password: str = "",
        host: str = LOOPBACK,
        inside: tuple[str, ...] = (),
    ) -> None:
        super().__init__(folder / "redis.log", "bp-redis-")
        self._host, self._inside = host, inside
        self._folder = folder
        self._password = password
        self.port = free_port() if tcp else 0
        self._socket = self._home / "redis.sock"

    @property
    def url(self) -> str:
        if not self.port:
            return redis_server.broker_url(self._socket)
        credentials = f":{quote(self._password, safe='')}@" if self._password else ""
        return f"redis://{credentials}{self._host}:{self.port}/0"

    def client(self) -> Client:
        """A redis-py client without retries; the caller closes it."""
        once = Retry(NoBackoff(), retries=0)
        if self.port:
            return Client(self._host, self.port, password=self._password or None, retry=once)
        return Client(unix_socket_path=str(self._socket), retry=once)

    def start(self) -> None:
        address = ["--bind", self._host, "--port", str(self.port)]
        options = address if self.port else redis_server.listen_at(self._socket)
        if self._password:
            options += ["--requirepass", self._password]
        self._process = start([*self._inside, *redis_server.command(self._folder, *options)], self._log)
        wait_until(self._answers, self._process, self._log)

    def kill(self) -> None:
        """`kill -9`: what the server has not written to its file is lost."""
        self._signal(signal.SIGKILL)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError:
            return False


@contextmanager
def running_redis(folder: Path, *, tcp: bool = False, password: str = "") -> Iterator[str]:
    """A running Redis; yields its URL."""
    with Redis(folder, tcp=tcp, password=password) as server:
        yield server.url
