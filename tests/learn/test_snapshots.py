"""Snapshots of a run, and forks: without changes a fork ends with the parent's parameters, bit for bit."""

from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load

from backpropd import errors, nn
from backpropd.learn import Context, Plan, Run, resolve_fork, start_of_fork
from backpropd.learn.checkpoint import unpack
from backpropd.learn.snapshot import Snapshot
from tests.learn.learner import LIMITS, Learner, epochs_of, load_model, weights_of

STOPS = {"patience": 3, "monitor": "loss"}
LAYER = {"units": 6, "activation": "relu"}
SGD = {"name": "sgd", "learning_rate": 0.05}


def finished(learner: Learner, plan: Plan, **others: Any) -> tuple[list[nn.Epoch], Run]:
    """The epochs of a plan, and its run, which has all snapshots."""
    run = learner.run(plan, **others)
    return list(epochs_of(run)), run


def forked(
    learner: Learner, plan: Plan, snapshot: Snapshot, warm_start: dict[str, Any] | None = None, **changes: Any
) -> tuple[Plan, Run]:
    """The plan and the run of a fork, from a snapshot of a run of this plan."""
    context = Context(learner.table, LIMITS, None, warm_start and warm_start["encoders"])
    of_fork = resolve_fork(plan.spec, changes, snapshot.epoch, context)
    start = start_of_fork(snapshot.parameters, snapshot.state, plan.spec, of_fork.spec)
    return of_fork, learner.run(of_fork, start.checkpoint, warm_start)


def assert_every_fork_ends_like_its_parent(learner: Learner, plan: Plan, **others: Any) -> None:
    """A fork without changes from each snapshot has the parent's spec, epochs and model."""
    epochs, parent = finished(learner, plan, **others)
    model = parent.model()
    assert [each.epoch for each in parent.snapshots] == [0, *range(3, parent.epoch + 1, 3)]
    started = [each for each in parent.snapshots if each.epoch < parent.epoch]
    assert len(started) > 1
    for snapshot in started:
        of_fork, run = forked(learner, plan, snapshot, **others)
        assert of_fork.spec == plan.spec
        assert list(epochs_of(run)) == epochs[snapshot.epoch :]
        made = run.model()
        for name in ("sha256", "metrics", "validation_metrics", "path", "training_state"):
            assert made[name] == model[name], name
        later = [each for each in parent.snapshots if each.epoch > snapshot.epoch]
        assert run.snapshots == later  # to the byte: a fork of a fork is one of the parent


OPTIMIZERS = [
    *({"name": name} for name in nn.OPTIMIZERS if name != "lbfgs"),
    {"name": "sgd", "momentum": 0.9, "nesterov": True},
    {"name": "adam", "amsgrad": True},
    {"name": "rmsprop", "momentum": 0.5},
]
SCHEDULES = [{"name": name} for name in nn.SCHEDULES if name not in ("step", "exponential", "reduce_on_plateau")]
SCHEDULES += [
    {"name": "step", "every": 2}, {"name": "exponential", "factor": 0.9},
    {"name": "reduce_on_plateau", "patience": 1, "min_delta": 1.0}, {"name": "cosine", "period": 4},
]  # fmt: skip
OPTIONS: list[dict[str, Any]] = [
    {"dtype": "float64"},
    {"hidden": [{**LAYER, "dropout": 0.3}]},
    {"hidden": [{**LAYER, "normalization": "batch"}]},
    {"early_stopping": STOPS, "epochs": 40},
    {"early_stopping": {**STOPS, "monitor": "validation_accuracy", "start_epoch": 4, "ties": "last"}},
    {"early_stopping": {**STOPS, "restore_best": False}},
    {"target_loss": 0.5},
    {"keep_path": True, "keep_optimizer_state": True},
    {"warmup_epochs": 5, "l1": 1e-4, "l2": 1e-3, "max_norm": 3.0, "gradient_clip_norm": 1.0},
    {"hidden": "auto", "label_smoothing": 0.1},
    {"class_weight": "balanced", "batch_size": "full"},
]


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_a_fork_with_every_optimizer(iris: Learner, optimizer: dict[str, Any], engine: str) -> None:
    plan = iris.plan("species", optimizer=optimizer, engine=engine, epochs=10, snapshots={"every": 3})
    assert_every_fork_ends_like_its_parent(iris, plan)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_fork_with_lbfgs(iris: Learner, dtype: str) -> None:
    plan = iris.plan(
        "species", optimizer={"name": "lbfgs", "history": 4}, dtype=dtype, epochs=20, snapshots={"every": 3}
    )
    assert_every_fork_ends_like_its_parent(iris, plan)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_a_fork_with_every_schedule(iris: Learner, schedule: dict[str, Any]) -> None:
    plan = iris.plan("species", schedule=schedule, epochs=10, snapshots={"every": 3})
    assert_every_fork_ends_like_its_parent(iris, plan)


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_fork_with_every_option_of_training(iris: Learner, options: dict[str, Any], engine: str) -> None:
    plan = iris.plan("species", **{"engine": engine, "epochs": 12, "snapshots": {"every": 3}, **options})
    assert_every_fork_ends_like_its_parent(iris, plan)


