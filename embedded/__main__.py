"""`python -m embedded`: the whole stack in the foreground, until Ctrl-C or SIGTERM."""

import sys

from backpropd.config import from_environment
from backpropd.errors import BackpropdError
from embedded import stack


def main() -> int:
    """Run the stack; 0 after a signal stopped it, 1 after an error."""
    try:
        stack.run(from_environment(), sys.stdout.buffer)
    except BackpropdError as error:
        print(f"backpropd: {error.detail}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
