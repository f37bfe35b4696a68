"""The whole stack, started as by a user, for tests over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from backpropd.client import Client
from embedded.demo import stack


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stack, with its data in `data`."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def url(folder: Path) -> Iterator[str]:
    """The URL of a running stack, with leases short enough to watch one expire."""
    short_leases = {"HEARTBEAT_SECONDS": "1", "LEASE_SECONDS": "8", "FENCE_SECONDS": "6", "REAP_SECONDS": "0.5"}
    settings = {f"BACKPROPD_{name}": value for name, value in short_leases.items()} | {
        "BACKPROPD_CHECKPOINT_SECONDS": "0.5"
    }
    with stack(folder, settings) as address:
        yield address


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[Client]:
    """A client of that stack."""
    with Client(url) as opened:
        yield opened
