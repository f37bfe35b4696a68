"""`python -m tests.embedded.forking MODULE …`: forks each module from a fork server; prints what becomes of it as JSON.

Each module is `tests.embedded.forked_program:WHAT`. The word `kill` kills the fork server.
"""

import json
import os
import runpy
import signal
import sys
import time

import psutil

from embedded import fork_server
from embedded.fork_server import ForkedProcess, ForkedProgram, ForkServer

ENVIRONMENT = {"PATH": os.environ["PATH"], "GIVEN": os.environ.get("GIVEN", "yes")}


def main(server: ForkServer) -> None:
    for word in sys.argv[1:]:
        if word == "kill":
            for each in psutil.Process().children():
                each.send_signal(signal.SIGKILL)
                while each.status() != psutil.STATUS_ZOMBIE:
                    time.sleep(0.01)
            continue
        module, what = word.split(":")
        print("launching", file=sys.stderr, flush=True)
        process = server.launch([sys.executable, "-m", module, what], ENVIRONMENT)
        assert process.stdout is not None
        output = process.stdout.read().decode()
        status = process.wait()
        forked = isinstance(process, ForkedProcess)
        print(json.dumps({"forked": forked, "pid": process.pid, "status": status, "output": output}))


if __name__ == "__main__":
    os.environ["NOT_GIVEN"] = "secret"
    kept = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(kept, True)
    started = fork_server.start()
    if isinstance(started, ForkedProgram):
        sys.argv[1:] = started.arguments
        runpy.run_module(started.module, run_name="__main__", alter_sys=True)
    else:
        with started:
            main(started)
