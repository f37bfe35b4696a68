"""Fixtures of predictions: a small table, a classifier trained on it, and requests to it; and a job with snapshots."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.service.requests import PLANT, PLANTS, SNAPSHOTS, Work, read_job, submit, train_model, upload
from tests.service.validation import Client


@pytest.fixture
def classifier(http: Client, work: Work) -> str:
    """A model of the kind, from the height, the pot and the postcode."""
    return train_model(http, work, upload(http, PLANTS), "kind", features=list(PLANT))


@pytest.fixture
def predict(http: Client, classifier: str) -> Callable[..., Any]:
    """A function that sends JSON to the classifier's predictions."""

    def send(body: Any, **request: Any) -> Any:
        return http.post(f"/v1/models/{classifier}/predictions", json=body, **request)

    return send


@pytest.fixture
def send(http: Client, classifier: str) -> Callable[..., Any]:
    """A function that sends a table to the classifier's predictions."""

    def post(data: bytes | str, media_type: str, accept: str = "application/json", query: str = "") -> Any:
        headers = {"Content-Type": media_type, "Accept": accept}
        return http.post(f"/v1/models/{classifier}/predictions{query}", data=data, headers=headers)

    return post


@pytest.fixture
def job(http: Client, work: Work, iris: str) -> dict[str, Any]:
    """A job that succeeded, with snapshots of the epochs 0, 5, 10, 15 and 20."""
    made = submit(http, iris, training=SNAPSHOTS, name="first", metadata={"a": 1})
    work()
    return read_job(http, made)
