"""`python -m embedded`: the whole stack in the foreground, until Ctrl-C or SIGTERM."""

from __future__ import annotations

import sys

from pydantic import ValidationError

from backpropd.config import from_environment
from backpropd.errors import BackpropdError
from embedded import stack


def main() -> int:
    """Run the stack to its end; 0 when it was asked to stop, 1 when it could not go on."""
    try:
        stack.run(from_environment(), sys.stdout.buffer)
    except ValidationError as error:
        return _complain(
            "; ".join(f"BACKPROPD_{'_'.join(map(str, p['loc'])).upper()}: {p['msg']}" for p in error.errors())
        )
    except BackpropdError as error:
        return _complain(error.detail)
    return 0


def _complain(detail: str) -> int:
    print(f"backpropd: {detail}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
