"""Threshold neurons over HTTP: perceptrons, McCulloch-Pitts neurons and networks of perceptrons."""

import itertools
from typing import Any

import pytest
from safetensors.numpy import load

from tests.service.requests import MIXED, Work, read_job, read_model, rejected_pointers, sample, submit, upload
from tests.service.validation import Client

ROWS = list(itertools.product((0, 1), repeat=2))
TABLES = list(itertools.product((0, 1), repeat=4))  # the 16 functions of two inputs


def truth_table(http: Client, outputs: tuple[int, ...]) -> str:
    return upload(http, "x1,x2,y\n" + "".join(f"{a},{b},{y}\n" for (a, b), y in zip(ROWS, outputs, strict=True)))


def train(http: Client, work: Work, dataset: str, network: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """The job after its training."""
    job = submit(http, dataset, **{"target": "y", **spec}, network=network)
    work()
    return read_job(http, job)


def epochs_of(http: Client, job: dict[str, Any]) -> list[dict[str, Any]]:
    return list(http.get(f"/v1/jobs/{job['id']}/epochs").json["data"])


def labels(http: Client, job: dict[str, Any], rows: Any = ROWS) -> list[str]:
    answer = http.post(f"/v1/models/{job['model_id']}/predictions", json={"rows": rows})
    assert answer.status_code == 200, answer.json
    return [prediction["label"] for prediction in answer.json["predictions"]]


def test_a_perceptron_network_represents_all_16_functions_of_two_inputs(http: Client, work: Work) -> None:
    for outputs in TABLES:
        job = train(http, work, truth_table(http, outputs), {"kind": "perceptron_network"})
        assert (job["status"], job["stop_reason"]) == ("succeeded", "converged")
        assert labels(http, job) == [str(y) for y in outputs]
        assert epochs_of(http, job)[-1]["metrics"] == {"mistakes": 0}
    assert read_model(http, job)["network"] == {"kind": "perceptron_network", "hidden_units": 4, "outputs": 1}
    tensors = load(http.get(f"/v1/models/{job['model_id']}/weights").data)
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "layers.0.weight": (2, 4), "layers.0.bias": (4,), "layers.1.weight": (4, 1), "layers.1.bias": (1,)
    }  # fmt: skip
    assert tensors["layers.0.weight"].T.tolist() == [[2 * a - 1, 2 * b - 1] for a, b in ROWS]


def test_words_for_booleans_are_accepted_and_returned(http: Client, work: Work) -> None:
    dataset = upload(http, "p,q,y\nfalse,no,true\nfalse,yes,false\ntrue,no,false\ntrue,yes,true\n")
    job = train(http, work, dataset, {"kind": "perceptron_network"})
    assert labels(http, job, [[False, "no"], [True, 0]]) == ["true", "false"]
    path = f"/v1/models/{job['model_id']}/predictions"
    (answer,) = http.post(path, json={"rows": [{"p": True, "q": True}]}).json["predictions"]
    assert answer == {"label": "true", "probabilities": {"false": 0.0, "true": 1.0}}


def test_thirteen_inputs_are_too_many_for_a_perceptron_network(http: Client) -> None:
    names = [f"x{n}" for n in range(13)]
    dataset = upload(http, ",".join([*names, "y"]) + "\n" + "0," * 13 + "0\n" + "1," * 13 + "1\n")
    body = {"dataset_id": dataset, "target": "y", "network": {"kind": "perceptron_network"}}
    rejected = http.post("/v1/jobs", json=body)
    assert (rejected.status_code, rejected.json["errors"][0]["pointer"]) == (422, "/features")
    assert http.post("/v1/jobs", json={**body, "features": names[:12]}).status_code == 202


