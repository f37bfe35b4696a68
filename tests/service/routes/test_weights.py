"""A model's weights over HTTP, in each format."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from flask.testing import FlaskClient
from safetensors.numpy import load

from tests.service.requests import read_job, submit

Work = Callable[[], None]


def test_weights_are_available_in_three_formats(http: FlaskClient, iris: str, work: Work) -> None:
    job = submit(http, iris, training={"epochs": 1})
    work()
    path = f"/v1/models/{read_job(http, job)['model_id']}/weights"
    tensors = load(http.get(path).data)
    assert tensors["layers.0.weight"].shape == (4, 16)
    archive = np.load(io.BytesIO(http.get(f"{path}?format=npz").data), allow_pickle=False)
    assert np.array_equal(archive["layers.0.weight"], tensors["layers.0.weight"])
    lists = http.get(f"{path}?format=json").json
    assert lists is not None
    assert np.array_equal(np.array(lists["layers.1.bias"], np.float32), tensors["layers.1.bias"])