def test_a_fork_of_a_warm_start(iris: Learner) -> None:
    before = iris.trained(iris.plan("species", keep_optimizer_state=True))
    plan = iris.plan("species", model=before, epochs=10, snapshots={"every": 3})
    assert_every_fork_ends_like_its_parent(iris, plan, warm_start=before)


@pytest.mark.parametrize("kind", ["perceptron", "perceptron_network"])
def test_a_fork_of_a_threshold_neuron(tmp_path: Any, kind: str) -> None:
    xor = Learner(tmp_path / kind, "a,b,y\n" + "0,0,0\n0,1,1\n1,0,1\n1,1,0\n" * 3)
    training = {"epochs": 10, "seed": 2, "snapshots": {"every": 1}, "optimizer": {"name": "sgd", "learning_rate": 0.3}}
    plan = xor.neuron_plan("y", kind, **training)
    epochs, parent = finished(xor, plan)
    for snapshot in parent.snapshots[:-1]:
        of_fork, run = forked(xor, plan, snapshot)
        assert (of_fork.spec, list(epochs_of(run))) == (plan.spec, epochs[snapshot.epoch :])
        assert run.model()["sha256"] == parent.model()["sha256"]


def test_snapshots_do_not_change_the_model(iris: Learner) -> None:
    for options in ({"engine": "numba", "metrics_every": 50}, {"hidden": [{**LAYER, "dropout": 0.2}]}):
        plain = iris.trained(iris.plan("species", **options))
        run = iris.run(iris.plan("species", snapshots={"every": 7}, **options))
        chunks = list(run.epoch_chunks())  # several epochs at a time, which end where a snapshot is due
        assert [each.epoch for each in run.snapshots] == [0, 7, 14, 21, 28]
        assert {7, 14, 21, 28} <= {chunk[-1].epoch for chunk in chunks}
        assert run.model()["sha256"] == plain["sha256"]


def test_the_last_snapshot_has_the_parameters_of_the_model(iris: Learner) -> None:
    _, run = finished(iris, iris.plan("species", epochs=9, snapshots={"every": 3}))
    assert run.snapshots[-1].parameters == run.model()["weights"]


def test_the_snapshot_of_the_epoch_that_ended_training_is_not_that_of_the_best_one(iris: Learner) -> None:
    stops = {"patience": 30, "start_epoch": 2}
    plan = iris.plan("species", optimizer={**SGD, "learning_rate": 2.0}, early_stopping=stops, snapshots={"every": 1})
    _, run = finished(iris, plan)
    best = run.state.best_epoch
    assert best is not None
    assert best < run.epoch
    assert run.snapshots[best].parameters == run.model()["weights"]
    assert run.snapshots[-1].parameters != run.model()["weights"]
    _, longer = forked(iris, plan, run.snapshots[-1], epochs=33)
    _, whole = finished(iris, iris.plan("species", **{**plan_options(plan), "epochs": 33}))
    assert [each.epoch for each in epochs_of(longer)] == [31, 32, 33]
    assert longer.snapshots[-1] == whole.snapshots[-1]
    assert longer.model()["sha256"] == whole.model()["sha256"]


def plan_options(plan: Plan) -> dict[str, Any]:
    training = plan.spec.to_json()["training"]
    return {
        name: training[name] for name in ("optimizer", "early_stopping", "snapshots", "batch_size", "metrics_every")
    }


