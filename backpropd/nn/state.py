"""The state of a training run: all that a checkpoint must hold for the run to go on as if never stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.network import Network
from backpropd.nn.optim import Optimizer
from backpropd.nn.params import Array

StopReason = Literal["epochs", "early_stopping", "converged"]


@dataclass
class State:
    """Where a run stands after `epoch` epochs. `fit` changes the arrays in place.

    `theta` (P,) are the parameters, `slots` (k, P) the optimizer's vectors after `steps` steps. `loss` is
    that of the last epoch. `best_loss`, `best_epoch`, `best_theta` and `wait`, the epochs since the last
    improvement, belong to early stopping. `rng` is over the bit generator PCG64, as
    `numpy.random.default_rng` makes it.
    """

    theta: Array
    slots: Array
    rng: np.random.Generator
    steps: int = 0
    epoch: int = 0
    loss: float | None = None
    best_loss: float | None = None
    best_epoch: int | None = None
    best_theta: Array | None = None
    wait: int = 0
    stop_reason: StopReason | None = None

    @classmethod
    def start(cls, network: Network, optimizer: Optimizer, rng: np.random.Generator) -> State:
        """A run that has not begun: theta drawn from `rng`, which later shuffles the rows too."""
        theta = network.initialize(rng)
        return cls(theta, np.zeros((optimizer.slots, theta.size), theta.dtype), rng)

    @classmethod
    def restore(
        cls, network: Network, optimizer: Optimizer, arrays: Mapping[str, Array], meta: Mapping[str, Any]
    ) -> State:
        """The state whose `arrays()` and `meta()` these are. Raises `Invalid` if they fit another network."""
        fields = dict(meta)
        bit_generator = np.random.PCG64()
        bit_generator.state = json.loads(fields.pop("rng"))
        shapes = {"theta": (network.parameters,), "slots": (optimizer.slots, network.parameters)}
        shapes["best_theta"] = shapes["theta"]
        for name, array in arrays.items():
            if array.shape != shapes.get(name) or array.dtype != network.spec.dtype:
                raise Invalid(f"{name} {array.dtype}{array.shape} of the checkpoint does not fit this network")
        fields |= {name: array.copy() for name, array in arrays.items()}
        return cls(**fields, rng=np.random.Generator(bit_generator))

    def arrays(self) -> dict[str, Array]:
        """Copies of the arrays by name: theta, slots, and best_theta where there is one."""
        arrays = {"theta": self.theta, "slots": self.slots, "best_theta": self.best_theta}
        return {name: array.copy() for name, array in arrays.items() if array is not None}

    def meta(self) -> dict[str, Any]:
        """All the rest, for JSON. The generator's state is JSON in a string: its integers have 128 bits."""
        names = ("steps", "epoch", "loss", "best_loss", "best_epoch", "wait", "stop_reason")
        return {name: getattr(self, name) for name in names} | {"rng": json.dumps(self.rng.bit_generator.state)}

    def mark(self) -> dict[str, Any]:
        """The state as it is now, to come back to: what `fit` changes in place, as copies."""
        copies = {"theta": self.theta.copy(), "slots": self.slots.copy(), "rng": self.rng.bit_generator.state}
        return vars(self) | copies

    def back_to(self, mark: dict[str, Any]) -> None:
        """Undo all that happened since `mark`; the arrays stay the same arrays."""
        others = dict(mark)
        self.theta[:] = others.pop("theta")
        self.slots[:] = others.pop("slots")
        self.rng.bit_generator.state = others.pop("rng")
        vars(self).update(others)

    def observe(self, loss: float, *, min_delta: float, keep_theta: bool) -> None:
        """Note whether this epoch's loss is the lowest yet, and how long none was lower by `min_delta`."""
        best = float("inf") if self.best_loss is None else self.best_loss
        self.wait = 0 if loss < best - min_delta else self.wait + 1
        if loss < best:
            self.best_loss, self.best_epoch = loss, self.epoch
            if keep_theta:
                self.best_theta = self.theta.copy()
