"""Schedules: the learning rate of every step, from the base rate and the number of the step.

`rates` fills `out` (steps_per_epoch,), float64, with the rates of one epoch's steps. The only state between epochs is
that of `ReduceOnPlateau`, in the caller's `memory`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
from annotated_types import Ge, Gt, Le

from backpropd.nn.hyperparameter_bounds import Count, NonNegative, OpenFraction, UnitInterval
from backpropd.nn.layout import Array

Memory: TypeAlias = dict[str, float]
"""The state of a schedule between epochs: numbers by name, for JSON."""


@dataclass(frozen=True)
class Schedule(ABC):
    """A factor of the base rate for every step, after `warmup_epochs` of linear rise to it.

    The k-th of n warmup steps has k/n of the base rate (Goyal et al. 2017, section 2.2). The schedule then runs over
    the remaining epochs.
    """

    name: ClassVar[str]
    warmup_epochs: int = field(default=0, kw_only=True)

    def start(self) -> Memory:
        """The memory before the first epoch."""
        return {}

    def observe(self, memory: Memory, loss: float) -> None:  # noqa: B027 - most ignore the loss
        """Update `memory` in place with the loss of an epoch that has ended."""

    def rates(
        self, base: float, epoch: int, steps_per_epoch: int, epochs: int, out: Array, memory: Memory | None = None
    ) -> None:
        """Fill `out` (steps_per_epoch,) with the learning rates of the steps of `epoch` (from 1) of `epochs`."""
        if epoch <= self.warmup_epochs:
            steps = _steps(epoch, steps_per_epoch) + 1
            np.divide(steps, self.warmup_epochs * steps_per_epoch, out)
        else:
            self.factors(epoch - self.warmup_epochs, steps_per_epoch, epochs - self.warmup_epochs, out)
        out *= self.reduced(base, memory)

    def reduced(self, base: float, memory: Memory | None) -> float:
        """The base rate, lowered as the losses so far require."""
        return base

    @abstractmethod
    def factors(self, epoch: int, steps_per_epoch: int, epochs: int, out: Array) -> None:
        """Fill `out` with the factors of the steps of `epoch` of `epochs`, both without the warmup."""


@dataclass(frozen=True)
class Constant(Schedule):
    """The base rate."""

    name = "constant"

    def factors(self, epoch: int, steps_per_epoch: int, epochs: int, out: Array) -> None:
        out.fill(1.0)


@dataclass(frozen=True)
class Step(Schedule):
    """Multiplies the rate by `factor` after every `every` epochs."""

    name = "step"
    every: Count
    factor: OpenFraction = 0.1

    def factors(self, epoch: int, steps_per_epoch: int, epochs: int, out: Array) -> None:
        out.fill(self.factor ** ((epoch - 1) // self.every))


@dataclass(frozen=True)
class Exponential(Schedule):
    """Multiplies the rate by `factor` after every epoch."""

    name = "exponential"
    factor: OpenFraction

    def factors(self, epoch: int, steps_per_epoch: int, epochs: int, out: Array) -> None:
        out.fill(self.factor ** (epoch - 1))


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from 1 down to `minimum_factor` over `period` epochs, step by step, then a restart from 1.

    This is SGDR (Loshchilov and Hutter 2017, eq. 5): each period is `restart_multiplier` times as long as the one
    before. Without a period there is one, the whole run.
    """

    name = "cosine"
    period: Count | None = None
    minimum_factor: UnitInterval = 0.0
    restart_multiplier: Annotated[int, Ge(1), Le(100)] = 1

    def factors(self, epoch: int, steps_per_epoch: int, epochs: int, out: Array) -> None:
        period, done = self.period or epochs, epoch - 1
        if self.restart_multiplier == 1:
            done %= period
        while done >= period:
            done -= period
            period *= self.restart_multiplier
        out[:] = _half_cosine(1.0, self.minimum_factor, (done + np.arange(steps_per_epoch) / steps_per_epoch) / period)