def test_other_settings_apply_from_the_fork_on(iris: Learner) -> None:
    plan = iris.plan("species", optimizer=SGD, epochs=10, snapshots={"every": 5}, dtype="float64", batch_size="full")
    _, parent = finished(iris, plan)
    _, run = forked(iris, plan, parent.snapshots[1], optimizer={**SGD, "learning_rate": 0.1}, epochs=6)
    before, network = load(parent.snapshots[1].parameters), parent.network.differentiable
    assert network is not None
    (epoch,) = epochs_of(run)
    assert (epoch.epoch, epoch.learning_rate) == (6, 0.1)
    theta = np.concatenate([before[name].ravel() for name in network.layout.shapes])
    gradient = np.zeros(network.parameters)
    batch = network.batch(*parent.training_set)
    network.loss_and_gradient(network.workspace(theta, gradient, len(batch.x)), batch, np.random.default_rng(0))
    expected = network.layout.views(theta - 0.1 * gradient)
    made = weights_of(run.model())
    assert all(np.allclose(made[name], expected[name], rtol=1e-12) for name in expected)


@pytest.mark.parametrize(
    "optimizer",
    [{"name": "adam"}, {"name": "sgd", "momentum": 0.9}, {"name": "rmsprop"}],
    ids=lambda each: each["name"],
)
def test_another_optimizer_starts_with_empty_vectors(iris: Learner, optimizer: dict[str, Any]) -> None:
    """The fork trains as a new run from the same parameters does, with the same generator."""
    plan = iris.plan("species", optimizer={"name": "adagrad"}, epochs=6, snapshots={"every": 3})
    _, parent = finished(iris, plan)
    of_fork, run = forked(iris, plan, parent.snapshots[1], optimizer=optimizer)
    assert (run.state.steps, run.state.slots.any()) == (0, False)
    assert run.state.slots.shape[0] == of_fork.spec.training.optimizer.slots  # type: ignore[union-attr]
    assert [each.epoch for each in epochs_of(run)] == [4, 5, 6]


def test_lbfgs_takes_over_with_full_batches(iris: Learner) -> None:
    plan = iris.plan("species", optimizer=SGD, epochs=6, snapshots={"every": 3}, hidden=[LAYER])
    _, parent = finished(iris, plan)
    of_fork, run = forked(iris, plan, parent.snapshots[1], optimizer={"name": "lbfgs"}, epochs=30)
    training = of_fork.spec.to_json()["training"]
    assert (training["batch_size"], training["engine"]) == ("full", "numpy")
    losses = [each.loss for each in epochs_of(run)]
    assert losses == sorted(losses, reverse=True)
    adamw, _ = forked(iris, plan, parent.snapshots[1], optimizer={"name": "adamw"})
    assert adamw.spec.to_json()["training"]["weight_decay"] == 0.01


def test_other_early_stopping_has_no_best_epoch_yet(iris: Learner) -> None:
    plan = iris.plan("species", early_stopping=STOPS, epochs=12, snapshots={"every": 3})
    _, parent = finished(iris, plan)
    _, kept = forked(iris, plan, parent.snapshots[2], early_stopping={**STOPS, "patience": 9})
    assert (kept.state.best_epoch, kept.state.best_theta is None) == (6, False)
    for rule in (None, {**STOPS, "min_delta": 0.5}, {**STOPS, "restore_best": False}):
        _, fresh = forked(iris, plan, parent.snapshots[2], early_stopping=rule)
        assert (fresh.state.best_epoch, fresh.state.best_theta, fresh.state.wait) == (None, None, 0)
    _, penalized = forked(iris, plan, parent.snapshots[2], l2=0.5)  # the loss before is another one
    assert penalized.state.best_epoch is None


