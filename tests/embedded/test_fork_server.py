"""Programs that are forked from a process with their libraries behave as if they had been executed."""

import json
import signal
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs are executed elsewhere")

PROGRAM = "tests.embedded.forked_program"


def forked(*what: str) -> list[dict[str, Any]]:
    """What becomes of these programs, started one after the other."""
    words = [each if each == "kill" else f"{PROGRAM}:{each}" for each in what]
    command = [sys.executable, "-m", "tests.embedded.forking", *words]
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
