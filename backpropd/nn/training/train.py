"""Training: `fit`, a generator of `Epoch`. It knows no database, no queue, and no clock but the one it is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd.errors import Diverged, Invalid
from backpropd.nn.feedforward.network import Batch, Network
from backpropd.nn.layout import Array
from backpropd.nn.optimization.optimizers import LBFGS
from backpropd.nn.optimization.schedules import ReduceOnPlateau
from backpropd.nn.training.chunks import max_chunk_epochs
from backpropd.nn.training.engines import Engine, EngineResult, NumpyEngine, Outcome
from backpropd.nn.training.lbfgs import LbfgsEngine, refuse_for_lbfgs
from backpropd.nn.training.numba_engine import NumbaEngine
from backpropd.nn.training.state import State, StopReason
from backpropd.nn.training.training_config import Training

Metrics = Callable[[Array, Array], dict[str, float]]
Clock = Callable[[], float]
LAST_LOOK_ROWS = 128


class Epoch(NamedTuple):
    """What one pass over the training set came to.

    `loss` is the mean over the epoch's batches, each before its step and weighted by its rows;
    `gradient_norm` the mean over the batches of the gradient's L2 norm; `learning_rate` that of the first step. The
    other figures are those of theta at the epoch's end, with `LBFGS` these two also; metrics are empty in epochs that
    have none.
    """

    epoch: int  # from 1
    loss: float
    validation_loss: float | None
    metrics: dict[str, float]
    validation_metrics: dict[str, float] | None
    gradient_norm: float
    learning_rate: float
    stop_reason: StopReason | None


def fit(
    network: Network,
    training_set: Batch,
    validation_set: Batch | None,
    training: Training,
    state: State,
    *,
    metrics: Metrics | None = None,
    interrupt: NDArray[np.int8] | None = None,
    clock: Clock | None = None,
) -> Iterator[Epoch]:
    """Train until the epochs are over or something ends the run before, epoch after epoch (Bottou 2012).

    `state` is changed in place. Whenever the caller has control it is that of the last epoch yielded, and
    complete: between two epochs, after the end, after an interrupt, and after any exception; its checkpoint
    then resumes the run bit for bit. Set `interrupt[0]` from outside (another thread, a signal) to end the
    generator between two batches, without a half epoch: `state.stop_reason` is then still None, and another
    `fit` goes on from there. `metrics(h, y)` adds figures of its own, from the outputs (n, outputs) and
    targets, on both sets.

    Raises `Diverged` at the end of an epoch whose loss, gradient, parameters, validation loss or metrics are not
    finite, or whose step, the run's last, leaves a loss over the first rows that is not; and `Invalid` for sets that do
    not fit the network.
    """
    run = _Run(network, training_set, validation_set, training, state, metrics, interrupt, clock)
    for chunk in run.chunks(1):
        yield from chunk


def fit_in_chunks(
    network: Network,
    training_set: Batch,
    validation_set: Batch | None,
    training: Training,
    state: State,
    *,
    metrics: Metrics | None = None,
    interrupt: NDArray[np.int8] | None = None,
    clock: Clock | None = None,
) -> Iterator[list[Epoch]]:
    """The epochs of `fit`, the same to the bit, several at a time where nothing must be looked at in between.

    On a small network an epoch takes less time than Python needs for one. The state is that of a chunk's last epoch.
    """
    run = _Run(network, training_set, validation_set, training, state, metrics, interrupt, clock)
    return run.chunks(max_chunk_epochs(len(run.training_set.x)))


class _Run:
    """What the epochs of one run share."""

    def __init__(
        self,
        network: Network,
        training_set: Batch,
        validation_set: Batch | None,
        training: Training,
        state: State,
        metrics: Metrics | None,
        interrupt: NDArray[np.int8] | None,
        clock: Clock | None,
    ) -> None:
        _refuse_nonsense(training, validation_set, clock)
        if isinstance(training.optimizer, LBFGS):
            refuse_for_lbfgs(network.spec, training, len(training_set.x))
        self.network, self.training, self.state, self.metrics, self.clock = network, training, state, metrics, clock
        self.interrupt = np.zeros(1, np.int8) if interrupt is None else interrupt
        self.training_set = network.batch(*training_set)
        self.validation_set = network.batch(*validation_set) if validation_set else None
        self.descent = self._engine()
        if state.epoch == 0:
            state.memory = training.schedule.start()
            if training.path_every:
                state.append_to_path()

    def _engine(self) -> Engine:
        engine: type[NumpyEngine | NumbaEngine | LbfgsEngine] = NumpyEngine
        if isinstance(self.training.optimizer, LBFGS):
            engine = LbfgsEngine
        elif self.training.engine == "numba":
            engine = NumbaEngine
        return engine(self.network, self.training, self.training_set, self.validation_set, self.state)

    def chunks(self, most: int) -> Iterator[list[Epoch]]:
        """Chunk after chunk; an epoch that is looked at is the only one of its chunk."""
        while self.state.stop_reason is None:
            mark = self.state.snapshot()
            try:
                wanted = min(most, self._free_epochs())
                rates = self._rates(wanted)
                descended, seconds = self._descend(wanted, rates)
                done = len(descended.figures)
                if done < wanted:
                    self._draw_again(mark, done)
                epochs = self._close(descended, rates, seconds)
            except BaseException:
                self.state.restore_snapshot(mark)
                raise
            if epochs:
                yield epochs
            if descended.outcome == "diverged":
                raise self._diverged(descended.layer)
            if descended.outcome == "interrupted":
                return

    def _free_epochs(self) -> int:
        """How many epochs can go by before one must be looked at; that one alone if it is the next."""
        training, epoch = self.training, self.state.epoch
        closely = (training.early_stopping, training.target_loss, training.max_seconds)
        if any(each is not None for each in closely) or isinstance(training.schedule, ReduceOnPlateau):
            return 1
        if any(layer.dropout for layer in self.network.spec.layers):
            return 1  # dropout draws while it trains, so that the orders of later epochs are not known yet
        until = [training.epochs - epoch - 1]
        if self.metrics:
            until.append(0 if epoch == 0 else training.metrics_every - epoch % training.metrics_every - 1)
        if training.path_every:
            until.append(training.path_every - epoch % training.path_every - 1)
        return max(min(until), 1)

    def _rates(self, count: int) -> Array:
        """The learning rates of the next epochs' steps (count, steps_per_epoch)."""
        rates = np.empty((count, self.descent.steps_per_epoch))
        for number, out in enumerate(rates):
            self.training.schedule.rates(
                self.training.optimizer.learning_rate,
                self.state.epoch + 1 + number,
                self.descent.steps_per_epoch,
                self.training.epochs,
                out,
                self.state.memory,
            )
        return rates

    def _descend(self, count: int, rates: Array) -> tuple[EngineResult, float]:
        """Run so many epochs; how long they took, too."""
        rows = len(self.training_set.x)
        orders = np.empty((count, rows), np.intp)
        for order in orders:
            order[:] = np.arange(rows) if self.descent.steps_per_epoch == 1 else self.state.rng.permutation(rows)
        began = self.clock() if self.clock else 0.0
        descended = self.descent.run(orders, rates, self.interrupt)
        return descended, self.clock() - began if self.clock else 0.0

    def _draw_again(self, mark: dict[str, Any], done: int) -> None:
        """Bring the generator to where it was after `done` epochs, for the orders were drawn ahead."""
        self.state.rng.bit_generator.state = mark["rng"]
        if done and self.descent.steps_per_epoch > 1:
            for _ in range(done):
                self.state.rng.permutation(len(self.training_set.x))

    def _close(self, descended: EngineResult, rates: Array, seconds: float) -> list[Epoch]:
        """Make the chunk's epochs; the last of them may be one that is looked at."""
        state, figures = self.state, descended.figures
        state.steps += len(figures) * self.descent.steps_per_epoch
        state.seconds += seconds
        epochs = []
        for (loss, norm, validation_loss), rate in zip(figures.tolist(), rates[:, 0].tolist(), strict=False):
            state.epoch += 1
            state.loss, state.gradient_norm = loss, norm
            held_out = validation_loss if self.validation_set else None
            unmeasured: dict[str, float] | None = {} if self.validation_set else None
            epochs.append(Epoch(state.epoch, loss, held_out, {}, unmeasured, norm, rate, None))
        return [*epochs[:-1], self._look(epochs[-1], descended.outcome)] if epochs else []

    def _look(self, epoch: Epoch, outcome: Outcome) -> Epoch:
        """At an epoch's end: is it the last, what are its metrics, is theta one to keep."""
        state, training = self.state, self.training
        monitored = epoch.loss if epoch.validation_loss is None else epoch.validation_loss
        training.schedule.observe(state.memory, monitored)
        reason = self._reason_to_stop(epoch, monitored, outcome)
        every = training.metrics_every
        if self.metrics and (epoch.epoch == 1 or epoch.epoch % every == 0 or reason):
            epoch = self._measured(epoch, self.metrics)
        if training.path_every and (epoch.epoch % training.path_every == 0 or reason):
            state.append_to_path()
        if reason:
            if state.best_theta is not None:
                state.theta[:] = state.best_theta
            # no other epoch will come to see what the last step did; a few rows tell, and a pass over all is dear
            few = Batch(*(None if part is None else part[:LAST_LOOK_ROWS] for part in self.training_set))  # type: ignore[arg-type]
            self._refuse_what_is_not_finite(self.network.evaluate(state.theta, few)[0])
        state.stop_reason = reason
        return epoch._replace(stop_reason=reason)

    def _reason_to_stop(self, epoch: Epoch, monitored: float, outcome: Outcome) -> StopReason | None:
        state, training = self.state, self.training
        stopping = training.early_stopping
        if stopping and epoch.epoch >= stopping.start_epoch:
            watched = epoch.loss if stopping.monitor == "loss" else monitored
            state.observe(watched, min_delta=stopping.min_delta, keep_theta=stopping.restore_best)
        if training.target_loss is not None and monitored <= training.target_loss:
            return "target_loss"
        if outcome == "converged":
            return outcome
        if stopping and state.wait >= stopping.patience:
            return "early_stopping"
        if epoch.epoch >= training.epochs:
            return "epochs"
        if training.max_seconds is not None and state.seconds >= training.max_seconds:
            return "max_seconds"
        return None

    @np.errstate(all="ignore")  # what overflows is found by looking, and raised as Diverged
    def _measured(self, epoch: Epoch, metrics: Metrics) -> Epoch:
        figures = metrics(self.network.predict(self.state.theta, self.training_set.x), self.training_set.y)
        of_validation = None
        if self.validation_set:
            h = self.network.predict(self.state.theta, self.validation_set.x)
            of_validation = metrics(h, self.validation_set.y)
        self._refuse_what_is_not_finite(*figures.values(), *(of_validation or {}).values())
        return epoch._replace(metrics=figures, validation_metrics=of_validation)

    def _refuse_what_is_not_finite(self, *figures: float) -> None:
        if not all(map(math.isfinite, figures)):
            self.state.epoch -= 1  # the epoch that diverged is not done
            raise self._diverged(None)

    def _diverged(self, layer: str | None) -> Diverged:
        """What to tell of a run that diverged in the epoch after the state's."""
        state, optimizer = self.state, self.training.optimizer
        rate = optimizer.learning_rate
        advice = f"The learning_rate is {rate:g}: try {rate / 10:g}"
        if isinstance(optimizer, LBFGS):
            advice = "lbfgs has no learning_rate to lower: scale the inputs and targets, or give an l2"
        where = "behind the output layer, in the loss" if layer is None else f"first in {layer}"
        before = "No epoch came before it"
        if state.epoch and state.loss is not None:
            before = f"The last finite loss was {state.loss:g}, the gradient's norm {state.gradient_norm:g}"
        return Diverged(
            f"training diverged in epoch {state.epoch + 1}: the numbers grew until they were not finite any more, "
            f"{where}. {before}. {advice}",
            epoch=state.epoch + 1,
            layer=layer,
        )


def _refuse_nonsense(training: Training, validation_set: Batch | None, clock: Clock | None) -> None:
    stopping = training.early_stopping
    whole = [training.epochs, training.batch_size, training.metrics_every]
    if min([*whole, stopping.patience if stopping else 1, training.path_every or 1]) < 1:
        raise Invalid("epochs, batch_size, patience, metrics_every and path_every are whole numbers from 1 up")
    if stopping and stopping.monitor == "validation_loss" and validation_set is None:
        raise Invalid("early stopping on the validation_loss needs a validation set: give one, or monitor the loss")
    if training.max_seconds is not None and clock is None:
        raise Invalid("max_seconds needs a clock: pass one, such as time.monotonic")
