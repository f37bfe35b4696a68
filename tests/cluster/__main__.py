"""`make cluster-test`: the tests on several hosts, in one process, because all of them use the same hosts."""

import sys
from pathlib import Path

import pytest

from tests.cluster.network import obstacle


def main() -> None:
    """Run them, or end with a sentence where there can be no hosts; arguments are pytest's, such as a file of tests."""
    if sentence := obstacle():
        sys.exit(sentence)
    chosen = [argument for argument in sys.argv[1:] if Path(argument.partition("::")[0]).exists()]
    tests = [] if chosen else [str(Path(__file__).parent)]
    sys.exit(pytest.main(["--cluster", "-p", "no:xdist", *tests, *sys.argv[1:]]))


if __name__ == "__main__":
    main()
