"""Log lines as text or JSON, with tracebacks but without messages of errors."""

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
row = "".join(["secret", " ", "row"])  # assembled, since the traceback shows this line of code
try:
    try:
        int(row)
    except ValueError as error:
        raise RuntimeError(f"of a {row}") from error
except RuntimeError:
    log.exception("it failed")
"""


def log_lines(log_format: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM % log_format], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_lines_are_json() -> None:
    first, second = map(json.loads, log_lines("json"))
    assert first["event"] == "job_1 claimed"
    assert (first["level"], first["logger"], first["attempt"]) == ("info", "some.where", 2)
    assert (first["job_id"], first["tenant"]) == ("job_1", "us")
    assert "job_id" not in second


def test_lines_are_text() -> None:
    assert log_lines("people")[0] == "INFO some.where: job_1 claimed, attempt=2, job_id=job_1, tenant=us"


@pytest.mark.parametrize("log_format", ["json", "people"])
def test_an_error_is_logged_with_its_traceback_and_cause_and_without_messages(log_format: str) -> None:
    text = "\n".join(log_lines(log_format)[1:])
    assert "it failed" in text
    assert "builtins.RuntimeError" in text
    assert "builtins.ValueError" in text
    assert "in <module>" in text
    assert "secret row" not in text
