"""Clusters that tests hurt, on SQLite and on PostgreSQL; whatever a test broke is whole again before the next one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.faults.cluster import Cluster, cluster
from tests.servers import Postgres


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL that tests may stop."""
    made = Postgres(tmp_path_factory.mktemp("postgres"), durable=True)
    made.start()
    yield made
    made.close()


@pytest.fixture(scope="session")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="session")
def on_postgres(tmp_path_factory: pytest.TempPathFactory, server: Postgres) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster"), postgres=server) as made:
        yield made


@pytest.fixture
def here(on_sqlite: Cluster) -> Iterator[Cluster]:
    """A whole cluster on SQLite."""
    yield from _whole(on_sqlite)


@pytest.fixture
def grown(on_postgres: Cluster) -> Iterator[Cluster]:
    """A whole cluster on PostgreSQL, which is `server`."""
    yield from _whole(on_postgres)


def _whole(made: Cluster) -> Iterator[Cluster]:
    made.mend()
    try:
        yield made
    except BaseException:
        print(made.logs())
        raise
    finally:
        made.cancel_all()
