"""The embedded Redis: its executable and its socket."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from backpropd import queue
from backpropd.config import Settings
from backpropd.errors import Unavailable
from embedded import redis_server


def test_the_server_is_that_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert os.access(redis_server.executable(), os.X_OK)


def test_without_the_package_the_server_is_found_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = tmp_path / "redis-server"
    server.touch(mode=0o755)
    monkeypatch.setattr(redis_server, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_server.executable() == str(server)


def test_without_a_server_the_message_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_server, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="BACKPROPD_BROKER_URL="):
        redis_server.executable()


def test_the_socket_is_beside_the_data_if_the_path_is_short_enough() -> None:
    with redis_server.socket_path(Path("/data/redis")) as path:
        assert path == Path("/data/redis/redis.sock")


def test_the_socket_of_a_long_path_is_in_a_private_folder_that_is_deleted() -> None:
    with redis_server.socket_path(Path("/data") / ("long" * 30)) as path:
        assert len(os.fsencode(path)) <= redis_server.MAX_SOCKET_PATH_BYTES
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.parent.exists()


def test_celery_connects_by_the_url_whatever_characters_the_path_contains(broker_url: str) -> None:
    server = broker_url.removeprefix("redis+socket://")
    with tempfile.TemporaryDirectory(prefix="da ta ä#?;%41") as folder:
        path = Path(folder) / "redis.sock"
        path.symlink_to(server)
        settings = Settings(broker_url=redis_server.broker_url(path))
        assert queue.ping(queue.make_app(settings, fail_fast=True))


def test_a_socket_without_a_server_does_not_answer(tmp_path: Path) -> None:
    assert not redis_server.answers(tmp_path / "redis.sock")
