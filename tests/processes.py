"""What tests and benchmarks ask of other processes."""

import psutil


def command(process: psutil.Process) -> list[str]:
    """The words of a command, also of a process that has given itself a title, after which its old one leaves NULs."""
    return " ".join(process.cmdline()).split()
