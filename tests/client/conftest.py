"""A server and a client of it, with short pauses."""

from collections.abc import Iterator

import pytest

from backpropd.client import Client, event_stream, transport
from tests.client.stand_in import StandIn, serving


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with serving() as running:
        yield running


@pytest.fixture
def service(stand_in: StandIn) -> Iterator[Client]:
    with Client(stand_in.url) as opened:
        yield opened


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(event_stream, "RECONNECT_SECONDS", 0.001)
