"""Fixtures of predictions: a small table, a classifier trained on it, and requests to it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.service.requests import PLANT, PLANTS, Work, train_model, upload
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
