"""The redis service of the compose file: its command, run without a container."""

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
    """Run the service's command with another data folder and port."""
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
    """A client without retries."""
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


@pytest.mark.parametrize("password", ["Aa0._~-", "p@ss/w:rd#?%20", "a\"b' c\\n", "$x`ls`ä"])
def test_it_requires_its_password_writes_its_file_and_ends_at_sigterm(tmp_path: Path, password: str) -> None:
    port = free_port()
    with service(tmp_path, password, port) as process:
        with client_of(port, password=password) as client:
            wait_for(client, process)
            client.set("key", "value")
        with client_of(port) as other, pytest.raises(AuthenticationError):
            other.ping()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert list(tmp_path.glob("appendonlydir/*.aof"))
