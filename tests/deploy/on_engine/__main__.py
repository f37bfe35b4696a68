"""`make compose-test`: the whole compose file on the engine at hand; writes its figures to docs/containers.md."""

import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.deploy.compose import ROOT
from tests.deploy.on_engine.engine import Engine, Project
from tests.deploy.on_engine.steps import Steps

PAGE = ROOT / "docs" / "containers.md"
HEAD = """# The compose file on a container engine

This page was written by `make compose-test`, which builds the image, starts `docker-compose.yml` as a project of its
own, and checks each line below. It uses the Docker or Podman engine that answers here, or the one of `DOCKER_HOST`.

"""


class Report:
    """Prints each figure when it is known, and writes all of them to the page."""

    def __init__(self, engine: str) -> None:
        self._lines = [f"{engine}, {platform.machine()}.", "", "| what | result |", "|---|---|"]

    def add(self, what: str, result: str) -> None:
        """One line."""
        print(f"{what}: {result}", flush=True)
        self._lines.append(f"| {what} | {result} |")

    def write(self) -> None:
        """The page."""
        PAGE.write_text(HEAD + "\n".join(self._lines) + "\n")


def seconds(action: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def check(project: Project, report: Report) -> None:
    """Every step, from the first start to the last."""
    report.add("build", f"{seconds(lambda: project.compose('build')):.0f} s")
    report.add("first start, until healthy", f"{seconds(lambda: project.compose('up', '--no-build', '--wait')):.0f} s")
    steps = Steps(project)
    report.add("upload, train, watch, predict", steps.train_and_predict())
    report.add("scaled to 3 workers", f"healthy after {seconds(lambda: steps.scale(3)):.0f} s")
    killed = steps.interrupted(steps.kill_training_processes, attempts=2)
    report.add("all training processes killed", killed)
    for what, interrupt in (
        ("two of three worker containers killed", steps.kill_worker_containers),
        ("Redis killed", steps.kill_redis),
        ("PostgreSQL restarted", steps.restart_postgres),
    ):
        report.add(what, steps.interrupted(interrupt))
    report.add("throughput", steps.throughput())
    report.add("logs", steps.logs())
    report.add("`down` and `up`", steps.restart_everything())
    report.add("sizes", steps.sizes())
    for service, figures in steps.idle().items():
        report.add(f"idle {service}", figures)


def main() -> None:
    """Run it; nothing of the project is left afterwards but the image."""
    engine = Engine()
    report = Report(engine.version)
    with tempfile.TemporaryDirectory() as folder:
        project = Project(engine, Path(folder))
        try:
            check(project, report)
        except AssertionError as error:
            sys.exit(f"{project.compose('logs', '--no-color', '--tail', '10')}{error}")
        finally:
            project.compose("down", "--volumes", "--timeout", "5")
    report.write()


if __name__ == "__main__":
    main()
