"""Programs that are forked from a process with their libraries behave as if they had been executed."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.embedded.running import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs are executed elsewhere")

PROGRAM = "tests.embedded.forked_program"


def command_for(*what: str) -> list[str]:
    """The command that starts these programs, one after the other."""
    return [sys.executable, "-m", "tests.embedded.forking", *(w if w == "kill" else f"{PROGRAM}:{w}" for w in what)]


def forked(*what: str, through: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What becomes of these programs, started one after the other."""
    command = [*through, *command_for(*what)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_forked_program_has_what_an_executed_one_has_and_its_libraries_besides() -> None:
    first, second = forked("describe", "describe")
    assert (first["forked"], first["status"]) == (True, 0)
    facts = json.loads(first["output"].splitlines()[0])
    assert facts["arguments"] == ["describe"]
    assert facts["title"] == f"python -m {PROGRAM} describe"
    environment = {name: value for name, value in facts["environment"].items() if name != "LC_CTYPE"}
    assert set(environment) == {"PATH", "GIVEN"}
    assert facts["files"] == ["0", "1", "2"]
    assert facts["input"] == ""
    assert facts["leads_session"]
    assert facts["interrupt"] == (signal.getsignal(signal.SIGINT) is signal.default_int_handler)  # as inherited
    assert facts["has_libraries"]
    assert facts["threads"] == 1
    assert facts["parent"] == json.loads(second["output"].splitlines()[0])["parent"]
    assert facts["parent"] != first["pid"]


def test_a_forked_program_ends_as_an_executed_one() -> None:
    refused, failed, status, killed = forked("refuse", "fail", "status", "kill itself")
    assert (refused["status"], refused["output"]) == (1, "refused: for this reason\natexit has run\n")
    assert failed["status"] == 1
    assert failed["output"].endswith("ValueError: it failed\natexit has run\n")
    assert (status["status"], status["output"]) == (3, "the thread has ended\natexit has run\n")
    assert killed["status"] == -9


def test_programs_are_executed_when_the_fork_server_was_killed() -> None:
    before, after = forked("describe", "kill", "describe")
    assert before["forked"]
    assert not after["forked"]
    assert after["status"] == 0
    assert not json.loads(after["output"].splitlines()[0])["has_libraries"]


def test_the_output_of_a_program_arrives_though_standard_input_is_closed() -> None:
    (found,) = forked("describe", through=["sh", "-c", 'exec "$@" <&-', "sh"])
    assert found["status"] == 0
    assert json.loads(found["output"].splitlines()[0])["files"] == ["0", "1", "2"]


def test_a_program_does_not_begin_when_the_supervisor_was_killed_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = tmp_path / "begun"
    monkeypatch.setenv("GIVEN", str(begun))
    with subprocess.Popen(command_for("touch"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as one:
        assert one.stderr is not None
        assert one.stderr.readline() == b"launching\n"
        (server,) = psutil.Process(one.pid).children()
        one.kill()
    eventually(lambda: not server.is_running())
    assert not begun.exists()
    forked("touch")
    assert begun.exists()  # if the supervisor lives
