"""The state of a training run: all that a checkpoint must contain for the run to continue as if never stopped."""

import json
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Network
from backpropd.nn.layout import Array, Layout
from backpropd.nn.optimization.lbfgs import LBFGS
from backpropd.nn.optimization.optimizers import Optimizer

StopReason = Literal["epochs", "early_stopping", "converged", "target_loss", "max_seconds"]

IN_PLACE = ("theta", "slots")  # engines hold views of these arrays
ARRAYS = (*IN_PLACE, "best_theta", "last_theta", "path")


@dataclass
class State:
    """The state after `epoch` epochs. All fields but `ARRAYS` are stored as JSON.

    `theta` (size,) are the parameters and running statistics of the layers, `slots` (k, P) the optimizer's vectors
    after `steps` steps. `loss` and `gradient_norm` are those of the last epoch. `best_loss`, `best_epoch`, `best_theta`
    and `wait`, the epochs since the last improvement, belong to early stopping, `memory` to the schedule; `seconds`
    is the time of training, by the clock given to `fit`. `last_theta` is that after the last epoch, if the run has
    ended with the best one instead. `path` (m, size) are the thetas after `path_epochs`, if they are recorded. `rng`
    uses the bit generator PCG64, as `numpy.random.default_rng` makes it.
    """

    theta: Array
    slots: Array
    rng: np.random.Generator
    steps: int = 0
    epoch: int = 0
    loss: float | None = None
    gradient_norm: float | None = None
    best_loss: float | None = None
    best_epoch: int | None = None
    best_theta: Array | None = None
    last_theta: Array | None = None
    wait: int = 0
    memory: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    path: Array | None = None
    path_epochs: list[int] = field(default_factory=list)
    stop_reason: StopReason | None = None

    @classmethod
    def start(cls, network: Network, optimizer: Optimizer | LBFGS, rng: np.random.Generator) -> Self:
        """A run before its first epoch: theta is drawn from `rng`, which later shuffles the rows."""
        return cls(network.initialize(rng), _zero_slots(network, optimizer), rng)

    @classmethod
    def restore(
        cls, network: Network, optimizer: Optimizer | LBFGS, arrays: Mapping[str, Array], meta: Mapping[str, Any]
    ) -> Self:
        """The state with these `arrays()` and `meta()`. Raises `Invalid` if they fit another network or optimizer."""
        slots = _zero_slots(network, optimizer)
        if optimizer.full_batch and "solver_numbers" in arrays:  # of SciPy's L-BFGS: continue with an empty history
            arrays = {name: each for name, each in arrays.items() if not name.startswith("solver_")} | {"slots": slots}
        return cls.of(network.layout, network.spec.dtype, slots, arrays, meta)

    @classmethod
    def of(cls, layout: Layout, dtype: str, slots: Array, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> Self:
        """The state from stored arrays; `slots` only gives the expected shape and dtype of the optimizer's."""
        size = (layout.size,)
        shapes = {"theta": size, "best_theta": size, "last_theta": size, "path": (len(meta["path_epochs"]), *size)}
        expected = {name: (shape, np.dtype(dtype)) for name, shape in shapes.items()}
        expected["slots"] = slots.shape, slots.dtype
        for name, array in arrays.items():
            if (array.shape, array.dtype) != expected.get(name):
                raise Invalid(f"{name} {array.dtype}{array.shape} of the checkpoint does not fit this network")
        rng = np.random.Generator(np.random.PCG64())
        rng.bit_generator.state = json.loads(meta["rng"])
        return cls(**{**meta, **{name: array.copy() for name, array in arrays.items()}, "rng": rng})

    def arrays(self) -> dict[str, Array]:
        """Copies of the arrays by name: theta, slots, and the others that are not None."""
        return {name: value.copy() for name, value in vars(self).items() if name in ARRAYS and value is not None}

    def meta(self) -> dict[str, Any]:
        """The other fields, for JSON. The generator's state is JSON in a string: its integers have 128 bits."""
        values = {name: copy(value) for name, value in vars(self).items() if name not in (*ARRAYS, "rng")}
        return {**values, "rng": json.dumps(self.rng.bit_generator.state)}

    def snapshot(self) -> dict[str, Any]:
        """The state as it is now, for `restore_snapshot`: copies of all that `fit` changes in place."""
        copies = {name: copy(getattr(self, name)) for name in (*IN_PLACE, "memory", "path_epochs")}
        return {**vars(self), **copies, "rng": self.rng.bit_generator.state}

    def restore_snapshot(self, snapshot: dict[str, Any]) -> None:
        """Undo all changes since `snapshot`; the generator and the arrays changed in place stay the same objects."""
        for name in IN_PLACE:
            getattr(self, name)[:] = snapshot[name]
        self.rng.bit_generator.state = snapshot["rng"]
        vars(self).update({name: value for name, value in snapshot.items() if name not in (*IN_PLACE, "rng")})

    def end(self, reason: StopReason) -> None:
        """End the run between two epochs: theta becomes the best one, if that is kept."""
        if self.best_theta is not None:
            self.last_theta = self.theta.copy()
            self.theta[:] = self.best_theta
        self.stop_reason = reason

    def append_to_path(self) -> None:
        """Append theta to the path."""
        theta = self.theta[None]
        self.path = theta.copy() if self.path is None else np.concatenate([self.path, theta])
        self.path_epochs.append(self.epoch)

    def record_loss(self, loss: float, *, min_delta: float, keep_theta: bool, last: bool = False) -> None:
        """Update the best loss, and the number of epochs since it last fell by more than `min_delta`.

        With `last` an epoch that equals the best one takes its place.
        """
        best = float("inf") if self.best_loss is None else self.best_loss
        self.wait = 0 if loss < best - min_delta else self.wait + 1
        if loss < best or (last and loss == best):
            self.best_loss, self.best_epoch = loss, self.epoch
            if keep_theta:
                self.best_theta = self.theta.copy()


def _zero_slots(network: Network, optimizer: Optimizer | LBFGS) -> Array:
    return np.zeros((optimizer.slots, network.parameters), optimizer.slots_dtype or network.spec.dtype)
