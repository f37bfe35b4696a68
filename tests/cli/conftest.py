"""The command, run in this process: its exit code, its stdout and its stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from backpropd.cli import main
from backpropd.client import client, transport
from tests.client.stand_in import StandIn, serving


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    monkeypatch.setattr(transport, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(client, "RECONNECT_SECONDS", 0.001)
    with serving() as running:
        monkeypatch.setenv("BACKPROPD_URL", running.url)
        yield running


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["backpropd", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        shown = capsys.readouterr()
        return Ended(code if isinstance(code, int) else 0, shown.out, shown.err)

    return command
