"""One training run: a resolved spec and a table become epochs, checkpoints and in the end a model."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd import errors, nn
from backpropd.learn import data
from backpropd.learn.build import network_spec, training_of
from backpropd.learn.checkpoint import pack, unpack
from backpropd.learn.data import Encoders, Source
from backpropd.learn.model import Model, metrics_for, report_for
from backpropd.nn import Batch


class Run:
    """A job's training. Made again from the same spec, tables and checkpoint, it goes on bit for bit.

    Randomness comes from the spec's seed alone, as two independent streams: the split, and theta with the shuffling.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        columns: Sequence[Mapping[str, Any]],
        path: Path,
        checkpoint: bytes | None,
        interrupt: NDArray[np.int8],
        *,
        validation: Source | None = None,
        warm_start: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`validation` is the table that `validation_dataset_id` names, `warm_start` the model that the spec names.

        Of a model `encoders`, `weights` and `training_state` are needed, as the store keeps them.
        """
        self.spec, self.interrupt, self.clock = spec, interrupt, clock
        self._last: nn.Epoch | None = None
        splitting, training = np.random.SeedSequence(spec["training"]["seed"]).spawn(2)
        before = Model.load(warm_start["encoders"], warm_start["weights"]) if warm_start else None
        encoders, self.training_set, self.validation_set = data.prepare(
            spec,
            Source(columns, path),
            np.random.default_rng(splitting),
            validation,
            Encoders(before.encoder, before.target) if before else None,
        )
        self.model_so_far = Model(spec, *encoders, [column["name"] for column in columns], {})
        self.network = nn.Network(network_spec(spec, encoders.features.width))
        self.training = training_of(spec["training"], len(self.training_set.x))
        if checkpoint is not None:
            self.state = nn.State.restore(self.network, self.training.optimizer, *unpack(checkpoint))
            return
        self.state = nn.State.start(self.network, self.training.optimizer, np.random.default_rng(training))
        if before and warm_start:
            self.state.theta[:] = before.flat(self.network)
            self._take_over(warm_start["training_state"])

    def _take_over(self, kept: bytes | None) -> None:
        """Go on with what the optimizer remembered, if it was kept and this one would remember the same."""
        if kept is None:
            return
        arrays, meta = unpack(kept)
        same = _but_rate(meta["optimizer"]) == _but_rate(self.spec["training"]["optimizer"])
        if same and arrays["slots"].shape == self.state.slots.shape:  # earlier models of lbfgs have no slots
            self.state.slots[:] = arrays["slots"]
            self.state.steps = meta["steps"]

    @property
    def epoch(self) -> int:
        """How many epochs are done."""
        return self.state.epoch

    @property
    def stop_reason(self) -> str | None:
        """Why training is over, or None while it is not."""
        return self.state.stop_reason

    def epochs(self) -> Iterator[nn.Epoch]:
        """Train, epoch after epoch, from where the state is. Raises `errors.Diverged`."""
        return nn.fit(*self._what_to_fit(), **self._how_to_fit())

    def epoch_chunks(self) -> Iterator[list[nn.Epoch]]:
        """The same epochs, several at a time where nothing must be looked at in between. Raises `errors.Diverged`."""
        for chunk in nn.fit_in_chunks(*self._what_to_fit(), **self._how_to_fit()):
            self._last = chunk[-1]
            yield chunk

    def _what_to_fit(self) -> tuple[nn.Network, Batch, Batch | None, nn.Training, nn.State]:
        return self.network, self.training_set, self.validation_set, self.training, self.state

    def _how_to_fit(self) -> dict[str, Any]:
        return {"metrics": metrics_for(self.model_so_far), "interrupt": self.interrupt, "clock": self.clock}

    def checkpoint(self) -> bytes:
        """All that decides the rest of this run, as it is between two epochs."""
        return pack(self.state.arrays(), self.state.meta())

    def model(self) -> dict[str, Any]:
        """The trained model as the store keeps it."""
        theta = {name: np.ascontiguousarray(view) for name, view in self.network.layout.views(self.state.theta).items()}
        so_far = self.model_so_far
        model = Model(self.spec, so_far.encoder, so_far.target, so_far.columns, theta)
        weights = model.weights()
        held_out, report = None, None
        of_training_set, of_validation_set = self._last_metrics()
        if self.validation_set:
            held_out, report = self._measured("validation", self.validation_set, of_validation_set)
        metrics, of_training = self._measured("training", self.training_set, of_training_set)
        return {
            "task": self.spec["task"],
            "network": self.spec["network"],
            "features": self.spec["features"],
            "target": self.spec["target"],
            "classes": model.classes,
            "parameters": self.network.parameters,
            "metrics": metrics,
            "validation_metrics": held_out,
            "report": report or of_training,
            "encoders": model.to_json(),
            "weights": weights,
            "size": len(weights),
            "sha256": hashlib.sha256(weights).hexdigest(),
            "path": self._path(),
            "training_state": self._training_state(),
        }

    def _last_metrics(self) -> tuple[dict[str, float] | None, dict[str, float] | None]:
        """The metrics of both sets, if the last epoch has them and they are those of the theta that is kept."""
        last = self._last
        if last is None or last.stop_reason is None or self.state.best_theta is not None:
            return None, None
        return last.metrics, last.validation_metrics

    def _measured(
        self, part: str, batch: Batch, known: dict[str, float] | None
    ) -> tuple[dict[str, float], dict[str, Any] | None]:
        """The figures of a part, and its report if it is the one to report on; its metrics if they are not known."""
        loss, h = self.network.evaluate(self.state.theta, self.network.batch(*batch))
        if not np.isfinite(loss):
            raise errors.Diverged(
                f"the loss of the {part} rows is not finite after the last epoch: lower the learning_rate",
                epoch=self.state.epoch,
            )
        figures = {"loss": float(loss), **(known or metrics_for(self.model_so_far)(h, batch.y))}
        if part == "training" and self.validation_set:
            return figures, None
        return figures, {"part": part, **report_for(self.model_so_far, h, batch.y)}

    def _path(self) -> bytes | None:
        """The thetas that training came by, if they were kept."""
        if self.state.path is None:
            return None
        return pack({"path": self.state.path}, {"epochs": self.state.path_epochs})

    def _training_state(self) -> bytes | None:
        """What a warm start takes over beside the parameters, if it is to be kept."""
        training = self.spec["training"]
        if not training.get("keep_optimizer_state"):
            return None
        return pack({"slots": self.state.slots}, {"optimizer": training["optimizer"], "steps": self.state.steps})


def _but_rate(optimizer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in optimizer.items() if name != "learning_rate"}
