"""How many requests a minute a key may make: counted in Redis for all processes, or here while Redis is away."""

from __future__ import annotations

import logging
import math
import threading
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from backpropd import errors

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.25  # for Redis: longer than that, and it counts as away
AWAY_SECONDS = 5.0  # until it is asked again


class RateLimiter:
    """A window of a minute for each key."""

    def __init__(self, broker_url: str, most: int) -> None:
        self._most = RateLimitItemPerMinute(most, namespace="backpropd")
        self._own = FixedWindowRateLimiter(_memory())
        self._shared = _shared(broker_url)
        self._away_until = 0.0

    def count(self, name: str) -> None:
        """Count a request of this name. Raises `errors.RateLimited`."""
        window = self._window()
        try:
            self._count(window, name)
        except (RedisError, OSError) as error:
            log.warning("requests are counted by each process for itself: Redis does not answer (%s)", error)
            self._away_until = time.monotonic() + AWAY_SECONDS
            self._count(self._own, name)

    def _window(self) -> FixedWindowRateLimiter:
        return self._shared if self._shared and time.monotonic() >= self._away_until else self._own

    def _count(self, window: FixedWindowRateLimiter, name: str) -> None:
        if not window.hit(self._most, name):
            left = window.get_window_stats(self._most, name).reset_time - time.time()
            raise errors.RateLimited(
                f"{self._most.amount} requests a minute are the most that one key may make: wait for the next minute",
                retry_after=max(math.ceil(left), 1),
            )


def _memory() -> MemoryStorage:
    """Counts of this process. Nothing clears them away: that would start a thread a request, and they are few."""
    storage = MemoryStorage()
    storage.timer = _Cleared(0.0, lambda: None)
    return storage


class _Cleared(threading.Timer):
    """Looks as if it were about to clear away."""

    def is_alive(self) -> bool:
        """It says so."""
        return True


def _shared(broker_url: str) -> FixedWindowRateLimiter | None:
    """A window that lies in the broker's Redis; None where the broker is none. It connects when it is first used."""
    if not broker_url.startswith(("redis://", "rediss://", "redis+socket://")):
        return None
    storage = RedisStorage(
        broker_url.replace("redis+socket://", "redis+unix://", 1),
        socket_timeout=PATIENCE_SECONDS,
        socket_connect_timeout=PATIENCE_SECONDS,
        retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]
    )
    return FixedWindowRateLimiter(storage)
