"""Fixtures for all tests, a real PostgreSQL and a real Redis; the cache of compiled kernels; which tests run where."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from backpropd.nn.kernels.compilation import enable_disk_cache
from tests.servers import postgres_with_jit, running_postgres, running_redis
from worker.kernel_cache import PREBUILT

enable_disk_cache(PREBUILT)

SERVERS = {"postgres", "postgres_jit", "broker_url"}


SHARED = {  # files that use the same stack or clusters, by the beginning of their names
    "tests/acceptance/faults/test_chaos": "chaos, which starts its own",
    "tests/acceptance/faults/": "clusters",
    "tests/acceptance/test_main_job": "stack",
    "tests/acceptance/test_recovery": "stack",
}


class ByServers(LoadFileScheduling):
    """All tests of a file run in one process, and all files that use the same servers."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return next((servers for beginning, servers in SHARED.items() if file.startswith(beginning)), file)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `python -m tests.cluster` run what needs root."""
    parser.addoption("--cluster", action="store_true", help="run the tests that make network namespaces")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByServers:
    """Start few servers, however many processes run the tests."""
    config.option.loadscopereorder = False  # the order below
    return ByServers(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use a real server, which `make test-fast` leaves out.

    Files with such tests, the slow ones, come first, so that at the end no process waits long for another one.
    """
    for item in items:
        parameters = item.callspec.params.values() if hasattr(item, "callspec") else ()
        on_postgresql = any(isinstance(value, str) and value.startswith("postgres") for value in parameters)
        if on_postgresql or SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker("acceptance")
    slow = {item.path for item in items if item.get_closest_marker("acceptance")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what was imported and collected, which stays."""
    gc.collect()
    gc.freeze()


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
