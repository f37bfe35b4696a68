"""The state of a training run: all that a checkpoint must hold for the run to go on as if never stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Network
from backpropd.nn.layout import Array, Layout
from backpropd.nn.optimization.optimizers import LBFGS, Optimizer

StopReason = Literal["epochs", "early_stopping", "converged", "target_loss", "max_seconds"]

CHANGED_IN_PLACE = ("theta", "slots", "solver_numbers", "solver_integers")
ARRAYS = (*CHANGED_IN_PLACE, "best_theta", "path")
FIELDS = (
    "steps", "epoch", "loss", "gradient_norm", "best_loss", "best_epoch", "wait", "memory", "seconds", "path_epochs",
    "stop_reason",
)  # fmt: skip


@dataclass
class State:
    """Where a run stands after `epoch` epochs. `fit` changes the arrays in place.

    `theta` are the parameters and what the layers remember, `slots` (k, P) the optimizer's vectors after `steps` steps.
    `loss` and `gradient_norm` are those of the last epoch. `best_loss`, `best_epoch`, `best_theta` and `wait`, the
    epochs since the last improvement, belong to early stopping, `memory` to the schedule; `seconds` were spent. `path`
    (m, size) are the thetas after `path_epochs`, where they are kept. `solver_numbers`, float64, and `solver_integers`,
    int32, are what SciPy's solver remembers, with `LBFGS` alone. `rng` is over the bit generator PCG64, as
    `numpy.random.default_rng` makes it.
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
    wait: int = 0
    memory: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    path: Array | None = None
    path_epochs: list[int] = field(default_factory=list)
    solver_numbers: Array | None = None
    solver_integers: Array | None = None
    stop_reason: StopReason | None = None

    @classmethod
    def start(cls, network: Network, optimizer: Optimizer | LBFGS, rng: np.random.Generator) -> State:
        """A run that has not begun: theta drawn from `rng`, which later shuffles the rows too."""
        slots = np.zeros((optimizer.slots, network.parameters), network.spec.dtype)
        return cls(network.initialize(rng), slots, rng, **_solver(network, optimizer))

    @classmethod
    def restore(
        cls, network: Network, optimizer: Optimizer | LBFGS, arrays: Mapping[str, Array], meta: Mapping[str, Any]
    ) -> State:
        """The state whose `arrays()` and `meta()` these are. Raises `Invalid` if they fit another network."""
        solver = _solver(network, optimizer)
        return cls.of(network.layout, optimizer.slots, network.spec.dtype, arrays, meta, solver)

    @classmethod
    def of(
        cls,
        layout: Layout,
        slots: int,
        dtype: str,
        arrays: Mapping[str, Array],
        meta: Mapping[str, Any],
        solver: Mapping[str, Array] | None = None,
    ) -> State:
        """As `restore`, for whatever has such a layout; `solver` are arrays like those that a solver needs."""
        size, solver = (layout.size,), solver or {}
        shapes = {"theta": size, "slots": (slots, layout.trainable), "best_theta": size}
        shapes["path"] = (len(meta["path_epochs"]), *size)
        fitting = {name: (shape, np.dtype(dtype)) for name, shape in shapes.items()}
        fitting |= {name: (array.shape, array.dtype) for name, array in solver.items()}
        for name, array in arrays.items():
            if (array.shape, array.dtype) != fitting.get(name):
                raise Invalid(f"{name} {array.dtype}{array.shape} of the checkpoint does not fit this network")
        if missing := solver.keys() - arrays.keys():
            raise Invalid(f"the checkpoint does not fit this optimizer: it lacks {', '.join(sorted(missing))}")
        fields = dict(meta)
        bit_generator = np.random.PCG64()
        bit_generator.state = json.loads(fields.pop("rng"))
        fields |= {name: array.copy() for name, array in arrays.items()}
        return cls(**fields, rng=np.random.Generator(bit_generator))

    def arrays(self) -> dict[str, Array]:
        """Copies of the arrays by name: theta, slots, and whichever of the others there are."""
        arrays = {name: getattr(self, name) for name in ARRAYS}
        return {name: array.copy() for name, array in arrays.items() if array is not None}

    def meta(self) -> dict[str, Any]:
        """All the rest, for JSON. The generator's state is JSON in a string: its integers have 128 bits."""
        meta = {name: getattr(self, name) for name in FIELDS}
        meta |= {"memory": dict(self.memory), "path_epochs": list(self.path_epochs)}
        return meta | {"rng": json.dumps(self.rng.bit_generator.state)}

    def snapshot(self) -> dict[str, Any]:
        """The state as it is now, to come back to: what `fit` changes in place, as copies."""
        arrays = {name: getattr(self, name) for name in CHANGED_IN_PLACE}
        copies = {name: array.copy() for name, array in arrays.items() if array is not None}
        copies |= {
            "rng": self.rng.bit_generator.state,
            "memory": dict(self.memory),
            "path_epochs": list(self.path_epochs),
        }
        return vars(self) | copies

    def restore_snapshot(self, mark: dict[str, Any]) -> None:
        """Undo all that happened since `mark`; the arrays stay the same arrays."""
        others = dict(mark)
        for name in CHANGED_IN_PLACE:
            kept, array = others.pop(name), getattr(self, name)
            if array is not None:
                array[:] = kept
        self.rng.bit_generator.state = others.pop("rng")
        vars(self).update(others)

    def append_to_path(self) -> None:
        """Add theta as it is now to the path."""
        here = self.theta[None]
        self.path = here.copy() if self.path is None else np.concatenate([self.path, here])
        self.path_epochs.append(self.epoch)

    def observe(self, loss: float, *, min_delta: float, keep_theta: bool) -> None:
        """Note whether this epoch's loss is the lowest yet, and how long none was lower by `min_delta`."""
        best = float("inf") if self.best_loss is None else self.best_loss
        self.wait = 0 if loss < best - min_delta else self.wait + 1
        if loss < best:
            self.best_loss, self.best_epoch = loss, self.epoch
            if keep_theta:
                self.best_theta = self.theta.copy()


def _solver(network: Network, optimizer: Optimizer | LBFGS) -> dict[str, Any]:
    """What a solver remembers before it has begun: zeros, or nothing for an optimizer that has `slots`."""
    if not isinstance(optimizer, LBFGS):
        return {}
    numbers, integers = optimizer.memory(network.parameters)
    return {"solver_numbers": numbers.zeros("float64"), "solver_integers": integers.zeros("int32")}
