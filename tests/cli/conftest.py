"""The command run in this process, against the client's test server."""

import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from backpropd.cli import main
from backpropd.client import event_stream, transport
from tests.client.stand_in import StandIn, serving


class Completed(NamedTuple):
    """The exit code and output of a command."""

    code: int
    out: str
    err: str


Run = Callable[..., Completed]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setattr(transport, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(event_stream, "RECONNECT_SECONDS", 0.001)
    with serving() as running:
        monkeypatch.setenv("BACKPROPD_URL", running.url)
        yield running


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: object) -> Completed:
        monkeypatch.setattr(sys, "argv", ["backpropd", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            main()
        code = exited.value.code
        output = capsys.readouterr()
        return Completed(code if isinstance(code, int) else 0, output.out, output.err)

    return command
