"""The embedded Redis: where its program comes from, and where its socket goes."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from backpropd import queue
from backpropd.config import Settings
from backpropd.errors import Unavailable
from embedded import redis


def test_the_server_comes_out_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert os.access(redis.binary(), os.X_OK)


def test_without_the_package_a_server_on_the_path_serves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = tmp_path / "redis-server"
    server.touch(mode=0o755)
    monkeypatch.setattr(redis, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis.binary() == str(server)


def test_without_any_server_the_message_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match="BACKPROPD_BROKER_URL="):
        redis.binary()


def test_the_socket_lies_beside_the_data_where_the_path_is_short_enough() -> None:
    with redis.socket_path(Path("/data/redis")) as path:
        assert path == Path("/data/redis/redis.sock")


def test_the_socket_of_a_long_path_lies_in_a_private_folder_that_goes_with_it() -> None:
    with redis.socket_path(Path("/data") / ("long" * 30)) as path:
        assert len(os.fsencode(path)) <= redis.LONGEST_SOCKET_PATH
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.parent.exists()


def test_celery_reaches_the_socket_through_the_url_whatever_letters_are_in_its_path(broker_url: str) -> None:
    server = broker_url.removeprefix("redis+socket://")
    with tempfile.TemporaryDirectory(prefix="da ta ä#?;%41") as folder:
        path = Path(folder) / "redis.sock"
        path.symlink_to(server)
        settings = Settings(broker_url=redis.broker_url(path))
        assert queue.ping(queue.make_app(settings, fail_fast=True))


def test_a_socket_without_a_server_does_not_answer(tmp_path: Path) -> None:
    assert not redis.answers(tmp_path / "redis.sock")
