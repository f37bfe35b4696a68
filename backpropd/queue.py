"""The Celery app and its doorbell: the news that there is work. What the work is stands in SQL."""

from __future__ import annotations

import logging
from enum import IntEnum
from queue import Empty
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import RedisError

from backpropd.config import Settings

log = logging.getLogger(__name__)

TASK = "worker.tasks.run_next"
QUEUE = "backpropd"
MOST_WAKE_UPS = 16  # that wait: an idle worker takes one up within milliseconds


# Somebody waits for the answer while the doorbell rings: one try, for the reaper will ring again.
IMPATIENT = {"max_retries": 1, "interval_start": 0, "interval_step": 0}


class Channel(redis.Channel):
    """Drops what is no message: whoever reaches Redis can put it there, and kombu would end the worker for it."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]  # kombu has no types
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("a wake-up that nobody can read is dropped: %r", error)
            raise Empty from error


class Transport(redis.Transport):
    """Kombu's way to Redis, with our channel."""

    Channel = Channel


def make_app(settings: Settings, *, impatient: bool = False) -> Celery:
    """The Celery app: one task, JSON only, no results, acknowledged early; keys and order live in SQL."""
    TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = f"{__name__}:Transport"
    app = Celery("backpropd", broker=settings.broker_url or "memory://")
    app.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_concurrency=settings.workers,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=0.0,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=2,
        broker_transport_options={
            "socket_timeout": 10,
            "socket_connect_timeout": 2,
            "socket_keepalive": not settings.broker_url.startswith("redis+socket"),
            "health_check_interval": 10,
            **(IMPATIENT if impatient else {}),
        },
    )
    return app


class Ring(IntEnum):
    """What came of a ring; one that nobody can hear is false."""

    OUT_OF_ORDER = 0
    HEARD = 1
    ENOUGH = 2  # wake-ups lie there: nobody is idle, and whoever takes one up looks for all jobs


def ring(app: Celery) -> Ring:
    """Wake one idle worker, unless many wake-ups lie there: then no more are added.

    When the broker is away, a line in the log says so: the reaper rings again.
    """
    try:
        with app.producer_or_acquire() as producer:
            if _lying_there(producer.channel) >= MOST_WAKE_UPS:
                return Ring.ENOUGH
            app.send_task(TASK, producer=producer, retry=False, ignore_result=True, queue=QUEUE)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("the doorbell is out of order (%s): the reaper will ring for this job", error)
        return Ring.OUT_OF_ORDER
    return Ring.HEARD


def _lying_there(channel: Any) -> int:
    return int(channel.client.llen(QUEUE)) if isinstance(channel, Channel) else 0


def ping(app: Celery) -> bool:
    """Whether the broker answers."""
    try:
        with app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
            return bool(connection.default_channel.client.ping())
    except (OperationalError, RedisError, OSError):
        return False
