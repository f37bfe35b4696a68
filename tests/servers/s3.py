"""A real S3 server for tests: rclone's, which serves the folders of a folder as buckets."""

import shutil
import signal
import sysconfig
from pathlib import Path

import httpx

from tests.servers.server import LOOPBACK, Server, free_port, start, wait_until

BUCKET = "datasets"


class S3(Server):
    """An S3 server at an address, by default a free port of the loopback, with an empty bucket and one pair of keys."""

    def __init__(self, folder: Path, host: str = LOOPBACK, inside: tuple[str, ...] = ()) -> None:
        """`inside` begins the command, for example to run it in a network namespace."""
        super().__init__(folder / "s3.log", "bp-s3-")
        self._address = f"{host}:{free_port()}"
        self.bucket = self._home / BUCKET
        self.bucket.mkdir()
        program = Path(sysconfig.get_path("scripts")) / "rclone"
        options = ["--addr", self._address, "--auth-key", "key,secret", "--config", "/dev/null"]
        options += ["--dir-cache-time", "1s"]  # so that it sees files that a test changes
        self._command = [*inside, str(program), "serve", "s3", *options, str(self._home)]

    @property
    def url(self) -> str:
        """The value of BACKPROPD_BLOBS_URL."""
        return f"s3://{BUCKET}/backpropd"

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs in its environment."""
        return {
            "AWS_ENDPOINT_URL": f"http://{self._address}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def blobs(self) -> list[Path]:
        """The files in the bucket."""
        return [path for path in self.bucket.rglob("*") if path.is_file()]

    def start(self) -> None:
        self._process = start(self._command, self._log)
        wait_until(self._answers, self._process, self._log)

    def kill(self) -> None:
        """`kill -9`: the server disappears, and its files stay."""
        self._signal(signal.SIGKILL)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self._home, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://{self._address}/").is_client_error  # it wants a signature
        except httpx.TransportError:
            return False
