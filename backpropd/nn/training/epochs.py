"""`Epoch`, and what happens at the end of one: metrics, the path of theta, stopping rules, a check for divergence."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd.errors import Diverged
from backpropd.nn.feedforward.network import Batch, Network
from backpropd.nn.layout import Array
from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.optimizers import Optimizer
from backpropd.nn.training.sample import outputs_in_time
from backpropd.nn.training.state import State, StopReason
from backpropd.nn.training.stopping import stop_reason, update_early_stopping
from backpropd.nn.training.training_config import EarlyStopping, Training

Metrics = Callable[[Array, Array], dict[str, float]]
FINAL_CHECK_ROWS = 128


class Epoch(NamedTuple):
    """The results of one pass over the training set.

    `loss` is the mean over the epoch's batches, each before its step and weighted by its rows; `gradient_norm` the mean
    over the batches of the gradient's L2 norm; `learning_rate` that of the first step. The other numbers are those of
    theta at the epoch's end, with `LBFGS` these two also; metrics are empty in epochs that have none.
    """

    epoch: int  # from 1
    loss: float
    validation_loss: float | None
    metrics: dict[str, float]
    validation_metrics: dict[str, float] | None
    gradient_norm: float
    learning_rate: float
    stop_reason: StopReason | None


class FitRun(NamedTuple):
    """The arguments of one `fit`, the sets in the network's dtype."""

    network: Network
    training_set: Batch
    validation_set: Batch | None
    training: Training
    state: State
    metrics: Metrics | None
    interrupt: NDArray[np.int8]


def record_epochs(run: FitRun, stats: Array, learning_rates: Array) -> list[Epoch]:
    """The epochs, still without metrics, of an engine's `stats` (epochs, 4); the state counts them."""
    state, validated, epochs = run.state, run.validation_set is not None, []
    state.steps += len(stats) * learning_rates.shape[1]
    for (loss, norm, validation_loss, _), rate in zip(stats.tolist(), learning_rates[:, 0].tolist(), strict=False):
        state.epoch += 1
        state.loss, state.gradient_norm = loss, norm
        metrics: tuple[dict[str, float], dict[str, float] | None] = ({}, {} if validated else None)
        epochs.append(Epoch(state.epoch, loss, validation_loss if validated else None, *metrics, norm, rate, None))
    return epochs


def finish_epoch(run: FitRun, epoch: Epoch, error_rate: float, *, converged: bool) -> Epoch:
    """Decide for the last epoch of a chunk whether it ends the run, and add its metrics and its theta if they are due.

    `error_rate` is the share of validation rows that are predicted wrongly after it.

    Raises `Diverged` for metrics, or a loss after the run's last step, that are not finite.
    """
    state, training = run.state, run.training
    monitored = epoch.loss if epoch.validation_loss is None else epoch.validation_loss
    training.schedule.observe(state.memory, monitored)
    if training.early_stopping:
        update_early_stopping(training.early_stopping, state, _watched(epoch, error_rate, training.early_stopping))
    reason = stop_reason(training, state, monitored, converged=converged)
    if run.metrics and (epoch.epoch == 1 or epoch.epoch % training.metrics_every == 0 or reason):
        epoch = _with_metrics(run, epoch, run.metrics)
    if training.path_every and (epoch.epoch % training.path_every == 0 or reason):
        state.append_to_path()
    if reason:
        state.end(reason)
        # no later epoch would notice what the last step did; a few rows show it, and a pass over all is expensive
        rows = Batch(*(None if array is None else array[:FINAL_CHECK_ROWS] for array in run.training_set))  # type: ignore[arg-type]
        _check_finite(run, run.network.evaluate(state.theta, rows)[0])
    return epoch._replace(stop_reason=reason)


def _watched(epoch: Epoch, error_rate: float, stopping: EarlyStopping) -> float:
    """What early stopping minimizes."""
    if stopping.monitor == "validation_accuracy":
        return error_rate
    return epoch.loss if stopping.monitor == "loss" or epoch.validation_loss is None else epoch.validation_loss


@np.errstate(all="ignore")  # overflow is detected afterwards, and raised as Diverged
def _with_metrics(run: FitRun, epoch: Epoch, metrics: Metrics) -> Epoch:
    def measure(batch: Batch) -> dict[str, float]:
        rows, h = outputs_in_time(run.network, run.state.theta, batch, run.interrupt)
        return metrics(h, rows.y)

    training, validation = measure(run.training_set), measure(run.validation_set) if run.validation_set else None
    _check_finite(run, *training.values(), *(validation or {}).values())
    return epoch._replace(metrics=training, validation_metrics=validation)


def _check_finite(run: FitRun, *numbers: float) -> None:
    if not all(map(math.isfinite, numbers)):
        run.state.epoch -= 1  # the epoch that diverged does not count
        raise diverged(run.state, run.training.optimizer, None)


def diverged(state: State, optimizer: Optimizer | LBFGS, layer: str | None) -> Diverged:
    """The error for a run that diverged in the epoch after the state's, first in `layer`."""
    rate, epoch = optimizer.learning_rate, state.epoch + 1
    advice = f"The learning_rate is {rate:g}: try {rate / 10:g}"
    if optimizer.full_batch:
        advice = "lbfgs has no learning_rate to lower: scale the inputs and targets, or add an l2 penalty"
    where = "in the loss, behind the output layer" if layer is None else f"first in {layer}"
    before = "No epoch came before it"
    if state.epoch and state.loss is not None:
        before = f"The last finite loss was {state.loss:g}, with a gradient norm of {state.gradient_norm:g}"
    return Diverged(
        f"training diverged in epoch {epoch}: numbers grew until they were no longer finite, {where}. "
        f"{before}. {advice}",
        epoch=epoch,
        layer=layer,
    )
