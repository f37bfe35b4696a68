"""Wake-up messages through a real Redis: sent, limited in number, and reported when they could not be sent."""

import time
from pathlib import Path

from backpropd import queue
from backpropd.config import Settings
from service.worker_notifier import WorkerNotifier
from tests.embedded.running import eventually
from tests.servers import Redis


def test_each_notification_sends_a_message_up_to_the_limit(tmp_path: Path) -> None:
    redis = Redis(tmp_path / "redis")
    redis.start()
    with redis.client() as client:
        notifier = WorkerNotifier(queue.make_app(Settings(data_dir=tmp_path, broker_url=redis.url), fail_fast=True))

        def waiting() -> int:
            return int(client.llen(queue.QUEUE))

        for _ in range(3):
            notifier.notify()
        eventually(lambda: waiting() == 3)
        for _ in range(queue.MAX_WAITING + 10):
            notifier.notify()
        eventually(lambda: waiting() == queue.MAX_WAITING)
        time.sleep(0.1)  # longer than the notifier pauses
        client.delete(queue.QUEUE)
        notifier.notify()
        eventually(lambda: waiting() == 1)
        time.sleep(0.1)
        assert waiting() == 1, "a notification above the limit was sent later"
    redis.close()


def test_messages_do_not_pile_up_and_are_sent_again_when_the_broker_is_back(tmp_path: Path) -> None:
    redis = Redis(tmp_path / "redis")
    redis.start()
    try:
        app = queue.make_app(Settings(data_dir=tmp_path, broker_url=redis.url), fail_fast=True)
        assert all(queue.wake_up(app) for _ in range(queue.MAX_WAITING + 10))
        with redis.client() as client:
            assert client.llen(queue.QUEUE) == queue.MAX_WAITING
            client.rpop(queue.QUEUE)
            assert queue.wake_up(app)
            assert client.llen(queue.QUEUE) == queue.MAX_WAITING
        redis.kill()
        assert not queue.wake_up(app)
        redis.start()
        assert any(queue.wake_up(app) for _ in range(3))
        with redis.client() as client:
            assert client.llen(queue.QUEUE) >= 1
    finally:
        redis.close()
