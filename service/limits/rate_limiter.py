"""The rate limit: requests a minute of one key, counted in Redis for all processes, or in memory without Redis."""

import logging
import math
import re
import threading
import time
from typing import Any
from urllib.parse import unquote, urlsplit

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from backpropd import errors
from backpropd.config import passwords
from backpropd.queue import CurrentPassword

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.25  # for Redis to answer
RETRY_SECONDS = 5.0  # before Redis is tried again


class RateLimiter:
    """A fixed window of a minute for each key."""

    def __init__(self, broker_url: str, max_per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(max_per_minute, namespace="backpropd")
        self._local = FixedWindowRateLimiter(_memory())
        self._shared = _shared(broker_url)
        self._shared_from = 0.0  # the shared window is not used before

    def count(self, key: str) -> None:
        """Count a request of this key. Raises `errors.RateLimited`."""
        if self._shared is None or time.monotonic() < self._shared_from:
            self._count(self._local, key)
            return
        try:
            self._count(self._shared, key)
        except (RedisError, OSError) as error:
            log.warning("Redis does not answer, so each process counts requests by itself (%s)", error)
            self._shared_from = time.monotonic() + RETRY_SECONDS
            self._count(self._local, key)

    def _count(self, window: FixedWindowRateLimiter, key: str) -> None:
        if not window.hit(self._limit, key):
            seconds_left = window.get_window_stats(self._limit, key).reset_time - time.time()
            raise errors.RateLimited(
                f"one key may make {self._limit.amount} requests a minute: wait for the next minute",
                retry_after=max(math.ceil(seconds_left), 1),
            )


def _memory() -> MemoryStorage:
    """Counts of this process that are never purged: purging starts a thread a request, and keys are few."""
    storage = MemoryStorage()
    storage.timer = _RunningTimer(0.0, lambda: None)
    return storage


class _RunningTimer(threading.Timer):
    """Keeps MemoryStorage from starting its own timer: it starts one unless there is one that is alive."""

    def is_alive(self) -> bool:
        """Always true."""
        return True


def _shared(broker_url: str) -> FixedWindowRateLimiter | None:
    """Counts in the broker's Redis, connected at first use; None if the broker is no Redis."""
    if not broker_url.startswith(("redis://", "rediss://", "redis+socket://")):
        return None
    credentials: dict[str, Any] = {}
    if passwords("broker_password"):
        credentials = {"credential_provider": CurrentPassword(unquote(urlsplit(broker_url).username or ""))}
        broker_url = re.sub("://[^/@]*@", "://", broker_url)
    storage = RedisStorage(
        broker_url.replace("redis+socket://", "redis+unix://", 1),
        **credentials,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]
    )
    return FixedWindowRateLimiter(storage)
