"""Surfaces of a model's loss over HTTP, as numbers and as PNG."""

import io

import numpy as np
import pytest
from flask import Flask
from matplotlib.image import imread

from tests.service.requests import Work, rejected_pointers, train_model
from tests.service.validation import Client


def test_the_center_of_a_surface_is_the_loss_of_the_model(http: Client, work: Work, iris: str) -> None:
    model = train_model(http, work, iris, "species", training={"validation_fraction": 0})
    found = http.get(f"/v1/models/{model}/surface?points=5&span=0.5").json
    assert (found["x"], found["y"]) == ([-0.5, -0.25, 0.0, 0.25, 0.5],) * 2
    assert (found["directions"], found["rows"], found["path"], found["explained"]) == ("random", 150, None, None)
    assert np.shape(found["loss"]) == (5, 5)
    own = http.get(f"/v1/models/{model}").json["metrics"]["loss"]
    assert found["loss"][2][2] == pytest.approx(own, rel=1e-5)
    assert len(np.unique(found["loss"])) == 25


def test_a_surface_depends_only_on_its_seed(http: Client, model: str) -> None:
    one, again, other = (http.get(f"/v1/models/{model}/surface?points=3&seed={seed}").json for seed in ("7", "7", "8"))
    assert one == again
    assert one != other


def test_a_surface_is_drawn_as_png(http: Client, model: str) -> None:
    answer = http.get(f"/v1/models/{model}/surface?points=9&format=png")
    assert (answer.status_code, answer.content_type) == (200, "image/png")
    picture = imread(io.BytesIO(answer.data))
    assert picture.shape[0] > 500
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 100


def test_the_cost_limit_reduces_the_rows_of_a_surface(app: Flask, http: Client, model: str) -> None:
    services = app.extensions["backpropd"]
    parameters, units = 5 * 16 + 17 * 3, 16 + 3
    max_operations = 9 * 60 * (parameters + 50 * units)
    services.settings = services.settings.model_copy(update={"max_surface_operations": max_operations})
    assert http.get(f"/v1/models/{model}/surface?points=3").json["rows"] == 60
    rejected = http.get(f"/v1/models/{model}/surface?points=4")
    assert (rejected.status_code, rejected.json["errors"][0]["pointer"]) == (422, "/points")


def test_a_surface_along_the_path_needs_a_stored_path(http: Client, model: str) -> None:
    answer = http.get(f"/v1/models/{model}/surface?directions=path")
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert "keep_path" in answer.json["detail"]


def test_a_surface_along_the_path_of_training(http: Client, work: Work, iris: str) -> None:
    model = train_model(http, work, iris, "species", training={"epochs": 20, "keep_path": True})
    found = http.get(f"/v1/models/{model}/surface?directions=path&points=5").json
    assert found["path"]["epochs"] == [*range(21)]
    assert (found["path"]["x"][-1], found["path"]["y"][-1]) == pytest.approx((0, 0), abs=1e-6)
    assert 0.5 < sum(found["explained"]) <= 1
    drawn = http.get(f"/v1/models/{model}/surface?directions=path&points=5&format=png")
    assert (drawn.status_code, drawn.content_type) == (200, "image/png")


def test_a_surface_needs_the_training_dataset(http: Client, model: str, iris: str) -> None:
    assert http.delete(f"/v1/datasets/{iris}").status_code == 204
    answer = http.get(f"/v1/models/{model}/surface")
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")
    assert "deleted" in answer.json["detail"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("points=52", "/points"), ("points=2", "/points"), ("span=0", "/span"), ("span=inf", "/span"),
     ("directions=up", "/directions"), ("format=svg", "/format"), ("seed=-1", "/seed"), ("rows=3", "/rows")],
)  # fmt: skip
def test_an_invalid_surface_request_is_rejected_with_its_pointer(
    http: Client, model: str, query: str, pointer: str
) -> None:
    assert rejected_pointers(http.get(f"/v1/models/{model}/surface?{query}")) == [pointer]
