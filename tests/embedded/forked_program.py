"""`python -m tests.embedded.forked_program WHAT`: says what it finds itself to be, or ends in one of several ways."""

import atexit
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

if __name__ == "__main__":
    what = sys.argv[1]
    atexit.register(print, "atexit has run")
    if what == "describe":
        with open("/proc/self/cmdline") as command:
            title = command.read().rstrip("\0 ")
        facts = {
            "arguments": sys.argv[1:],
            "environment": dict(os.environ),
            "files": sorted(os.listdir("/proc/self/fd"))[:-1],  # without that of the listing
            "input": sys.stdin.read(),
            "leads_session": os.getsid(0) == os.getpid(),
            "parent": os.getppid(),
            "threads": threading.active_count(),
            "title": title,
            "interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
            "has_libraries": "sqlalchemy" in sys.modules,
        }
        print(json.dumps(facts))
    elif what == "touch":
        Path(os.environ["GIVEN"]).touch()
    elif what == "refuse":
        sys.exit("refused: for this reason")
    elif what == "fail":
        raise ValueError("it failed")
    elif what == "status":
        threading.Thread(target=lambda: (time.sleep(0.2), print("the thread has ended"))).start()
        sys.exit(3)
    else:
        os.kill(os.getpid(), signal.SIGKILL)
