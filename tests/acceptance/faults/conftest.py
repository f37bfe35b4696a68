"""Clusters on SQLite and on PostgreSQL, repaired before each test."""

from collections.abc import Iterator

import pytest

from tests.acceptance.faults.cluster import Cluster, running_cluster
from tests.servers import Postgres


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL that tests may stop."""
    with Postgres(tmp_path_factory.mktemp("postgres"), durable=True) as server:
        yield server


@pytest.fixture(scope="session")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def on_postgres(tmp_path_factory: pytest.TempPathFactory, server: Postgres) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster"), postgres=server) as cluster:
        yield cluster


@pytest.fixture
def cluster(on_sqlite: Cluster) -> Iterator[Cluster]:
    """A repaired cluster on SQLite."""
    yield from _repaired(on_sqlite)


@pytest.fixture
def postgres_cluster(on_postgres: Cluster) -> Iterator[Cluster]:
    """A repaired cluster on the PostgreSQL `server`."""
    yield from _repaired(on_postgres)


def _repaired(cluster: Cluster) -> Iterator[Cluster]:
    cluster.repair()
    try:
        yield cluster
    except BaseException:
        print(cluster.logs())
        raise
    finally:
        cluster.cancel_all()
