"""Set-up and requests that many tests of the service share."""

import argparse
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from flask import Flask

from backpropd.config import Settings
from service import admin_cli
from service.app import create_app
from tests.migrated import migrate
from tests.service.validation import Client, check_events
from worker.runner import Runner

Work = Callable[[], None]
Key = Callable[..., dict[str, str]]

CSV = {"Content-Type": "text/csv"}
# A table with a column of each kind, and columns that a neuron rejects.
MIXED = "a,b,size,word,note,gap,half,empty,y,who\n" + "".join(
    f"{n % 2},{('no', 'yes', 'yes')[n % 3]},{n}.5,{'uvw'[n % 3]},note {n},{'' if n == 1 else 1},"
    f"{n % 3 / 2},,{n // 2 % 2},{'ab'[n % 2]}\n"
    for n in range(30)
)


# A number, a boolean, a postcode that begins with a zero, a constant, and a target of each task.
PLANTS = "height,potted,postcode,shade,kind,price\n" + "".join(
    f"{n}.5,{('no', 'yes')[n % 2]},0{1000 + n % 4},7,{('fern', 'moss')[n // 20]},{3 * n + 0.25}\n" for n in range(40)
)
PLANT = {"height": 10.5, "potted": "yes", "postcode": "01001"}  # the features of a row


SNAPSHOTS: dict[str, Any] = {"epochs": 20, "seed": 1, "snapshots": {"every": 5}}  # a job's training


@contextmanager
def open_app(settings: Settings, **changes: Any) -> Iterator[Flask]:
    """The app for these settings, changed, on a migrated database."""
    settings = settings.model_copy(update=changes)
    migrate(settings)
    app = create_app(settings)
    try:
        yield app
    finally:
        app.extensions["backpropd"].database.dispose()


def operate(settings: Settings, *arguments: str) -> None:
    """Run a command of the operator, `python -m service …`, in this process."""
    parser = argparse.ArgumentParser()
    admin_cli.add_commands(parser.add_subparsers())
    admin_cli.run(settings, parser.parse_args(arguments))


def trainer(app: Flask) -> Work:
    """A function that trains every queued job of the app in this process, with the worker's own code."""
    services = app.extensions["backpropd"]
    runner = Runner("test", services.settings, services.database, services.blobs)

    def run() -> None:
        while runner.run_one():
            pass

    return run


def with_key(app: Flask, header: dict[str, str]) -> Client:
    """A client that sends this header of a key with every request."""
    client: Client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = header["Authorization"]
    return client


def upload(http: Client, text: str) -> str:
    """Upload a CSV table; gives the dataset's id."""
    return str(http.post("/v1/datasets", data=text, headers=CSV).json["id"])


def sample(http: Client, name: str) -> str:
    """Make a bundled sample; gives the dataset's id."""
    return str(http.post("/v1/datasets", json={"sample": name}).json["id"])


def submit(http: Client, dataset_id: str, target: Any = "species", **spec: Any) -> dict[str, Any]:
    """Submit a job; gives it as it was answered."""
    answer = http.post("/v1/jobs", json={"dataset_id": dataset_id, "target": target, **spec})
    assert answer.status_code == 202, answer.json
    return answer.json


def rejected_pointers(answer: Any) -> list[str]:
    """The pointers of a 422 answer."""
    assert answer.status_code == 422, answer.json
    return [each["pointer"] for each in answer.json["errors"]]


def at_once(run: Callable[..., Any], arguments: Iterable[Any]) -> list[Any]:
    """Call `run` with each argument, each in a thread of its own, all at the same time."""
    with ThreadPoolExecutor(100) as pool:
        return list(pool.map(run, arguments))


def read_job(http: Client, job: dict[str, Any]) -> dict[str, Any]:
    """The job as it is now."""
    return http.get(f"/v1/jobs/{job['id']}").json


def listed_snapshots(http: Client, job: dict[str, Any], **query: Any) -> Any:
    """The list of a job's snapshots."""
    answer = http.get(f"/v1/jobs/{job['id']}/snapshots", query_string=query)
    assert answer.status_code == 200, answer.json
    return answer.json


def fork(http: Client, job: dict[str, Any], body: dict[str, Any], **headers: str) -> Any:
    """The answer to a fork of a job."""
    return http.post(f"/v1/jobs/{job['id']}/fork", json=body, headers=headers)


def read_stream(http: Client, job: dict[str, Any], last_event_id: str = "") -> str:
    """The whole event stream of a job that is over."""
    with http.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": last_event_id}) as response:
        assert response.status_code == 200
        check_events(response.text)
        return str(response.text)


def read_model(http: Client, job: dict[str, Any]) -> dict[str, Any]:
    """The model of a job that succeeded."""
    done = read_job(http, job)
    assert done["status"] == "succeeded", done["error"]
    return http.get(f"/v1/models/{done['model_id']}").json


def train_model(http: Client, work: Work, dataset_id: str, target: Any, **spec: Any) -> str:
    """Train 16 hidden units for three epochs unless `spec` says otherwise; gives the model's id."""
    spec.setdefault("network", {"hidden": [{"units": 16}]})
    spec["training"] = {"epochs": 3, "seed": 1, **spec.get("training", {})}
    job = submit(http, dataset_id, target, **spec)
    work()
    return str(read_model(http, job)["id"])