@pytest.mark.parametrize(
    ("outputs", "inhibitory", "threshold"),
    [
        ((0, 0, 0, 1), [], 2),
        ((0, 1, 1, 1), [], 1),
        ((1, 0, 0, 0), ["x1", "x2"], 0),
        ((0, 0, 1, 0), ["x2"], 1),
        ((1, 1, 1, 1), [], 0),
        ((0, 0, 0, 0), [], 3),
    ],
)
def test_a_search_finds_the_neuron_of_a_table(
    http: Client, work: Work, outputs: tuple[int, ...], inhibitory: list[str], threshold: int
) -> None:
    job = train(http, work, truth_table(http, outputs), {"kind": "mcculloch_pitts"})
    assert job["network"] == {"kind": "mcculloch_pitts", "inhibitory": "search", "threshold": "search"}
    assert (job["stop_reason"], job["progress"]) == ("converged", {"epoch": 1, "epochs": 1})
    excitatory = [name for name in ("x1", "x2") if name not in inhibitory]
    network = {"kind": "mcculloch_pitts", "inhibitory": inhibitory, "excitatory": excitatory, "threshold": threshold}
    assert read_model(http, job)["network"] == network
    assert labels(http, job) == [str(y) for y in outputs]


def test_a_search_finds_a_neuron_exactly_for_the_representable_tables(http: Client, work: Work) -> None:
    subsets: list[set[int]] = [set(), {0}, {1}, {0, 1}]
    represented = {
        tuple(int(sum(row) >= threshold and not any(row[index] for index in inhibitory)) for row in ROWS)
        for inhibitory in subsets
        for threshold in range(4)
    }
    found = {
        outputs
        for outputs in TABLES
        if train(http, work, truth_table(http, outputs), {"kind": "mcculloch_pitts"})["status"] == "succeeded"
    }
    assert found == represented


def test_xor_is_not_representable_and_the_error_names_the_rows(http: Client, work: Work) -> None:
    job = train(http, work, sample(http, "xor"), {"kind": "mcculloch_pitts"})
    assert (job["status"], job["error"]["code"], job["model_id"]) == ("failed", "not_representable", None)
    for row in ("x1=0, x2=1 -> 1", "x1=1, x2=0 -> 1", "x1=1, x2=1 -> 0"):
        assert row in job["error"]["detail"]


def test_a_neuron_set_by_hand_is_evaluated(http: Client, work: Work) -> None:
    network = {"kind": "mcculloch_pitts", "inhibitory": ["x2"], "threshold": 1}
    job = train(http, work, truth_table(http, (0, 0, 1, 1)), network)
    (epoch,) = epochs_of(http, job)
    assert (job["stop_reason"], epoch["loss"], epoch["metrics"]) == ("epochs", 0.25, {"mistakes": 1})
    assert labels(http, job) == ["0", "0", "1", "0"]
    assert read_model(http, job)["metrics"] == {"loss": 0.25, "mistakes": 1}
    tensors = load(http.get(f"/v1/models/{job['model_id']}/weights").data)
    assert (tensors["layers.0.weight"].ravel().tolist(), tensors["layers.0.bias"].tolist()) == ([1, -2], [-1])


def test_inhibitory_inputs_or_threshold_can_be_fixed_while_the_other_is_searched(http: Client, work: Work) -> None:
    nor = truth_table(http, (1, 0, 0, 0))
    found = train(http, work, nor, {"kind": "mcculloch_pitts", "threshold": 0})
    assert read_model(http, found)["network"]["inhibitory"] == ["x1", "x2"]
    failed = train(http, work, nor, {"kind": "mcculloch_pitts", "inhibitory": []})
    assert failed["error"]["code"] == "not_representable"


def test_the_perceptron_converges_on_and(http: Client, work: Work) -> None:
    job = train(http, work, sample(http, "and"), {"kind": "perceptron"}, training={"seed": 1})
    assert job["stop_reason"] == "converged"
    assert job["training"] == {
        "optimizer": {"name": "sgd", "learning_rate": 1.0},
        "epochs": 100, "validation_fraction": 0.0, "seed": 1, "dtype": "float64",
    }  # fmt: skip
    epochs = epochs_of(http, job)
    assert (epochs[-1]["loss"], epochs[-1]["metrics"], job["progress"]["epoch"]) == (0, {"mistakes": 0}, len(epochs))
    assert all(epoch["metrics"]["mistakes"] == 4 * epoch["loss"] for epoch in epochs)
    weights = http.get(f"/v1/models/{job['model_id']}/weights?format=json").json
    ((w1,), (w2,)), (bias,) = weights["layers.0.weight"], weights["layers.0.bias"]
    assert [int(w1 * a + w2 * b + bias >= 0) for a, b in ROWS] == [0, 0, 0, 1]  # inputs stay 0 and 1
    assert labels(http, job) == ["0", "0", "0", "1"]


