"""The one Celery task: train queued jobs until none is left."""

from __future__ import annotations

from celery import Celery

from backpropd.queue import TASK
from worker.runner import Runner


def register(app: Celery, runner: Runner) -> None:
    """Give the app its task. A wake-up that finds nothing to do costs one empty claim."""

    @app.task(name=TASK)
    def run_next() -> None:
        while runner.run_one():
            pass
