"""The doorbell against a real Redis: it wakes, no more than that, and says when it could not."""

from __future__ import annotations

import time
from pathlib import Path

from redis import Redis as Client

from backpropd import queue
from backpropd.config import Settings
from service.worker_notifier import WorkerNotifier
from tests.embedded.running import eventually
from tests.servers import Redis, redis_server


def test_each_press_wakes_a_worker_until_enough_are_woken(tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as url, Client.from_url(url.replace("redis+socket", "unix")) as client:
        worker_notifier = WorkerNotifier(queue.make_app(Settings(data_dir=tmp_path, broker_url=url), impatient=True))

        def lying() -> int:
            return int(client.llen(queue.QUEUE))

        for _ in range(3):
            worker_notifier.notify()
        eventually(lambda: lying() == 3)
        for _ in range(queue.MOST_WAKE_UPS + 10):
            worker_notifier.notify()
        eventually(lambda: lying() == queue.MOST_WAKE_UPS)
        time.sleep(0.1)  # and the doorbell rests
        client.delete(queue.QUEUE)
        worker_notifier.notify()
        eventually(lambda: lying() == 1)
        time.sleep(0.1)
        assert lying() == 1, "a ring that was enough came again"


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
