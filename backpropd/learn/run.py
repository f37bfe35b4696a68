"""One training run: a resolved spec and a table become epochs, checkpoints and in the end a model."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backpropd import errors, nn
from backpropd.learn import data, initial_parameters, snapshot
from backpropd.learn.checkpoint import pack, unpack
from backpropd.learn.data import Encoders
from backpropd.learn.json_fields import to_named
from backpropd.learn.model import Model
from backpropd.learn.network_kinds.base import FitInputs, ResolvedSpec
from backpropd.learn.refit import Members, Refit
from backpropd.learn.resolve.plan import JobWarning
from backpropd.learn.snapshot import Snapshot
from backpropd.learn.tables import Source
from backpropd.learn.warm_start import WarmStart, start_from
from backpropd.nn.interrupts import TIME_IS_UP
from backpropd.nn.layout import Array
from backpropd.nn.training.sample import sample


class Run:
    """The training of a job. Created again from the same spec, tables and checkpoint, it continues bit for bit.

    Randomness comes from the spec's seed alone, as two independent streams: the split, and theta with the shuffling.
    A refit, and in an ensemble the further members, are runs of their own, after the training. The model of an ensemble
    is one network, with the hidden layers of all members side by side.
    """

    def __init__(
        self,
        spec: ResolvedSpec,
        source: Source,
        checkpoint: bytes | None,
        interrupt: NDArray[np.int8],
        *,
        validation: Source | None = None,
        warm_start: WarmStart | None = None,
        clock: Callable[[], float] | None = None,
        max_seconds: float | None = None,
    ) -> None:
        """`validation` is the table that `validation_dataset_id` names, `warm_start` the model that the spec names.

        `clock` tells for how many seconds the job has run, this reading of its tables included: training ends when they
        reach the spec's `max_seconds`, or those given here. Without a clock they count from here on.
        """
        self.spec, source = spec, source.with_kinds(spec.kinds)
        validation = validation and validation.with_kinds(spec.kinds)
        split_seed, self._training_seed = np.random.SeedSequence(spec.training.seed).spawn(2)
        before = Model.load(warm_start.encoders, warm_start.weights) if warm_start else None
        known, rng = Encoders(before.encoder, before.target) if before else None, np.random.default_rng(split_seed)
        encoders, self.training_set, self.validation_set = data.prepare(spec, source, rng, validation, known)
        self.untrained = Model(spec, *encoders, list(source.columns), {})
        self.network = self.untrained.network
        arrays, meta = ({}, {}) if checkpoint is None else unpack(checkpoint)
        self._refit: Refit | None = None
        if spec.training.refit and self.validation_set is not None:
            self._refit = Refit(lambda before: Run(spec.for_refit(), source, before, interrupt), arrays)
        further = spec.training.ensemble_size - 1
        self._members = Members(further, lambda n, before: Run(spec.for_member(n), source, before, interrupt), arrays)
        if checkpoint is not None:
            self.state = self.network.restore(arrays, meta)
        else:
            self.state = self.network.start(np.random.default_rng(self._training_seed))
            initial_parameters.start_from(self.network, self.state.theta, spec.network.initial_parameters)
            if before and warm_start:
                optimizer, stored = spec.training.optimizer, warm_start.training_state
                start_from(self.state, self.network.layout, optimizer, before, stored)
        self.snapshots: list[Snapshot] = []
        if checkpoint is None:
            self._take_snapshot()
        self._metrics = spec.metrics(encoders.target)
        if clock:
            self.state.seconds = clock()
        limits = [each for each in (spec.training.max_seconds, max_seconds) if each is not None]
        self._inputs = FitInputs(
            *(self.training_set, self.validation_set, self.state, self._metrics),
            *(interrupt, clock or time.monotonic, min(limits, default=None)),
        )
        self._last: nn.Epoch | None = None
        self._began = self._inputs.clock(), self.state.seconds
        self._pace = 0.0  # seconds for each row in an epoch of the training
        self.notes: list[JobWarning] = []

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""
        return self.state.epoch

    @property
    def progress(self) -> int:
        """The number of finished epochs, with those of the refit and of the further members."""
        return self.state.epoch + (self._refit.run.epoch if self._refit else 0) + self._members.progress

    @property
    def max_seconds(self) -> float:
        """When training ends, in seconds of the run's clock."""
        limit = self._inputs.max_seconds
        return math.inf if limit is None else limit

    @property
    def stop_reason(self) -> str | None:
        """Why training has ended, or None before."""
        return self.state.stop_reason

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to train: neither epochs, nor a refit, nor a member."""
        refitted = self._refit is None or (self.is_refitted and self._members.has_ended)
        return self.state.stop_reason is not None and refitted

    @property
    def is_refitted(self) -> bool:
        """Whether the network was trained again on all rows, for as many epochs as the best one had."""
        ended = self.state.stop_reason is not None and self.state.epoch > 0
        return ended and self._refit is not None and self._refit.run.epoch >= self._best

    @property
    def _best(self) -> int:
        return self.state.best_epoch or 0

    @property
    def theta(self) -> Array:
        """The parameters (size,) of this network in the end: those of the refit, or their mean, if there was one."""
        return self._refit.theta if self._refit else self.state.theta

    def epoch_chunks(self, max_epochs: int | None = None) -> Iterator[list[nn.Epoch]]:
        """Continue from the state, in chunks of at most `max_epochs`; each epoch of the refit is an empty chunk.

        The run's `interrupt` ends the generator between two batches. Raises `errors.JobFailed` and subclasses.
        """
        since, before = self._inputs.clock(), self.epoch
        for chunk in self.network.epoch_chunks(self._inputs, max_epochs):
            self._last = chunk[-1]
            self._take_snapshot()
            yield chunk
        if not self._refit or self.state.stop_reason is None or self.has_ended:
            return
        if epochs := self.epoch - before:
            self._pace = (self._inputs.clock() - since) / epochs / len(self.training_set.x)
        if not self.is_refitted and not self._fits(0, self._best - self._refit.run.epoch):
            self.end()
            return
        yield from self._refit.epoch_chunks(self._best)
        if self.is_refitted:
            yield from self._members.epoch_chunks(max_epochs, lambda: self._fits(self.spec.training.epochs, self._best))

    def _take_snapshot(self) -> None:
        """Add a snapshot to `snapshots` if one is due; the caller stores it with the epochs, and empties the list."""
        every = self.spec.training.snapshot_every
        if every and self.state.epoch % every == 0:
            self.snapshots.append(snapshot.take(self.state, self.network.layout))

    @property
    def _time_limit(self) -> str | None:
        """The pointer to the request's limit of time, None if that of the service is reached first."""
        return "/training/max_seconds" if self._inputs.max_seconds == self.spec.training.max_seconds else None

    def end(self) -> None:
        """End training now, because its time is up: the model is that of the finished epochs, without a refit."""
        if self.state.stop_reason is None:
            if self.state.epoch == 0:
                detail = "the time was up before the first epoch ended: the model has learned from a part of the rows"
                self.notes.append(JobWarning("no_epoch_finished", self._time_limit, detail))
            self.state.end("max_seconds")
        self._members.end()
        if self._refit and not self.is_refitted:
            self._refit = None
            detail = "no time was left to train again on all rows: the model is that of the training rows"
            self.notes.append(JobWarning("refit_skipped", self._time_limit, detail))

    def checkpoint(self) -> bytes:
        """All that determines the rest of this run, between two epochs."""
        refit = self._refit.arrays() if self._refit else {}
        return pack({**self.state.arrays(), **refit, **self._members.arrays()}, self.state.meta())

    def model(self) -> dict[str, Any]:
        """The model, when the run `has_ended`, as the store has it. Raises `errors.JobFailed`.

        After a refit its metrics and its report are those before, because then the validation rows were unseen.
        """
        size, trained, dropped = self.spec.training.ensemble_size, 1 + len(self._members.thetas), self._members.dropped
        if self.is_refitted and trained + dropped < size:
            detail = f"no time was left for all {size} networks: the model has {trained}"
            self.notes.append(JobWarning("ensemble_reduced", self._time_limit, detail))
        elif self.is_refitted and dropped:
            detail = f"{dropped} of {size} networks failed, each on a split of its own: the model has {trained}"
            self.notes.append(JobWarning("ensemble_reduced", "/training/ensemble_size", detail))
        limits = None, self.spec.training.max_seconds
        if self.stop_reason == "max_seconds" and self._inputs.max_seconds not in limits:
            detail = f"the service ends every job after {self.max_seconds:g} s of training, and this one was not done"
            self.notes.append(JobWarning("job_seconds_limit", None, detail))
        spec, model = self.spec, self._trained()
        weights = model.weights()
        return {
            "task": spec.task,
            "network": model.spec.network.describe(self.theta, spec.feature_names),
            "features": spec.features,
            "target": spec.target,
            "classes": model.classes,
            "parameters": model.network.parameters,
            **self._measurements(),
            "encoders": model.to_json(),
            "weights": weights,
            "size": len(weights),
            "sha256": hashlib.sha256(weights).hexdigest(),
            "path": self._path(),
            "training_state": self._training_state(),
        }

    def _trained(self) -> Model:
        """The network of this run with its encoders, or that of all members side by side."""
        last = self._refit.run if self._refit else self
        members = [last.network.layout.views(theta) for theta in (self.theta, *self._members.thetas)]
        if len(members) > 1:
            spec = self.spec.of_model().side_by_side(len(members))
            return replace(last.untrained, spec=spec, theta=nn.side_by_side(members))
        theta = {name: np.ascontiguousarray(view) for name, view in members[0].items()}
        return replace(last.untrained, spec=self.spec.of_model(), theta=theta)

    @property
    def _time_is_up(self) -> bool:
        return bool(self._inputs.interrupt[0] == TIME_IS_UP) or self._seconds_left() <= 0

    def _seconds_left(self) -> float:
        """How long training may still take."""
        since, before = self._began
        return self.max_seconds - before - (self._inputs.clock() - since)

    def _fits(self, epochs: int, again: int) -> bool:
        """Whether there is time for these epochs of the training rows, and of all rows, at the pace of the training."""
        whole = len(self._refit.run.training_set.x) if self._refit else 0
        rows = epochs * len(self.training_set.x) + again * whole
        return not self._time_is_up and self._pace * rows < self._seconds_left()

    def _measurements(self) -> dict[str, Any]:
        """The metrics of both sets, and the report on the validation set, or else on the training set."""
        last, of_training, of_validation = self._last, None, None
        if last and last.stop_reason and self.state.best_theta is None:  # they are those of the final theta
            of_training, of_validation = last.metrics, last.validation_metrics
        metrics, report = self._measure("training", self.training_set, of_training)
        validation_metrics = None
        if self.validation_set:
            validation_metrics, report = self._measure("validation", self.validation_set, of_validation)
        return {"metrics": metrics, "validation_metrics": validation_metrics, "report": report}

    def _measure(
        self, name: str, batch: nn.Batch, known: dict[str, float] | None
    ) -> tuple[dict[str, float], dict[str, Any] | None]:
        """The loss and the metrics of a set, unless they are `known`, and the report on it if it has one."""
        if self._time_is_up:
            batch, known = self._sample(name, batch), None
        loss, h = self.network.evaluate(self.state.theta, batch)
        if not np.isfinite(loss):
            detail = f"the loss of the {name} rows is not finite after the last epoch: lower the learning_rate"
            raise errors.Diverged(detail, epoch=self.state.epoch)
        metrics = {"loss": float(loss), **(known or self._metrics(h, batch.y))}
        reports = name == "validation" or self.validation_set is None
        report = self.spec.report(self.untrained.target, h, batch.y) if reports else None
        return metrics, report and {"part": name, **report}

    def _sample(self, name: str, batch: nn.Batch) -> nn.Batch:
        """As many rows of a set as can be measured in a moment."""
        rows = sample(batch, self.network.parameters)
        if len(rows.x) < len(batch.x):
            detail = f"the time was up: the {name} metrics are those of {len(rows.x)} of {len(batch.x)} rows"
            self.notes.append(JobWarning("measured_on_a_sample", "/training/max_seconds", detail))
        return rows

    def _path(self) -> bytes | None:
        """The path of theta during training, if it was stored."""
        if self.state.path is None:
            return None
        return pack({"path": self.state.path}, {"epochs": self.state.path_epochs})

    def _training_state(self) -> bytes | None:
        """The state of the optimizer for a warm start, if it is to be stored."""
        training = self.spec.training
        if not training.keep_optimizer_state or training.optimizer is None:
            return None
        optimizer = to_named(training.optimizer)
        return pack({"slots": self.state.slots}, {"optimizer": optimizer, "steps": self.state.steps})
