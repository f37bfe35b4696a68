"""`python -m backpropd.cli`: the command, for an interpreter that is not on the PATH."""

from backpropd.cli import main

main()
