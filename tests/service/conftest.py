"""Fixtures: the app with a real, migrated SQLite, and without a broker."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest
from flask import Flask

from backpropd.config import Settings
from backpropd.store import keys
from tests.service.requests import open_app, sample, train_model, trainer
from tests.service.validation import Client


@pytest.fixture(autouse=True)
def validate_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check the answers to every test client against the declared schemas."""
    monkeypatch.setattr(Flask, "test_client_class", Client)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a folder of their own and small limits."""
    no_broker = f"redis+socket://{tmp_path}/no-redis.sock"
    return Settings(
        data_dir=tmp_path, broker_url=no_broker, max_upload_bytes=100_000, max_event_streams=1, max_waits=1
    ).with_defaults()


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The app in the mode without keys."""
    with open_app(settings) as made:
        yield made


@pytest.fixture
def http(app: Flask) -> Client:
    """A client of the app, without a server."""
    return app.test_client()


@pytest.fixture
def locked(settings: Settings) -> Iterator[Flask]:
    """The app in the mode with keys."""
    with open_app(settings, mode="keys") as made:
        yield made


@pytest.fixture
def locked_http(locked: Flask) -> Client:
    """A client of the app in the mode with keys."""
    return locked.test_client()


@pytest.fixture
def key(locked: Flask) -> Callable[..., dict[str, str]]:
    """A function that creates a key and returns the header that sends it."""

    def make(*scopes: str, tenant: str = "us", expires_at: datetime | None = None) -> dict[str, str]:
        with locked.extensions["backpropd"].database.write() as session:
            _, token = keys.create(session, tenant, None, scopes or ("admin",), expires_at)
        return {"Authorization": f"Bearer {token}"}

    return make


@pytest.fixture
def work(app: Flask) -> Callable[[], None]:
    """A function that trains every queued job in this process, with the worker's own code."""
    return trainer(app)


@pytest.fixture
def iris(http: Client) -> str:
    """The id of the iris dataset."""
    return sample(http, "iris")


@pytest.fixture
def model(http: Client, work: Callable[[], None], iris: str) -> str:
    """The id of a classifier of iris species, with one hidden layer of 16 units."""
    return train_model(http, work, iris, "species")


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop in a thread of its own."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()
