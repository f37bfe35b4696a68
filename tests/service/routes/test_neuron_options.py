"""Options of threshold neurons over HTTP: accepted, rejected, and counted in a dry run."""

from typing import Any

import pytest

from tests.service.requests import MIXED, rejected_pointers, sample, upload
from tests.service.validation import Client

MP, PERCEPTRON, NETWORK = {"kind": "mcculloch_pitts"}, {"kind": "perceptron"}, {"kind": "perceptron_network"}


@pytest.mark.parametrize(
    ("network", "change", "pointer", "detail"),
    [
        ({"kind": "neuron"}, {}, "/network", "mcculloch_pitts"),
        ({**PERCEPTRON, "hidden": []}, {}, "/network/hidden", "no such field"),
        ({**MP, "threshold": -1}, {}, "/network/threshold", "greater than or equal to 0"),
        ({**MP, "threshold": "high"}, {}, "/network/threshold", "search"),
        ({**MP, "inhibitory": ["b", "c"]}, {}, "/network/inhibitory/1", "the inputs are: a, b"),
        ({**MP, "inhibitory": ["b", "b"]}, {}, "/network/inhibitory/1", "twice"),
        (MP, {"features": ["a", "size"]}, "/features/1", "'size' holds numbers from 0.5 to 29.5"),
        (MP, {"features": ["half"]}, "/features/0", "numbers from 0 to 1, not all whole"),
        (MP, {"features": ["a", "empty"]}, "/features/1", "no values"),
        (NETWORK, {"features": ["word"]}, "/features/0", "words: 'u', 'v', 'w'"),
        (NETWORK, {"features": ["note"]}, "/features/0", "free text"),
        (NETWORK, {"features": None}, "/features", "'size' holds numbers"),
        (MP, {"features": ["a", "gap"]}, "/features/1", "has no value in 1 rows"),
        (MP, {"features": ["a", "a"]}, "/features/1", "listed before"),
        (MP, {"features": ["a", "y"]}, "/features/1", "is a target"),
        (MP, {"features": ["nothing"]}, "/features/0", "there is no column"),
        (MP, {"target": "who"}, "/target", "words: 'a', 'b'"),
        (MP, {"target": ["y", "who"]}, "/target", "one target"),
        (PERCEPTRON, {"target": ["y", "who"]}, "/target", "one target"),
        (PERCEPTRON, {"target": "size"}, "/target", "numbers from 0.5 to 29.5"),
        (PERCEPTRON, {"task": "regression"}, "/task", "classifier"),
        (PERCEPTRON, {"training": {"optimizer": {"name": "adam"}}}, "/training/optimizer/name", "sgd"),
        (
            PERCEPTRON,
            {"training": {"optimizer": {"name": "sgd", "momentum": 0.9}}},
            "/training/optimizer/momentum",
            "only a learning_rate",
        ),
        (MP, {"training": {"optimizer": {"name": "sgd"}}}, "/training/optimizer", "by hand or searched"),
        (PERCEPTRON, {"training": {"batch_size": 4}}, "/training/batch_size", "row by row"),
        (PERCEPTRON, {"training": {"loss": "cross_entropy"}}, "/training/loss", "share of rows"),
        (PERCEPTRON, {"training": {"early_stopping": {}}}, "/training/early_stopping", "without a mistake"),
        (PERCEPTRON, {"training": {"engine": "numpy"}}, "/training/engine", "same bytes"),
        (PERCEPTRON, {"training": {"dtype": "float32"}}, "/training/dtype", "float64"),
        (PERCEPTRON, {"training": {"epochs": 10**8}}, "/training/epochs", "at most"),
    ],
)
def test_options_without_meaning_for_a_neuron_are_rejected_with_the_reason(
    http: Client, network: dict[str, Any], change: dict[str, Any], pointer: str, detail: str
) -> None:
    body = {"dataset_id": upload(http, MIXED), "target": "y", "features": ["a", "b"], "network": network, **change}
    answer = http.post("/v1/jobs", json=body)
    assert rejected_pointers(answer) == [pointer]
    assert detail in answer.json["detail"]


def test_options_equal_to_the_defaults_are_accepted(http: Client) -> None:
    training = {"loss": "auto", "batch_size": None, "early_stopping": None, "engine": "auto", "dtype": "float64"}
    body = {"dataset_id": sample(http, "xor"), "target": "y", "network": PERCEPTRON, "training": training}
    assert http.post("/v1/jobs", json=body).status_code == 202


def test_a_dry_run_counts_the_parameters_and_rows_of_a_perceptron(http: Client, iris: str) -> None:
    body = {"dataset_id": iris, "target": "species", "network": PERCEPTRON}
    cost = http.post("/v1/jobs?dry_run=true", json=body).json["cost"]
    del cost["memory_bytes"]
    assert cost == {
        "parameters": 15, "encoded_features": 4, "training_rows": 120, "validation_rows": 30, "steps_per_epoch": 120
    }  # fmt: skip


def test_a_default_written_out_is_another_request_for_an_idempotency_key(http: Client) -> None:
    """SGD's own default learning rate is not that of the perceptron rule."""
    body = {"dataset_id": sample(http, "and"), "target": "y", "network": PERCEPTRON}
    headers = {"Idempotency-Key": "k"}
    left_out = {**body, "training": {"optimizer": {"name": "sgd"}}}
    job = http.post("/v1/jobs", json=left_out, headers=headers).json
    assert job["training"]["optimizer"]["learning_rate"] == 1.0
    written_out = {**body, "training": {"optimizer": {"name": "sgd", "learning_rate": 0.1}}}
    assert http.post("/v1/jobs", json=written_out, headers=headers).json["code"] == "idempotency_mismatch"
    assert http.post("/v1/jobs", json=left_out, headers=headers).json == job
