"""The command `backpropd`: the service from a terminal, through the client alone."""


def main() -> None:
    """Run the command."""
    from backpropd.cli.app import run

    run()
