"""The redis service of the compose file: its own command, run here."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, ConnectionError
from redis.retry import Retry

from embedded import redis_server
from tests.deploy.compose import read
from tests.servers import free_port


@contextmanager
def service(folder: Path, password: str, port: int) -> Iterator[subprocess.Popen[str]]:
    """The command of the service; what differs is the folder of its data, and its port."""
    redis_service = read({"POSTGRES_PASSWORD": "any", "REDIS_PASSWORD": password})["redis"]
    shell, flag, script = redis_service["command"]
    script = script.replace("dir /data", f"dir {folder}\nbind 127.0.0.1\nport {port}")
    path = f"{Path(redis_server.executable()).parent}:{os.environ['PATH']}"
    process = subprocess.Popen(
        [shell, flag, script],
        env={"PATH": path, **redis_service["environment"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)


def client_of(port: int, password: str | None = None) -> Redis:
    """A client that tries once."""
    return Redis(port=port, password=password, retry=Retry(NoBackoff(), 0))


def wait_for(client: Redis, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            client.ping()
        except ConnectionError as error:
            if isinstance(error, AuthenticationError):
                raise
            time.sleep(0.02)
        else:
            return
    pytest.fail("redis does not answer")


def test_it_takes_its_password_keeps_its_file_and_ends_when_it_is_asked_to(tmp_path: Path) -> None:
    port = free_port()
    with service(tmp_path, "Aa0._~-", port) as process:
        with client_of(port, password="Aa0._~-") as client:
            wait_for(client, process)
            client.set("key", "value")
        with client_of(port) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert list(tmp_path.glob("appendonlydir/*.aof"))


@pytest.mark.parametrize("password", ["p@ss", "a/b", 'a"b', "a b", "ä", "a%20"])
def test_it_refuses_a_password_that_could_not_stand_in_a_url_and_says_so(tmp_path: Path, password: str) -> None:
    with service(tmp_path, password, free_port()) as process:
        _, complaint = process.communicate(timeout=20)
    assert process.returncode == 1
    assert complaint.startswith("REDIS_PASSWORD may have letters, digits")
