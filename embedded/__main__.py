"""`python -m embedded`: the whole stack in the foreground, until Ctrl-C or SIGTERM."""

import runpy
import sys

from backpropd.config import from_environment
from backpropd.errors import BackpropdError
from embedded import fork_server, stack
from embedded.fork_server import ForkedProgram, Launch


def main(launch: Launch) -> int:
    """Run the stack; 0 after a signal stopped it, 1 after an error."""
    try:
        stack.run(from_environment(), sys.stdout.buffer, launch)
    except BackpropdError as error:
        print(f"backpropd: {error.detail}", file=sys.stderr)
        return 1
    return 0


def run(program: ForkedProgram) -> None:
    """Go on as this program: what `python -m` does."""
    sys.argv[1:] = program.arguments
    runpy.run_module(program.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    if sys.platform == "linux":
        started = fork_server.start()
        if isinstance(started, ForkedProgram):
            run(started)
        else:
            with started:
                sys.exit(main(started.launch))
    else:
        sys.exit(main(fork_server.execute))
