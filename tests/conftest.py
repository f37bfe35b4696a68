"""Fixtures for all tests: a real PostgreSQL and a real Redis, and the cache of compiled kernels."""

from collections.abc import Iterator

import pytest

from backpropd.nn.kernels.compilation import enable_disk_cache
from tests.servers import postgres_with_jit, running_postgres, running_redis
from worker.kernel_cache import PREBUILT

enable_disk_cache(PREBUILT)

SERVERS = {"postgres", "postgres_jit", "broker_url"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a real server, which `make test-fast` leaves out."""
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        on_postgresql = any(isinstance(value, str) and value.startswith("postgres") for value in parameters)
        if on_postgresql or SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("acceptance")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server's URL, for `fresh_database`."""
    with running_postgres(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_jit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same of a PostgreSQL that can compile statements."""
    with running_postgres(tmp_path_factory.mktemp("postgres_jit"), programs=postgres_with_jit()) as server:
        yield server


@pytest.fixture(scope="session")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Celery's URL of a Redis-compatible server."""
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url
