"""Prefixes have colours on a terminal only."""

import io

import pytest

from embedded.output import Output


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def test_each_program_has_a_colour_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    output = Output(terminal, ["api", "worker"])
    output.line("api", b"hello\n")
    output.line("worker", b"hello\n")
    assert terminal.getvalue() == b"\x1b[32mapi    | \x1b[0mhello\n\x1b[33mworker | \x1b[0mhello\n"


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    Output(terminal, ["api"]).line("api", b"hello\n")
    assert terminal.getvalue() == b"api   | hello\n"
