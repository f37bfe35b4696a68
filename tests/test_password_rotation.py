"""The passwords of the database and the broker change while connections are made, and none of them fails."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis as Client
from sqlalchemy import make_url, text

from backpropd import errors, queue
from backpropd.config import from_environment
from backpropd.store.sql.database import Database
from service.limits.rate_limiter import RateLimiter
from tests.servers import Redis, connect, running_postgres

pytestmark = pytest.mark.acceptance

OLD, NEW = "old p@ss/word", "new:p@ss?word"


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of secrets, which all settings of this process are read from."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setenv("BACKPROPD_SECRETS_DIR", str(folder))
    return folder


@contextmanager
def repeating(action: Callable[[], object]) -> Iterator[list[Exception | None]]:
    """Run the action again and again beside the block, at least once after it; yields what each run raised."""
    results: list[Exception | None] = []
    over = threading.Event()

    def run() -> None:
        last = False
        while not last:
            last = over.is_set()
            try:
                action()
                results.append(None)
            except Exception as error:
                results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield results
    finally:
        over.set()
        thread.join()


def let_run(results: list[Exception | None]) -> None:
    """Wait until the action has run some more times."""
    enough = len(results) + 3
    while len(results) < enough:
        time.sleep(0.01)


def replace(file: Path, content: str) -> None:
    """Replace the file in one step, as operators should: no program reads a partial file."""
    new = file.with_suffix(".new")
    new.write_text(content)
    new.replace(file)


@contextmanager
def without_password(url: str) -> Iterator[Database]:
    """The database of this URL, with the password of the settings."""
    database = Database(make_url(url)._replace(password=None).render_as_string())
    try:
        yield database
    finally:
        database.dispose()


def test_the_database_password_is_rotated_while_connections_are_made(secrets: Path, tmp_path: Path) -> None:
    file = secrets / "backpropd_database_password"
    replace(file, OLD)
    with (
        running_postgres(tmp_path / "postgres", tcp=True, password=OLD) as url,
        without_password(url) as database,
        connect(make_url(url)) as administrator,
    ):

        def use_a_new_connection() -> None:
            database.dispose()
            database.ping()

        with repeating(use_a_new_connection) as results:
            let_run(results)
            replace(file, f"{NEW}\n{OLD}\n")
            for password in (NEW, OLD) * 10 + (NEW,):  # some change between the rejection of one and that of the other
                administrator.execute(f"ALTER ROLE backpropd PASSWORD '{password}'")
                let_run(results)
            replace(file, NEW)
            let_run(results)
        assert set(results) == {None}
        replace(file, OLD)
        database.dispose()
        with pytest.raises(errors.Unavailable):
            database.ping()


def test_an_open_transaction_survives_the_rotation(secrets: Path, tmp_path: Path) -> None:
    replace(secrets / "backpropd_database_password", OLD)
    with (
        running_postgres(tmp_path / "postgres", tcp=True, password=OLD) as url,
        without_password(url) as database,
        connect(make_url(url)) as administrator,
        database.write() as session,
    ):
        session.execute(text("CREATE TABLE kept (x int)"))
        administrator.execute(f"ALTER ROLE backpropd PASSWORD '{NEW}'")
        session.execute(text("INSERT INTO kept VALUES (1)"))


def test_the_broker_password_is_rotated_while_messages_are_sent_and_requests_counted(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = secrets / "backpropd_broker_password"
    replace(file, OLD)
    with Redis(tmp_path / "redis", tcp=True, password=OLD) as server:
        monkeypatch.setenv("BACKPROPD_BROKER_URL", f"redis://127.0.0.1:{server.port}/0")

        def use_new_connections() -> None:
            settings = started  # as programs that run since before the rotation
            app = queue.make_app(settings, fail_fast=True)
            assert queue.ping(app)
            assert queue.wake_up(app)
            app.close()
            RateLimiter(settings.broker_url, 1_000_000).count("key")

        started = from_environment()
        with Client(port=server.port, password=OLD) as administrator, repeating(use_new_connections) as results:
            let_run(results)
            administrator.acl_setuser("default", enabled=True, passwords=[f"+{NEW}"])
            let_run(results)
            replace(file, NEW)
            let_run(results)
            administrator.acl_setuser("default", enabled=True, passwords=[f"-{OLD}"])
            let_run(results)
        assert set(results) == {None}
        assert "each process counts requests by itself" not in caplog.text
        replace(file, OLD)
        assert not queue.ping(queue.make_app(started, fail_fast=True))


def test_the_user_in_the_url_of_the_broker_is_kept(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    replace(secrets / "backpropd_broker_password", NEW)
    with Redis(tmp_path / "redis", tcp=True, password=OLD) as server:
        with Client(port=server.port, password=OLD) as administrator:
            administrator.acl_setuser(
                "service", enabled=True, passwords=[f"+{NEW}"], keys=["*"], channels=["*"], categories=["+@all"]
            )
        monkeypatch.setenv("BACKPROPD_BROKER_URL", f"redis://service@127.0.0.1:{server.port}/0")
        settings = from_environment()
        app = queue.make_app(settings, fail_fast=True)
        assert queue.ping(app)
        assert queue.wake_up(app)
        app.close()
        RateLimiter(settings.broker_url, 1_000_000).count("key")
        assert "each process counts requests by itself" not in caplog.text
