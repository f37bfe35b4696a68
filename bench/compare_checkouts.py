"""This checkout against another one, in alternating rounds: `make compare BASE=REVISION`.

Training steps of the compiled engine, one small job from POST to `succeeded`, and many small jobs. Each is measured
alternately in both checkouts, with their own environments, and printed as a ratio: above 1, this checkout is faster.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.alternation import ROOT
from bench.workloads import WORKLOADS, Workload
from tests.servers import running_postgres

ROUNDS = int(os.environ.get("ROUNDS", "7"))
JOBS = 300
SMALL_JOB = {"network": {"hidden": [{"units": 4, "activation": "tanh"}]}, "training": {"epochs": 20, "seed": 1}}


def main(base: Path) -> None:
    """Print the ratios of this checkout to `base`."""
    checkouts = (base.resolve(), ROOT)
    print(f"ratios of this checkout to {base.name}, medians of {ROUNDS} alternate rounds; above 1: this one is faster")
    with contextlib.ExitStack() as stack:
        runners = [stack.enter_context(_runner(checkout)) for checkout in checkouts]
        for workload in WORKLOADS:
            _measure_and_print(f"training step, {workload.name}", [_step(ask, workload) for ask in runners])
    with tempfile.TemporaryDirectory() as folder, running_postgres(Path(folder)) as postgresql:
        for name, url in (("SQLite", ""), ("PostgreSQL", postgresql)):
            for what, measure in (("one small job", _one_job), (f"{JOBS} small jobs", _many_jobs)):
                _measure_and_print(f"{what}, {name}", [_on_a_stack(checkout, url, measure) for checkout in checkouts])


def _measure_and_print(name: str, measures: Sequence[Callable[[], float]]) -> None:
    rounds = [[measure() for measure in measures] for _ in range(ROUNDS)]
    before, now = (statistics.median(seconds) for seconds in zip(*rounds, strict=True))
    ratios = sorted(old / new for old, new in rounds)
    spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    print(
        f"{name:40} {statistics.median(ratios):6.2f}   ({spread}; {before * 1e6:,.0f} and {now * 1e6:,.0f} µs)",
        flush=True,
    )


@contextlib.contextmanager
def _runner(checkout: Path) -> Iterator[Callable[[Any], dict[str, Any]]]:
    """Ask a `bench.runner` of the checkout, which trains with its compiled engine."""
    command = [str(_python(checkout)), "-m", "bench.runner", "core", "compiled"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=checkout, text=True, stdin=pipe, stdout=pipe) as process:
        assert process.stdin
        assert process.stdout
        requests, answers = process.stdin, process.stdout
        answers.readline()  # the versions

        def ask(request: Any) -> dict[str, Any]:
            print(json.dumps(request), file=requests, flush=True)
            return dict(json.loads(answers.readline()))

        yield ask
        requests.close()


def _step(ask: Callable[[Any], dict[str, Any]], workload: Workload) -> Callable[[], float]:
    """The seconds of a training step."""
    repeats: int = ask(workload._asdict())["repeats"]
    return lambda: float(ask(repeats)["seconds"]) / repeats / workload.steps_per_epoch


def _on_a_stack(
    checkout: Path, database: str, measure: Callable[[HTTPConnection, dict[str, Any]], float]
) -> Callable[[], float]:
    """A measurement on a fresh stack of the checkout."""

    def measured() -> float:
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = stack.enter_context(_stack(checkout, folder, database))
            http = stack.enter_context(contextlib.closing(HTTPConnection(urlsplit(url).netloc)))
            xor = _call(http, "POST", "/v1/datasets", {"sample": "xor"})
            job = {"dataset_id": xor["id"], "target": xor["columns"][-1]["name"], **SMALL_JOB}
            _one_job(http, job)  # warm up
            return measure(http, job)

    return measured


def _one_job(http: HTTPConnection, job: dict[str, Any]) -> float:
    """Seconds from POST to `succeeded`: the median of twenty jobs."""
    seconds = []
    for _ in range(20):
        began = time.perf_counter()
        posted = _call(http, "POST", "/v1/jobs", job)
        ended = _call(http, "GET", f"/v1/jobs/{posted['id']}?wait=60")
        seconds.append(time.perf_counter() - began)
        assert ended["status"] == "succeeded", ended
    return statistics.median(seconds)


def _many_jobs(http: HTTPConnection, job: dict[str, Any]) -> float:
    """Seconds a job, from the first POST to the end of the last job."""
    began = time.perf_counter()
    ids = [_call(http, "POST", "/v1/jobs", job)["id"] for _ in range(JOBS)]
    for job_id in ids[-4:]:
        _call(http, "GET", f"/v1/jobs/{job_id}?wait=60")
    while any(_call(http, "GET", f"/v1/jobs?status={status}&limit=1")["data"] for status in ("queued", "running")):
        time.sleep(0.05)
    return (time.perf_counter() - began) / JOBS


@contextlib.contextmanager
def _stack(checkout: Path, folder: Path, database: str) -> Iterator[str]:
    settings = {"BACKPROPD_DATA_DIR": str(folder), "BACKPROPD_PORT": "0", "BACKPROPD_LOG_REQUESTS": "false"}
    environment = {**os.environ, **settings, **({"BACKPROPD_DATABASE_URL": database} if database else {})}
    address = folder / "stack.json"
    command = [str(_python(checkout)), "-m", "embedded"]
    with subprocess.Popen(command, cwd=checkout, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            while not address.exists():
                assert process.poll() is None, "the stack did not start"
                time.sleep(0.1)
            yield json.loads(address.read_text())["url"]
        finally:
            process.terminate()


def _call(http: HTTPConnection, method: str, path: str, body: Any = None) -> Any:
    http.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    answer = http.getresponse()
    read = json.load(answer)
    assert answer.status < 300, read
    return read


def _python(checkout: Path) -> Path:
    return checkout / ".venv" / "bin" / "python"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