@dataclass(frozen=True)
class Coslog4(Schedule):
    """Four cosine waves from 0 up to 1 and down again, each twice as long: (1 - cos(2π log₂(1 + 15 t))) / 2.

    t is the share of the run's steps that are done (Holzmüller, Grinsztajn, Steinwart 2024, Better by Default).
    """

    name = "coslog4"

    def factors(self, epoch: int, steps_per_epoch: int, epochs: int, out: Array) -> None:
        t = _steps(epoch, steps_per_epoch) / (epochs * steps_per_epoch)
        out[:] = _half_cosine(0.0, 1.0, 2 * np.log2(1 + 15 * t))


@dataclass(frozen=True)
class InverseScaling(Schedule):
    """1 / t^`power` at step t, from 1: Robbins and Monro (1951) require a power above 1/2 and at most 1.

    scikit-learn's `invscaling` is the same formula, with t in rows and one change an epoch.
    """

    name = "inverse_scaling"
    power: Annotated[float, Gt(0), Le(10)] = 0.5

    def factors(self, epoch: int, steps_per_epoch: int, epochs: int, out: Array) -> None:
        out[:] = _steps(epoch, steps_per_epoch) + 1.0
        out **= -self.power


@dataclass(frozen=True)
class OneCycle(Schedule):
    """From 1 up to `maximum_factor` in the first `rising_fraction` of the run's steps, then down to `minimum_factor`.

    Smith and Topin 2017, Super-Convergence, with the half cosines of PyTorch's OneCycleLR, whose max_lr is
    `maximum_factor` times the base rate.
    """

    name = "one_cycle"
    maximum_factor: Annotated[float, Ge(1), Le(1e6)] = 25.0
    rising_fraction: OpenFraction = 0.3
    minimum_factor: UnitInterval = 1e-4

    def factors(self, epoch: int, steps_per_epoch: int, epochs: int, out: Array) -> None:
        step, last = _steps(epoch, steps_per_epoch), epochs * steps_per_epoch - 1
        top = max(self.rising_fraction * (last + 1) - 1, 0.0)
        rising = _half_cosine(1.0, self.maximum_factor, step / max(top, 1e-9))  # a rise of no steps has only step 0
        falling = _half_cosine(self.maximum_factor, self.minimum_factor, (step - top) / max(last - top, 1e-9))
        out[:] = np.where(step <= top, rising, falling)


@dataclass(frozen=True)
class ReduceOnPlateau(Constant):
    """Multiplies the rate by `factor` after `patience` epochs in a row that lowered the loss by at most `min_delta`.

    The rate does not fall below `minimum_rate`. PyTorch's ReduceLROnPlateau is the same with a patience of one less.
    `memory` has the `factor` so far, the epochs since the last improvement (`wait`), and the `best` loss.
    """

    name = "reduce_on_plateau"
    factor: OpenFraction = 0.1
    patience: Count = 10
    min_delta: NonNegative = 0.0
    minimum_rate: NonNegative = 0.0

    def start(self) -> Memory:
        return {"factor": 1.0, "wait": 0}

    def observe(self, memory: Memory, loss: float) -> None:
        if loss < memory.get("best", np.inf) - self.min_delta:
            memory.update(best=loss, wait=0)
        else:
            memory["wait"] += 1
        if memory["wait"] >= self.patience:
            memory.update(factor=memory["factor"] * self.factor, wait=0)

    def reduced(self, base: float, memory: Memory | None) -> float:
        factor = memory["factor"] if memory else 1.0
        return max(base * factor, min(base, self.minimum_rate))


def _steps(epoch: int, steps_per_epoch: int) -> Array:
    """The numbers of the epoch's steps, from 0 at the start of the run."""
    return (epoch - 1) * steps_per_epoch + np.arange(steps_per_epoch)


def _half_cosine(start: float, end: float, progress: Array) -> Array:
    """From `start` to `end` as `progress` goes from 0 to 1."""
    return end + (start - end) / 2 * (1 + np.cos(np.pi * progress))


SCHEDULES: dict[str, type[Any]] = {
    each.name: each
    for each in (Constant, Step, Exponential, Cosine, Coslog4, InverseScaling, OneCycle, ReduceOnPlateau)
}
