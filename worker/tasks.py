"""The one Celery task: train queued jobs until none is left."""

from __future__ import annotations

import logging
import time

from celery import Celery

from backpropd.errors import Unavailable
from backpropd.queue import TASK
from worker.runner import Runner

log = logging.getLogger(__name__)

AWAY_SECONDS = 1.0


def register(app: Celery, runner: Runner) -> None:
    """Give the app its task. A wake-up that finds nothing to do costs one empty claim."""

    @app.task(name=TASK)
    def run_next() -> None:
        train_until_none_is_left(runner)


def train_until_none_is_left(runner: Runner) -> None:
    """Claim and train, one job after the other; while the database is away, wait for it rather than lose the news."""
    more = True
    while more:  # of a process that stops the runner claims no more, but hands back what it has
        try:
            more = runner.run_one()
        except Unavailable as away:
            log.warning("cannot claim: %s", away)
            time.sleep(AWAY_SECONDS)
