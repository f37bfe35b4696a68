"""What a request leaves out is the preset's; the refit trains on all rows and resumes like everything else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backpropd import errors
from backpropd.learn import Context, JobRequest, Limits, Plan, resolve
from tests.learn.learner import LIMITS, Learner, assert_resumes_bit_for_bit, epochs_of, load_model

WAVE = "x,z,y\n" + "".join(f"{n % 17},{n % 5},{(n % 17) ** 2 + 3 * (n % 5)}.5\n" for n in range(120))


def plan(learner: Learner, target: str, network: dict[str, Any] | None = None, **training: Any) -> Plan:
    """A job that has only these fields of the network and of training."""
    asked = {"kind": "feedforward", "hidden": "auto", "output_activation": "auto", "initializer": "auto"}
    fields = {"seed": 1, **training}
    request = JobRequest.from_json(target=target, network={**asked, **(network or {})}, training=fields)
    return resolve(request, Context(learner.table, LIMITS))


def spec(learner: Learner, target: str, network: dict[str, Any] | None = None, **training: Any) -> dict[str, Any]:
    return plan(learner, target, network, **training).spec.to_json()


def test_nothing_but_a_target_becomes_the_fast_preset(iris: Learner) -> None:
    found = spec(iris, "species")
    network, training = found["network"], found["training"]
    assert [(layer["units"], layer["activation"]) for layer in network["hidden"]] == [(128, "tanh")]
    assert training["batch_size"] == 8
    assert (network["input_scaling"], network["parametrization"]) == (True, "ntk")
    assert (network["hidden"][0]["initializer"], network["output_initializer"]) == ("lecun_normal", "zeros")
    assert (training["preset"], training["epochs"], training["refit"]) == ("fast", 64, True)
    assert training["ensemble_size"] == 4
    assert training["l2"] == pytest.approx(2 / 120)
    assert training["early_stopping"]["monitor"] == "validation_loss"
    assert training["clip_predictions"] is False


def test_the_best_preset_fits_the_task(iris: Learner, tmp_path: Path) -> None:
    classes, numbers = spec(iris, "species", preset="best"), spec(Learner(tmp_path / "w", WAVE), "y", preset="best")
    for found, activation, rate, smoothing, monitor in (
        (classes, "selu", 0.04, 0.1, "validation_accuracy"),
        (numbers, "mish", 0.07, 0.0, "validation_loss"),
    ):
        training = found["training"]
        assert [(layer["units"], layer["activation"]) for layer in found["network"]["hidden"]] == [
            (256, activation)
        ] * 3
        assert (training["optimizer"]["learning_rate"], training["label_smoothing"]) == (rate, smoothing)
        assert (training["schedule"], training["feature_scaling"]) == ({"name": "coslog4"}, "robust")
        assert (training["early_stopping"]["monitor"], training["early_stopping"]["ties"]) == (monitor, "last")
        assert (training["epochs"], training["refit"], training["ensemble_size"]) == (256, False, 1)
    assert numbers["training"]["clip_predictions"] is True


def test_the_best_preset_has_an_output_for_each_of_two_classes_unless_the_loss_is_requested(tmp_path: Path) -> None:
    learner = Learner(tmp_path / "two", "x,y\n" + "".join(f"{n}.5,{'low' if n < 30 else 'high'}\n" for n in range(60)))
    found = {name: spec(learner, "y", preset=name)["network"] for name in ("fast", "best")}
    assert {name: (each["output_activation"], each["outputs"]) for name, each in found.items()} == {
        "fast": ("logistic", 1),
        "best": ("softmax", 2),
    }
    asked = spec(learner, "y", {"output_activation": "logistic"}, preset="best")
    by_loss = spec(learner, "y", preset="best", loss={"name": "binary_cross_entropy"})
    assert asked["network"]["outputs"] == by_loss["network"]["outputs"] == 1


@pytest.mark.parametrize("training", [{"epochs": 30}, {"early_stopping": None}, {"validation_fraction": 0.0}], ids=str)
def test_named_epochs_are_trained_exactly_as_is_everything_without_early_stopping(
    iris: Learner, training: dict[str, Any]
) -> None:
    planned = plan(iris, "species", **training)
    found = planned.spec.to_json()["training"]
    assert (found["early_stopping"], found["refit"]) == (None, False)
    epochs, _ = iris.train(planned)
    assert len(epochs) == found["epochs"] == training.get("epochs", 64)


def test_a_table_of_many_features_trains_one_network(tmp_path: Path) -> None:
    for features, networks in ((1000, 4), (1001, 1)):
        names = [f"x{n}" for n in range(features)]
        rows = [[*(str((row + n) % 7 + 0.5) for n in range(features)), "ab"[row % 2]] for row in range(30)]
        learner = Learner(tmp_path / str(features), "\n".join(map(",".join, [[*names, "y"], *rows])) + "\n")
        assert spec(learner, "y")["training"]["ensemble_size"] == networks


def test_early_stopping_may_be_requested_beside_epochs(iris: Learner) -> None:
    found = spec(iris, "species", epochs=300, early_stopping={"patience": 5})["training"]
    assert (found["epochs"], found["early_stopping"]["patience"], found["refit"]) == (300, 5, False)


def test_hidden_layers_of_a_request_are_plain_unless_it_names_a_preset(iris: Learner) -> None:
    plain, preset = (spec(iris, "species", {"hidden": [{"units": 8}]}, **each) for each in ({}, {"preset": "fast"}))
    assert (plain["network"]["input_scaling"], plain["network"]["parametrization"]) == (False, "standard")
    assert (plain["training"]["schedule"], plain["training"]["l2"]) == ({"name": "constant"}, 0.0)
    assert plain["training"]["optimizer"]["learning_rate"] == 0.01
    assert (plain["training"]["refit"], plain["training"]["ensemble_size"]) == (True, 1)
    assert [each["training"]["batch_size"] for each in (plain, preset)] == [32, 8]
    assert (preset["network"]["input_scaling"], preset["network"]["parametrization"]) == (True, "ntk")
    assert preset["training"]["schedule"]["name"] == "cosine"


@pytest.mark.parametrize("optimizer", ["sgd", "adadelta", "lbfgs", "adamw"])
def test_every_optimizer_goes_with_the_preset(iris: Learner, optimizer: str) -> None:
    planned = plan(iris, "species", optimizer={"name": optimizer}, early_stopping=None, epochs=20)
    found = planned.spec.to_json()
    assert found["network"]["parametrization"] == ("ntk" if optimizer == "adamw" else "standard")
    assert found["training"]["schedule"] == {"name": "constant"}
    assert iris.trained(planned)["metrics"]["loss"] < 1.1


def refit_plan(learner: Learner, **training: Any) -> Plan:
    """A job with a refit of one network."""
    return plan(learner, "y", ensemble_size=1, **training)


def test_the_refit_is_a_run_over_all_rows_whose_second_half_until_the_best_epoch_is_averaged(tmp_path: Path) -> None:
    learner = Learner(tmp_path, WAVE)
    planned = refit_plan(learner, engine="numpy", metrics_every=1)
    run = learner.run(planned)
    list(epochs_of(run))
    made, plain = run.model(), learner.trained(refit_plan(learner, engine="numpy", refit=False, metrics_every=1))
    assert made["weights"] != plain["weights"]
    names = ("metrics", "validation_metrics", "report")
    assert {name: made[name] for name in names} == {name: plain[name] for name in names}
    whole = learner.run(planned._replace(spec=planned.spec.for_refit()))
    assert (len(whole.training_set.x), whole.validation_set) == (120, None)
    best = run.state.best_epoch or 0
    thetas = [whole.state.theta.astype(float) for epoch in epochs_of(whole) if epoch.epoch <= best][best // 2 :]
    assert len(thetas) > 2
    model = load_model(made)
    np.testing.assert_allclose(model.flat_theta(whole.network.layout), np.mean(thetas, axis=0), rtol=1e-5, atol=1e-7)
    assert model.encoder.to_json() == whole.untrained.encoder.to_json()
    assert model.spec == planned.spec


def test_the_refit_of_a_network_with_batch_normalization_ends_with_its_last_parameters(tmp_path: Path) -> None:
    learner = Learner(tmp_path, WAVE)
    hidden = [{"units": 6, "activation": "relu", "normalization": "batch"}]
    planned = plan(learner, "y", {"hidden": hidden}, engine="numpy")
    run = learner.run(planned)
    list(epochs_of(run))
    whole = learner.run(planned._replace(spec=planned.spec.for_refit()))
    assert next(epoch for epoch in epochs_of(whole) if epoch.epoch == run.state.best_epoch)
    theta = load_model(run.model()).flat_theta(whole.network.layout)
    np.testing.assert_array_equal(theta, whole.state.theta)


def test_after_a_refit_a_model_knows_the_levels_of_the_validation_rows(tmp_path: Path) -> None:
    learner = Learner(tmp_path, "town,y\n" + "".join(f"t{n % 18},{n}.5\n" for n in range(20)))
    run = learner.run(refit_plan(learner))
    levels = [each.levels for each in run.untrained.encoder.column_encoders]
    list(epochs_of(run))
    known = [each.levels for each in load_model(run.model()).encoder.column_encoders]
    assert len(levels[0]) < len(known[0]) == 18


@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_a_job_with_a_refit_resumes_bit_for_bit_even_at_its_end(tmp_path: Path, engine: str) -> None:
    learner = Learner(tmp_path, WAVE)
    assert_resumes_bit_for_bit(learner, refit_plan(learner, engine=engine), 9)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_refit_resumes_bit_for_bit_after_each_of_its_epochs(tmp_path: Path, engine: str, optimizer: str) -> None:
    learner = Learner(tmp_path, WAVE)
    hidden = [{"units": 6, "activation": "relu", "dropout": 0.0 if optimizer == "lbfgs" else 0.1}]
    engine = "numpy" if optimizer == "lbfgs" else engine
    planned = plan(learner, "y", {"hidden": hidden}, engine=engine, optimizer={"name": optimizer})
    whole = learner.run(planned)
    chunks = [chunk for chunk in whole.epoch_chunks(max_epochs=1) if not chunk]
    assert len(chunks) == whole.state.best_epoch
    assert len(chunks) > 2
    checkpoint = None
    for _ in chunks:
        run = learner.run(planned, checkpoint)
        next(chunk for chunk in run.epoch_chunks(max_epochs=1) if not chunk)
        checkpoint = run.checkpoint()
    assert run.has_ended
    assert run.model() == whole.model()


def test_an_interrupt_ends_the_refit_and_a_checkpoint_continues_it(tmp_path: Path) -> None:
    learner = Learner(tmp_path, WAVE)
    planned = refit_plan(learner, engine="numpy")
    run = learner.run(planned)
    chunks = run.epoch_chunks(max_epochs=1)
    for chunk in chunks:
        if not chunk:
            run._inputs.interrupt[0] = 1
    assert (run.stop_reason, run.has_ended, run.progress) == ("epochs", False, run.epoch + 1)
    run._inputs.interrupt[0] = 0
    resumed = learner.run(planned, run.checkpoint())
    assert list(epochs_of(resumed)) == []
    assert resumed.has_ended
    assert resumed.model() == learner.trained(planned)


def test_the_memory_of_a_refit_is_estimated(iris: Learner) -> None:
    network = {"hidden": [{"units": 1}]}
    with_, without = (plan(iris, "species", network, refit=refit).cost for refit in (True, False))
    assert with_["memory_bytes"] > without["memory_bytes"] + without["encoded_bytes"] / 2
    assert with_["encoded_bytes"] == without["encoded_bytes"]


@pytest.mark.parametrize(
    ("training", "reason"),
    [
        ({"epochs": 10}, "without early_stopping"),
        ({"keep_path": True}, "path"),
        ({"keep_optimizer_state": True}, "optimizer's state"),
        ({"class_weight": "balanced"}, "no weights"),
    ],
)
def test_a_refit_that_is_not_possible_is_off_or_if_requested_rejected(
    iris: Learner, training: dict[str, Any], reason: str
) -> None:
    assert spec(iris, "species", **training)["training"]["refit"] is False
    with pytest.raises(errors.Invalid, match=reason) as caught:
        plan(iris, "species", refit=True, **training)
    assert [problem.pointer for problem in caught.value.problems] == ["/training/refit"]


def test_predictions_of_numbers_stay_within_the_range_of_the_training_targets(tmp_path: Path) -> None:
    learner = Learner(tmp_path, WAVE)
    far = [{"x": 1000, "z": 0}, {"x": -1000, "z": 0}]
    for clip, within in ((True, True), (False, False)):
        made = learner.trained(plan(learner, "y", {"hidden": []}, clip_predictions=clip))
        values = [each["value"] for each in load_model(made).predict(far)]
        assert (0.5 <= min(values) <= max(values) <= 16**2 + 12.5) is within


def test_many_rows_have_fewer_epochs_of_larger_batches(iris: Learner) -> None:
    table = iris.table._replace(rows=1_000_000)
    request = JobRequest.from_json(
        target="species",
        network={"kind": "feedforward", "hidden": "auto", "output_activation": "auto", "initializer": "auto"},
        training={},
    )
    training = resolve(request, Context(table, Limits(100, 10**6, 10**10))).spec.to_json()["training"]
    assert (training["epochs"], training["batch_size"], training["refit"]) == (10, 512, False)
