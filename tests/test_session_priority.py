"""The priority of sessions: a process lowers that of the session it leads, and of no other."""

import subprocess
import sys

import pytest

from backpropd.session_priority import AUTOGROUP

LOWER = f"""
from pathlib import Path
from backpropd import session_priority
session_priority.lower(7)
print(Path({str(AUTOGROUP)!r}).read_text(), end="")
"""


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="the system does not divide the processors between sessions")
def test_a_process_lowers_the_priority_of_the_session_it_leads_and_of_no_other() -> None:
    def lowered(*, leads: bool) -> str:
        command = [sys.executable, "-c", LOWER]
        return subprocess.run(command, start_new_session=leads, capture_output=True, text=True, check=True).stdout

    before = AUTOGROUP.read_text()  # empty in the session that the system started with
    assert lowered(leads=False) == before == AUTOGROUP.read_text()
    assert lowered(leads=True).split()[-2:] == ["nice", "7"]
