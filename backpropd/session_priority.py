"""The priority of a whole session, where Linux divides the processors between sessions before it looks at processes.

With `sched_autogroup`, the default of most distributions, the niceness of a process counts only among the processes of
its session, and each session of the embedded stack would get an equal part.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")
ATTEMPTS, PAUSE_SECONDS = 5, 0.1  # Linux takes one such setting in a tenth of a second from users without privileges


def lower(niceness: int) -> None:
    """Have the system prefer other sessions to that of this process, if the process leads it; else do nothing.

    Nor is anything done where there is no such setting, or the system refuses.
    """
    if os.getsid(0) != os.getpid():
        return
    for _ in range(ATTEMPTS):
        with suppress(OSError):
            AUTOGROUP.write_text(str(niceness))
            return
        time.sleep(PAUSE_SECONDS)
