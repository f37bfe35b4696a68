"""Log lines: for people or as JSON, and of an error its place alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging
from structlog.contextvars import bound_contextvars
from backpropd.config import Settings
from backpropd.logs import set_up

set_up(Settings(log_format="%s"))
log = logging.getLogger("some.where")
with bound_contextvars(job_id="job_1", tenant="us"):
    log.info("%%s claimed", "job_1", extra={"attempt": 2})
row = "".join(["secret", " ", "row"])  # not as it stands here: of what fails the log shows the line of code
try:
    try:
        int(row)
    except ValueError as error:
        raise RuntimeError(f"of a {row}") from error
except RuntimeError:
    log.exception("it failed")
"""


def lines(form: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM % form], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_lines_are_json_for_machines() -> None:
    first, second = map(json.loads, lines("json"))
    assert first["event"] == "job_1 claimed"
    assert (first["level"], first["logger"], first["attempt"]) == ("info", "some.where", 2)
    assert (first["job_id"], first["tenant"]) == ("job_1", "us")
    assert "job_id" not in second


def test_lines_are_words_for_people() -> None:
    assert lines("people")[0] == "INFO some.where: job_1 claimed, attempt=2, job_id=job_1, tenant=us"


@pytest.mark.parametrize("form", ["json", "people"])
def test_of_an_error_the_log_has_its_place_and_what_it_came_from_and_not_what_was_read(form: str) -> None:
    text = "\n".join(lines(form)[1:])
    assert "it failed" in text
    assert "builtins.RuntimeError" in text
    assert "builtins.ValueError" in text
    assert "in <module>" in text
    assert "secret row" not in text
