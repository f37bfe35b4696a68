"""An ensemble is trained network after network, resumes like everything else, and becomes one network."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.learn import Model, Plan
from backpropd.learn.network_kinds.feedforward import FeedforwardSpec
from backpropd.nn.interrupts import TIME_IS_UP
from backpropd.nn.layout import Array
from tests.learn.learner import Learner, assert_resumes_bit_for_bit, epochs_of, load_model
from tests.learn.test_presets import WAVE, plan, spec

WORDS = "x,z,y\n" + "".join(f"{n % 17},{n % 5},{'abc'[(n % 17) * (n % 5) // 10 % 3]}\n" for n in range(120))
ROWS = [{"x": n % 17, "z": n % 5} for n in range(40)]
TWO_LAYERS = [{"units": 6, "activation": "tanh"}, {"units": 5, "activation": "relu", "use_bias": False}]


def ensemble(learner: Learner, network: dict[str, Any] | None = None, size: int = 3, **training: Any) -> Plan:
    stopping = {"epochs": 6, "early_stopping": {"patience": 6}, "refit": True}
    return plan(learner, "y", network, ensemble_size=size, **{"engine": "numpy", **stopping, **training})


def members_of(planned: Plan) -> list[Plan]:
    """The job of each member alone."""
    size = planned.spec.training.ensemble_size
    alone = replace(planned.spec, training=replace(planned.spec.training, ensemble_size=1))
    return [planned._replace(spec=each) for each in (alone, *map(planned.spec.for_member, range(1, size)))]


def scores(model: Model) -> Array:
    """The outputs for the rows; of classes their logarithms, each less their mean, which are the pre-activations."""
    model_network = model.network
    h = model_network.predict(model.flat_theta(model_network.layout), model.encode(ROWS))
    return h if model.classes is None else np.log(h) - np.log(h).mean(axis=1, keepdims=True)


@pytest.mark.parametrize("table", [WAVE, WORDS], ids=["regression", "classes"])
@pytest.mark.parametrize("network", [{}, {"hidden": TWO_LAYERS}, {"hidden": TWO_LAYERS, "input_scaling": True}])
def test_the_model_is_one_network_with_the_mean_of_the_members_pre_activations(
    tmp_path: Path, table: str, network: dict[str, Any]
) -> None:
    learner = Learner(tmp_path, table)
    planned = ensemble(learner, network)
    made = learner.trained(planned)
    members = [scores(load_model(learner.trained(each))) for each in members_of(planned)]
    np.testing.assert_allclose(scores(load_model(made)), np.mean(members, axis=0), rtol=1e-4, atol=1e-5)
    assert np.abs(members[0] - members[1]).max() > 1e-3
    units = [layer["units"] for layer in planned.spec.to_json()["network"]["hidden"]]
    assert [layer["units"] for layer in made["network"]["hidden"]] == [3 * each for each in units]
    assert made["parameters"] == planned.cost["parameters"] > load_model(made).theta["layers.0.weight"].size


def test_an_ensemble_of_networks_without_hidden_layers_has_their_mean_parameters(tmp_path: Path) -> None:
    learner = Learner(tmp_path, WAVE)
    planned = ensemble(learner, {"hidden": []})
    members = [scores(load_model(learner.trained(each))) for each in members_of(planned)]
    model = load_model(learner.trained(planned))
    assert model.theta["layers.0.weight"].shape == (2, 1)
    np.testing.assert_allclose(scores(model), np.mean(members, axis=0), rtol=1e-4, atol=1e-5)


def test_the_metrics_of_an_ensemble_are_those_of_its_first_network_before_the_refit(tmp_path: Path) -> None:
    learner = Learner(tmp_path, WAVE)
    (one, several) = (learner.trained(ensemble(learner, size=size)) for size in (1, 3))
    for name in ("metrics", "validation_metrics", "report"):
        assert one[name] == several[name]
    assert one["weights"] != several["weights"]


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_an_ensemble_resumes_bit_for_bit_after_each_of_its_epochs(tmp_path: Path, engine: str) -> None:
    learner = Learner(tmp_path, WAVE)
    planned = ensemble(learner, engine=engine)
    whole = learner.run(planned)
    chunks = len(list(whole.epoch_chunks(max_epochs=1)))
    checkpoint = None
    for _ in range(chunks):
        run = learner.run(planned, checkpoint)
        next(run.epoch_chunks(max_epochs=1))
        checkpoint = run.checkpoint()
    assert run.has_ended
    assert run.model() == whole.model()


def test_an_ensemble_resumes_bit_for_bit_in_its_first_network(tmp_path: Path) -> None:
    assert_resumes_bit_for_bit(learner := Learner(tmp_path, WAVE), ensemble(learner), 3)


def test_an_interrupt_ends_a_member_and_a_checkpoint_continues_it(tmp_path: Path) -> None:
    learner = Learner(tmp_path, WAVE)
    planned = ensemble(learner)
    run = learner.run(planned)
    for _ in run.epoch_chunks(max_epochs=1):
        if run.progress > run.epoch * 2 + 1:
            run._inputs.interrupt[0] = 1
    assert not run.has_ended
    run._inputs.interrupt[0] = 0
    resumed = learner.run(planned, run.checkpoint())
    assert list(epochs_of(resumed)) == []
    assert resumed.has_ended
    assert resumed.model() == learner.trained(planned)


def test_members_for_which_no_time_is_left_are_missing_from_the_model_with_a_warning(tmp_path: Path) -> None:
    learner = Learner(tmp_path, WAVE)
    run = learner.run(ensemble(learner, {"hidden": TWO_LAYERS}))
    for _ in run.epoch_chunks(max_epochs=1):
        if run._members.thetas:
            break
    run.end()
    assert run.has_ended
    assert run.model()["network"]["hidden"][0]["units"] == 12
    assert [(note.code, note.pointer) for note in run.notes] == [("ensemble_reduced", "/training/max_seconds")]
    assert "3 networks: the model has 2" in run.notes[0].detail


def test_no_member_begins_when_the_time_is_up(tmp_path: Path) -> None:
    learner = Learner(tmp_path, WAVE)
    planned = ensemble(learner)
    run = learner.run(planned)
    for _ in run.epoch_chunks(max_epochs=1):
        if run.is_refitted:
            run._inputs.interrupt[0] = TIME_IS_UP
    assert run.has_ended
    made = run.model()
    run._inputs.interrupt[0] = 0
    assert made["weights"] == learner.trained(members_of(planned)[0])["weights"]
    assert "3 networks: the model has 1" in run.notes[0].detail


def test_a_member_that_fails_is_missing_from_the_model_with_a_warning_after_a_resume_too(tmp_path: Path) -> None:
    rows = "".join(f"{n},{n % 7},{int(n % 15 == 0)}\n" for n in range(60))
    learner = Learner(tmp_path, "x,y,w\n" + rows)
    reduced = 0
    for seed in range(12):
        planned = ensemble(learner, size=4, seed=seed, sample_weight="w")
        try:
            whole = learner.run(planned)
        except errors.Invalid:
            continue
        chunks, checkpoint = len(list(whole.epoch_chunks(max_epochs=1))), None
        made = whole.model()
        for _ in range(chunks):
            run = learner.run(planned, checkpoint)
            next(run.epoch_chunks(max_epochs=1), None)
            checkpoint = run.checkpoint()
        resumed = learner.run(planned, checkpoint)
        assert list(epochs_of(resumed)) == []
        assert resumed.model()["weights"] == made["weights"]
        assert resumed.notes == whole.notes
        reduced += [(note.code, note.pointer) for note in whole.notes] == [
            ("ensemble_reduced", "/training/ensemble_size")
        ]
    assert reduced


def test_a_warm_start_with_the_body_of_the_models_job_has_its_layers(tmp_path: Path) -> None:
    learner = Learner(tmp_path, WAVE)
    before = learner.trained(plan(learner, "y", epochs=2, early_stopping={"patience": 2}, refit=True, ensemble_size=4))
    again = learner.plan("y", model=before, hidden="auto", network_given=True, epochs=2)
    assert isinstance(again.spec, FeedforwardSpec)
    assert [layer.units for layer in again.spec.network.hidden] == [512]
    assert learner.trained(again, warm_start=before)["network"]["hidden"][0]["units"] == 512


@pytest.mark.parametrize(
    ("network", "training", "reason"),
    [
        ({}, {"refit": False}, "request refit"),
        ({"hidden": [{"units": 4, "activation": "relu", "normalization": "layer"}]}, {}, "normalization"),
    ],
)
def test_an_ensemble_that_cannot_become_one_network_is_rejected(
    tmp_path: Path, network: dict[str, Any], training: dict[str, Any], reason: str
) -> None:
    with pytest.raises(errors.Invalid, match=reason) as caught:
        ensemble(Learner(tmp_path, WAVE), network, **training)
    assert [problem.pointer for problem in caught.value.problems] == ["/training/ensemble_size"]


def test_a_job_without_a_refit_trains_one_network(iris: Learner) -> None:
    for training in ({"epochs": 30}, {"keep_path": True}, {"class_weight": "balanced"}, {"refit": False}):
        assert spec(iris, "species", **training)["training"]["ensemble_size"] == 1


def test_the_memory_of_an_ensemble_is_estimated(iris: Learner) -> None:
    several, one = (plan(iris, "species", ensemble_size=size).cost for size in (4, 1))
    assert several["memory_bytes"] > one["memory_bytes"] + 2 * one["encoded_bytes"]
    assert several["parameters"] > 3 * one["parameters"]
