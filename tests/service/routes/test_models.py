"""Models over HTTP: predictions of rows, and the weights in each format."""

import io

import numpy as np
from flask import Flask
from safetensors.numpy import load
from sqlalchemy import text

from tests.service.requests import Work, read_job, rejected_pointers, submit
from tests.service.validation import Client


def test_rows_that_do_not_fit_the_model_are_rejected_with_their_pointer(http: Client, iris: str, work: Work) -> None:
    job = submit(http, iris, training={"epochs": 1}, network={"hidden": [{"units": 16}]})
    work()
    path = f"/v1/models/{read_job(http, job)['model_id']}/predictions"
    good = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    for row, pointer in (
        ({**good, "sepal_length": "long"}, "/rows/1/sepal_length"),
        ({name: good[name] for name in list(good)[1:]}, "/rows/1/sepal_length"),
    ):
        answer = http.post(path, json={"rows": [good, row]})
        assert rejected_pointers(answer) == [pointer]
    assert http.post(path, json={"rows": [[1, 2, 3]]}).json["errors"][0]["pointer"] == "/rows/0"
    assert http.post(path, json={"rows": [{**good, "petal_width": None}]}).status_code == 200


def test_weights_are_available_in_three_formats(http: Client, iris: str, work: Work) -> None:
    job = submit(http, iris, training={"epochs": 1}, network={"hidden": [{"units": 16}]})
    work()
    path = f"/v1/models/{read_job(http, job)['model_id']}/weights"
    tensors = load(http.get(path).data)
    assert tensors["layers.0.weight"].shape == (4, 16)
    archive = np.load(io.BytesIO(http.get(f"{path}?format=npz").data), allow_pickle=False)
    assert np.array_equal(archive["layers.0.weight"], tensors["layers.0.weight"])
    lists = http.get(f"{path}?format=json").json
    assert np.array_equal(np.array(lists["layers.1.bias"], np.float32), tensors["layers.1.bias"])
    assert list(lists) == sorted(lists)


def test_damaged_weights_are_not_used(app: Flask, http: Client, iris: str, work: Work) -> None:
    job = submit(http, iris, training={"epochs": 1}, network={"hidden": [{"units": 16}]})
    work()
    path = f"/v1/models/{read_job(http, job)['model_id']}"
    with app.extensions["backpropd"].database.write() as session:
        weights = bytearray(session.execute(text("SELECT weights FROM models")).scalar_one())
        weights[-1] ^= 1
        session.execute(text("UPDATE models SET weights = :weights"), {"weights": bytes(weights)})
    for answer in (http.post(f"{path}/predictions", json={"rows": [[1, 2, 3, 4]]}), http.get(f"{path}/weights")):
        assert answer.json["code"] == "blob_damaged", answer.json
        assert path.removeprefix("/v1/models/") in answer.json["detail"]
