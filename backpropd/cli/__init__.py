"""The command `backpropd`: the service from a terminal. It talks to the service through `backpropd.client` alone.

Each group of commands is a module of `commands`; what they share is in `console`.
"""


def main() -> None:
    """Run the command."""
    from backpropd.cli.app import run

    run()
