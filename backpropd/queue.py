"""The Celery app and its wake-up messages: each tells one idle worker that there is work. The jobs are in SQL."""

import logging
from enum import IntEnum
from queue import Empty
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from kombu.transport import TRANSPORT_ALIASES, redis
from redis.credentials import CredentialProvider
from redis.exceptions import RedisError

from backpropd.config import Settings, passwords

log = logging.getLogger(__name__)

TASK = "worker.tasks.run_next"
QUEUE = "backpropd"
MAX_WAITING = 16  # wake-ups in the queue: an idle worker takes one within milliseconds

# For callers that a client waits for: one attempt, since the reaper sends lost wake-ups again.
FAIL_FAST = {"max_retries": 1, "interval_start": 0, "interval_step": 0}


class CurrentPassword(CredentialProvider):
    """The broker's password as it is now, for each connection: see `config.passwords`."""

    def __init__(self, user: str | None) -> None:
        """`user` is that of the broker's URL, if it names one."""
        self._user = user

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """What AUTH takes: the user, if there is one, and the password."""
        password = next(iter(passwords("broker_password")), "")
        return (self._user, password) if self._user else (password,)


class Channel(redis.Channel):
    """Reads its password again for each connection, and drops malformed messages.

    Anything can write to Redis, and kombu lets the error end the worker.
    """

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        parameters: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[no-untyped-call]
        if passwords("broker_password"):
            current = CurrentPassword(parameters.get("username"))
            parameters |= {"username": None, "password": None, "credential_provider": current}
        return parameters

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]  # kombu has no types
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("a malformed wake-up message is dropped: %r", error)
            raise Empty from error


class Transport(redis.Transport):
    """Kombu's Redis transport with the channel above."""

    Channel = Channel


def make_app(settings: Settings, *, fail_fast: bool = False) -> Celery:
    """The Celery app: one task, JSON only, no results, acknowledged early."""
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
            **(FAIL_FAST if fail_fast else {}),
        },
    )
    return app


class WakeUpResult(IntEnum):
    """The result of `wake_up`; false if the broker was unavailable."""

    UNAVAILABLE = 0
    SENT = 1
    ENOUGH_WAITING = 2  # no worker is idle, and each looks for all jobs when it is


def wake_up(app: Celery) -> WakeUpResult:
    """Send one wake-up message, unless `MAX_WAITING` are in the queue. A failure is logged: the reaper sends again."""
    try:
        with app.producer_or_acquire() as producer:
            if _count_waiting(producer.channel) >= MAX_WAITING:
                return WakeUpResult.ENOUGH_WAITING
            app.send_task(TASK, producer=producer, retry=False, ignore_result=True, queue=QUEUE)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("no wake-up message could be sent (%s): the reaper will send it", error)
        return WakeUpResult.UNAVAILABLE
    return WakeUpResult.SENT


def _count_waiting(channel: Any) -> int:
    return int(channel.client.llen(QUEUE)) if isinstance(channel, Channel) else 0


def server_version(app: Celery) -> str:
    """The version of Redis that the broker names, which must answer."""
    with app.connection_for_read() as connection:
        return str(connection.default_channel.client.info("server")["redis_version"])


def ping(app: Celery) -> bool:
    """Whether there is a broker, and it answers."""
    try:
        with app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
            channel = connection.default_channel
            return isinstance(channel, Channel) and bool(channel.client.ping())
    except (OperationalError, RedisError, OSError):
        return False
