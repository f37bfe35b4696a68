"""The model servers that the service is compared with, each a process from `.venv-serving` on a free port."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from bench.digits import Digits, onnx_file
from embedded import address

ROOT = Path(__file__).parent.parent
BIN = ROOT / ".venv-serving" / "bin"
HOST = "127.0.0.1"
START_SECONDS, STOP_SECONDS = 180.0, 20.0
VERSIONS_OF = {"MLflow": "mlflow", "FastAPI": "fastapi", "onnxruntime": "onnxruntime", "uvicorn": "uvicorn"}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@contextmanager
def mlflow(digits: Digits, folder: Path, form: str) -> Iterator[str]:
    """`mlflow models serve` with a scikit-learn pipeline of the same size; yields the URL for predictions."""
    data, model = folder / "digits.npz", folder / f"mlflow-{form}"
    np.savez(data, x=np.array(digits.rows, float), y=np.array(digits.labels))
    fit = [str(BIN / "python"), "-m", "bench.contenders.mlflow_model", str(data), form, str(model)]
    subprocess.run(fit, cwd=ROOT, env=_environment(), check=True, stdout=subprocess.DEVNULL)
    serve = [str(BIN / "mlflow"), "models", "serve", "--model-uri", str(model), "--env-manager", "local"]
    where = address.free(HOST, 0)
    command = [*serve, "--host", HOST, "--port", str(where.port), "--workers", "1"]
    with _running(command, where, folder / "mlflow.log"):
        yield f"{where.url}/invocations"


@contextmanager
def hand_written(digits: Digits, folder: Path, route: str) -> Iterator[str]:
    """FastAPI and onnxruntime on uvicorn with the same network; yields the URL for predictions."""
    model = folder / "digits.onnx"
    model.write_bytes(onnx_file(digits))
    where = address.free(HOST, 0)
    serve = [str(BIN / "uvicorn"), "bench.contenders.onnx_server:app", "--workers", "1", "--no-access-log"]
    command = [*serve, "--host", HOST, "--port", str(where.port)]
    with _running(command, where, folder / "hand_written.log", {"MODEL": str(model)}):
        yield f"{where.url}/{route}"


def versions() -> list[str]:
    """The contenders' versions. Raises `FileNotFoundError` if their environment is not installed."""
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    done = subprocess.run(
        [str(BIN / "python"), "-c", code, *VERSIONS_OF.values()], check=True, text=True, stdout=subprocess.PIPE
    )
    return [f"{name} {version}" for name, version in zip(VERSIONS_OF, done.stdout.split(), strict=True)]


def post(url: str, body: str) -> Any:
    """The JSON of the answer. Raises `OSError` if there is none, or its status is not 200."""
    request = urllib.request.Request(url, body.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        if answer.status != 200:
            raise OSError(f"{url} answers {answer.status}")
        return json.load(answer)


@contextmanager
def _running(
    command: Sequence[str], where: address.Address, log: Path, more: dict[str, str] | None = None
) -> Iterator[None]:
    """The server until the block ends, once it answers. Raises `RuntimeError` with its log if it does not."""
    with log.open("w") as out:
        server = subprocess.Popen(
            command, cwd=ROOT, env=_environment() | (more or {}), stdout=out, stderr=out, start_new_session=True
        )
    try:
        _wait(server, where, log)
        yield
    finally:
        _stop(server)


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and the processes that it has started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, number)
        with suppress(subprocess.TimeoutExpired):
            server.wait(STOP_SECONDS)
            return


def _wait(server: subprocess.Popen[bytes], where: address.Address, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not where.answers("/ping"):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the server did not start: {server.args!r}\n{log.read_text()}")
        time.sleep(0.2)


def _environment() -> dict[str, str]:
    """That of this process, with the programs of `.venv-serving` first and one BLAS thread."""
    return {**os.environ, **ONE_THREAD, "PATH": f"{BIN}:{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true"}