def test_the_perceptron_never_converges_on_xor_and_stores_the_best_weights(http: Client, work: Work) -> None:
    job = train(http, work, sample(http, "xor"), {"kind": "perceptron"}, training={"epochs": 50, "seed": 3})
    assert (job["status"], job["stop_reason"], job["progress"]["epoch"]) == ("succeeded", "epochs", 50)
    mistakes = [epoch["metrics"]["mistakes"] for epoch in epochs_of(http, job)]
    assert min(mistakes) >= 1
    assert read_model(http, job)["metrics"]["mistakes"] == min(mistakes)


def test_three_classes_have_a_perceptron_each(http: Client, work: Work, iris: str) -> None:
    job = train(http, work, iris, {"kind": "perceptron"}, target="species", training={"seed": 1})
    model = read_model(http, job)
    assert (job["network"], model["parameters"]) == ({"kind": "perceptron", "outputs": 3}, (4 + 1) * 3)
    assert model["validation_metrics"]["loss"] == model["validation_metrics"]["mistakes"] / 30
    assert model["metrics"]["loss"] < 0.05
    assert labels(http, job, [[5.1, 3.5, 1.4, 0.2], [6.3, 3.3, 6.0, 2.5]]) == ["setosa", "virginica"]


def test_a_perceptron_accepts_categories_booleans_and_missing_values_and_is_deterministic(
    http: Client, work: Work
) -> None:
    dataset = upload(http, MIXED)
    spec = {"target": "who", "features": ["a", "b", "size", "word", "gap"], "training": {"seed": 5, "epochs": 7}}
    first, second = (train(http, work, dataset, {"kind": "perceptron"}, **spec) for _ in range(2))
    assert read_model(http, first)["sha256"] == read_model(http, second)["sha256"]
    assert labels(http, first, [[0, "yes", 2, "u", None], [1, None, 3, "new", 1]]) == ["a", "b"]


def test_rows_without_a_target_are_left_out(http: Client, work: Work) -> None:
    dataset = upload(http, "x1,x2,y\n0,0,0\n0,1,\n1,0,1\n1,1,1\n")
    job = train(http, work, dataset, {"kind": "mcculloch_pitts"})
    assert epochs_of(http, job)[0]["metrics"] == {"mistakes": 0}
    assert labels(http, job)[2:] == ["1", "1"]


def test_a_truth_table_may_have_validation_rows(http: Client, work: Work) -> None:
    dataset = upload(http, "x1,x2,y\n" + "0,0,0\n0,1,1\n1,0,1\n1,1,0\n" * 5)
    job = train(http, work, dataset, {"kind": "perceptron_network"}, training={"validation_fraction": 0.25, "seed": 2})
    last = epochs_of(http, job)[-1]
    assert job["stop_reason"] == "converged"
    assert (last["validation_loss"], last["validation_metrics"]) == (0, {"mistakes": 0})
    whole = train(http, work, dataset, {"kind": "perceptron_network"})
    assert (whole["training"]["validation_fraction"], epochs_of(http, whole)[-1]["validation_loss"]) == (0, None)


def test_a_constant_input_is_used(http: Client, work: Work) -> None:
    job = train(http, work, upload(http, "one,x,y\n1,0,1\n1,1,0\n"), {"kind": "perceptron_network"})
    assert (job["features"], labels(http, job, [[1, 0], [1, 1]])) == (["one", "x"], ["1", "0"])


@pytest.mark.parametrize(
    ("row", "pointer"),
    [([0, 2], "/rows/1/1"), ({"x1": None, "x2": 0}, "/rows/1/x1"), ({"x1": 0.5, "x2": 0}, "/rows/1/x1")],
)
def test_values_that_are_not_boolean_are_rejected_with_their_pointer(
    http: Client, work: Work, row: Any, pointer: str
) -> None:
    job = train(http, work, sample(http, "or"), {"kind": "mcculloch_pitts"})
    good = [0, 1] if isinstance(row, list) else {"x1": 0, "x2": 1}
    rejected = http.post(f"/v1/models/{job['model_id']}/predictions", json={"rows": [good, row]})
    assert rejected_pointers(rejected) == [pointer]
