"""The one Celery task: train queued jobs until there is none."""

import logging
import time

from celery import Celery

from backpropd import errors
from backpropd.queue import TASK
from worker.runner import Runner

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


def register(app: Celery, runner: Runner) -> None:
    """Register the task. A wake-up message without a queued job costs one empty claim."""

    @app.task(name=TASK)
    def run_next() -> None:
        train_until_queue_is_empty(runner)


def train_until_queue_is_empty(runner: Runner) -> None:
    """Claim and train job after job; after an error wait and go on: the wake-up message has been consumed."""
    more = True
    while more:  # in a stopping process, the runner only hands back the job it has
        try:
            more = _run_one(runner)
        except errors.Unavailable as error:
            log.warning("cannot claim a job: %s", error)
            time.sleep(RETRY_SECONDS)
        except Exception:
            log.exception("cannot claim a job")
            time.sleep(RETRY_SECONDS)


def _run_one(runner: Runner) -> bool:
    """Train one job; false if there was none."""
    try:
        return runner.run_one()
    except errors.DatabaseDamaged as error:
        log.error("cannot claim a job: %s", error)
        time.sleep(RETRY_SECONDS)
        runner.skip_unreadable()
        return True
