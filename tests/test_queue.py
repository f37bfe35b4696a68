"""The doorbell against a real Redis: it wakes, no more than that, and says when it could not."""

from __future__ import annotations

from pathlib import Path

from backpropd import queue
from backpropd.config import Settings
from tests.servers import Redis


def test_wake_ups_do_not_pile_up_and_a_broker_that_comes_back_is_rung_again(tmp_path: Path) -> None:
    redis = Redis(tmp_path / "redis")
    redis.start()
    try:
        app = queue.make_app(Settings(data_dir=tmp_path, broker_url=redis.url), impatient=True)
        assert all(queue.ring(app) for _ in range(queue.MOST_WAKE_UPS + 10))
        with redis.client() as client:
            assert client.llen(queue.QUEUE) == queue.MOST_WAKE_UPS
            client.rpop(queue.QUEUE)
            assert queue.ring(app)
            assert client.llen(queue.QUEUE) == queue.MOST_WAKE_UPS
        redis.kill()
        assert not queue.ring(app)
        redis.start()
        assert any(queue.ring(app) for _ in range(3))
        with redis.client() as client:
            assert client.llen(queue.QUEUE) >= 1
    finally:
        redis.close()