def test_the_path_of_a_longer_fork_is_thinned_to_its_interval(iris: Learner) -> None:
    plan = iris.plan("species", keep_path=True, epochs=200, snapshots={"every": 100})
    _, parent = finished(iris, plan)
    _, run = forked(iris, plan, parent.snapshots[1], epochs=400)
    list(epochs_of(run))
    assert unpack(run.model()["path"])[1]["epochs"] == [*range(0, 401, 2)]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"seed": 2}, "/training/seed"),
        ({"dtype": "float64"}, "/training/dtype"),
        ({"validation_fraction": 0.5}, "/training/validation_fraction"),
        ({"loss": "squared_error"}, "/training/loss"),
        ({"feature_scaling": "robust"}, "/training/feature_scaling"),
        ({"keep_path": True}, "/training/keep_path"),
        ({"refit": True}, "/training/refit"),
        ({"epochs": 3}, "/training/epochs"),
        ({"batch_size": 1000}, "/training/batch_size"),
    ],
)
def test_a_fork_refuses_what_cannot_change(iris: Learner, changes: dict[str, Any], pointer: str) -> None:
    plan = iris.plan("species", epochs=6, snapshots={"every": 3})
    _, parent = finished(iris, plan)
    with pytest.raises(errors.Invalid) as caught:
        forked(iris, plan, parent.snapshots[1], **changes)
    assert [each.pointer for each in caught.value.problems] == [pointer]


def test_null_and_auto_stand_for_the_parents_value_where_they_do_not_mean_off(iris: Learner) -> None:
    plan = iris.plan("species", epochs=6, snapshots={"every": 3}, target_loss=0.001)
    _, parent = finished(iris, plan)
    unchanged = {"epochs": None, "optimizer": None, "l2": None, "loss": "auto", "seed": 1, "feature_scaling": "auto"}
    assert forked(iris, plan, parent.snapshots[1], **unchanged)[0].spec == plan.spec
    assert forked(iris, plan, parent.snapshots[1], target_loss=None)[0].spec.training.target_loss is None


# ── the interval ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_auto_is_as_many_snapshots_as_fit(iris: Learner) -> None:
    def every(**options: Any) -> int | None:
        return iris.plan("species", snapshots="auto", **options).spec.training.snapshot_every

    assert (every(epochs=30), every(epochs=499), every(epochs=500), every(epochs=5000)) == (1, 1, 2, 11)
    wide = [{"units": 300, "activation": "tanh"}, {"units": 300, "activation": "tanh"}]
    plan = iris.plan("species", snapshots="auto", epochs=200, hidden=wide)
    # 4 x 300 + 300 + 300 x 300 + 300 + 300 x 3 + 3 parameters, three times in float32: of 1,112,436 bytes 15 fit
    assert plan.spec.training.snapshots == {"every": 14}
    assert plan.cost["snapshots"] == 15
    _, run = finished(iris, iris.plan("species", snapshots="auto", epochs=2, hidden=wide))
    real = max(len(each.parameters) + len(each.state) for each in run.snapshots)
    assert real <= plan.cost["snapshot_bytes"] / 15 <= 1.01 * real


def test_too_many_snapshots_are_refused_with_an_interval_that_fits(iris: Learner) -> None:
    with pytest.raises(errors.TooLargeForMemory, match='"every" be 2 or more') as caught:
        iris.plan("species", snapshots={"every": 1}, epochs=10_000)
    assert [each.pointer for each in caught.value.problems] == ["/training/snapshots"]
    assert iris.plan("species", snapshots={"every": 2}, epochs=10_000).cost["snapshots"] == 5001


def test_a_job_with_snapshots_has_no_refit(iris: Learner) -> None:
    with pytest.raises(errors.Invalid, match="its snapshots would not lead to the model"):
        iris.plan("species", snapshots={"every": 3}, refit=True, early_stopping=STOPS)


def test_a_mcculloch_pitts_neuron_has_no_snapshots(tmp_path: Any) -> None:
    table = Learner(tmp_path / "and", "a,b,y\n0,0,0\n0,1,0\n1,0,0\n1,1,1\n")
    with pytest.raises(errors.Invalid, match="no snapshots"):
        table.neuron_plan("y", "mcculloch_pitts", snapshots={"every": 1})


def test_the_model_of_a_fork_predicts(iris: Learner) -> None:
    plan = iris.plan("species", epochs=20, snapshots={"every": 10})
    _, parent = finished(iris, plan)
    _, run = forked(iris, plan, parent.snapshots[1], epochs=40)
    list(epochs_of(run))
    row = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
    assert load_model(run.model()).predict([row])[0]["label"] == "setosa"
