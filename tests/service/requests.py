"""Requests that many tests of the routes send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask.testing import FlaskClient

CSV = {"Content-Type": "text/csv"}
# A table with a column of each kind, and columns that a neuron rejects.
MIXED = "a,b,size,word,note,gap,half,empty,y,who\n" + "".join(
    f"{n % 2},{('no', 'yes', 'yes')[n % 3]},{n}.5,{'uvw'[n % 3]},note {n},{'' if n == 1 else 1},"
    f"{n % 3 / 2},,{n // 2 % 2},{'ab'[n % 2]}\n"
    for n in range(30)
)


def upload(http: FlaskClient, text: str) -> str:
    """Upload a CSV table; gives the dataset's id."""
    return str(http.post("/v1/datasets", data=text, headers=CSV).json["id"])  # type: ignore[index]


def sample(http: FlaskClient, name: str) -> str:
    """Make a bundled sample; gives the dataset's id."""
    return str(http.post("/v1/datasets", json={"sample": name}).json["id"])  # type: ignore[index]


def submit(http: FlaskClient, dataset_id: str, target: Any = "species", **spec: Any) -> dict[str, Any]:
    """Submit a job; gives it as it was answered."""
    answer = http.post("/v1/jobs", json={"dataset_id": dataset_id, "target": target, **spec})
    assert answer.status_code == 202, answer.json
    return dict(answer.json or {})


def read_job(http: FlaskClient, job: dict[str, Any]) -> dict[str, Any]:
    """The job as it is now."""
    return dict(http.get(f"/v1/jobs/{job['id']}").json or {})


def read_model(http: FlaskClient, job: dict[str, Any]) -> dict[str, Any]:
    """The model of a job that succeeded."""
    done = read_job(http, job)
    assert done["status"] == "succeeded", done["error"]
    return dict(http.get(f"/v1/models/{done['model_id']}").json or {})


def train_model(http: FlaskClient, work: Callable[[], None], dataset_id: str, target: Any, **spec: Any) -> str:
    """Train for three epochs unless `spec` says otherwise; gives the model's id."""
    spec["training"] = {"epochs": 3, "seed": 1, **spec.get("training", {})}
    job = submit(http, dataset_id, target, **spec)
    work()
    return str(read_model(http, job)["id"])
