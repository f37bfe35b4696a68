"""Initial parameters over HTTP: a textbook's example, and what is refused."""

from typing import Any

import pytest

from tests.service.requests import Work, read_model, rejected_pointers, sample, submit, upload
from tests.service.validation import Client


def test_a_textbooks_example_has_the_textbooks_numbers(http: Client, work: Work) -> None:
    initial = {
        "layers.0.weight": [[0.15, 0.25], [0.20, 0.30]], "layers.0.bias": [0.35, 0.35],
        "layers.1.weight": [[0.40, 0.50], [0.45, 0.55]], "layers.1.bias": [0.60, 0.60],
    }  # fmt: skip
    network = {"hidden": [{"units": 2, "activation": "logistic"}], "output_activation": "logistic"}
    training = {
        "optimizer": {"name": "sgd", "learning_rate": 0.5}, "loss": "squared_error", "epochs": 1, "batch_size": "full",
        "dtype": "float64", "feature_scaling": "none", "target_scaling": "none", "snapshots": {"every": 1},
    }  # fmt: skip
    dataset = upload(http, "i1,i2,o1,o2\n0.05,0.10,0.01,0.99\n")
    job = submit(http, dataset, ["o1", "o2"], network={**network, "initial_parameters": initial}, training=training)
    assert job["network"]["initial_parameters"] == initial
    work()
    model = read_model(http, job)
    assert "initial_parameters" not in model["network"]
    (epoch,) = http.get(f"/v1/jobs/{job['id']}/epochs").json["data"]
    assert epoch["loss"] == pytest.approx(0.298371109, abs=5e-10)
    start, end = (each["parameters"] for each in http.get(f"/v1/jobs/{job['id']}/snapshots").json["data"])
    assert start == initial
    assert end["layers.1.weight"] == [
        [pytest.approx(0.35891648), pytest.approx(0.51130127)], [pytest.approx(0.408666186), pytest.approx(0.561370121)]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"layers.9.weight": [[1]]}, "/network/initial_parameters/layers.9.weight"),
        ({"layers.0.bias": [1]}, "/network/initial_parameters/layers.0.bias"),
        ({"layers.0.bias": ["one"]}, "/network/initial_parameters/layers.0.bias"),
        ({"layers.0.bias": [[[1]]]}, "/network/initial_parameters/layers.0.bias"),
        ({"layers.0.bias": 1}, "/network/initial_parameters/layers.0.bias"),
        ({"layers.0.weight": [[0.0] * 5001] * 2}, "/network/initial_parameters"),
        ([1], "/network/initial_parameters"),
    ],
)
def test_wrong_initial_parameters_are_refused_with_their_pointer(
    http: Client, iris: str, parameters: Any, pointer: str
) -> None:
    network = {"hidden": [{"units": 3}], "initial_parameters": parameters}
    answer = http.post("/v1/jobs", json={"dataset_id": iris, "target": "species", "network": network})
    assert all(each.startswith(pointer) for each in rejected_pointers(answer))


def test_a_neuron_that_is_set_takes_no_initial_parameters(http: Client) -> None:
    body = {"dataset_id": sample(http, "and"), "target": "y"}
    network = {"kind": "mcculloch_pitts", "initial_parameters": {"layers.0.bias": [1]}}
    answer = http.post("/v1/jobs", json={**body, "network": network})
    assert answer.status_code == 422
    assert "initial_parameters" in rejected_pointers(answer)[0]
