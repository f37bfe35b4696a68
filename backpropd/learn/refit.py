"""What follows the training of a network: its refit on all rows, and the further members of an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from backpropd import errors
from backpropd.nn.layout import Array

if TYPE_CHECKING:
    from backpropd.learn.run import Run

REFIT, MEAN = "refit", "refit_mean"  # arrays of a checkpoint: the refit's own checkpoint, and the mean of its thetas
MEMBER, THETAS = "member", "member_thetas"  # the checkpoint of the member in training, and the thetas of those before
DROPPED = "members_dropped"  # how many of those before have failed


class Refit:
    """A run over all rows, whose encoders know them too, from the same start, for as many epochs as the best one had.

    Its schedule is that of the whole training, so that each epoch has the same rates. The model's parameters are their
    mean after the epochs of its second half (Polyak and Juditsky 1992; Izmailov et al. 2018): it has less of the noise
    of single steps, and depends less on which epoch was the best. Networks with batch normalization have the last ones
    instead, because the running statistics are not those of the mean.
    """

    def __init__(self, start: Callable[[bytes | None], Run], arrays: dict[str, Array]) -> None:
        """`start` makes the run from its checkpoint; the `arrays` of a checkpoint lose those of the refit."""
        checkpoint = arrays.pop(REFIT, None)
        self.run = start(None if checkpoint is None else checkpoint.tobytes())
        self._mean = arrays.pop(MEAN, None)  # of theta, in float64

    @property
    def theta(self) -> Array:
        """The parameters (size,) in the end."""
        theta: Array = self.run.state.theta
        return theta if self._mean is None else self._mean.astype(theta.dtype)

    def epoch_chunks(self, epochs: int) -> Iterator[list[Any]]:
        """Train until `epochs` epochs are finished, in all; each is an empty chunk."""
        chunks = self.run.epoch_chunks(max_epochs=1)
        while self.run.epoch < epochs and next(chunks, None):
            self._average(self.run.epoch - epochs // 2)
            yield []

    def _average(self, counted: int) -> None:
        """Add theta to the mean of `counted` thetas, itself included; the first half of the epochs is not averaged."""
        theta, network = self.run.state.theta, self.run.network
        if counted < 1 or network.layout.size > network.parameters:
            return
        before = np.zeros(theta.shape) if self._mean is None else self._mean
        self._mean = before + (theta - before) / counted

    def arrays(self) -> dict[str, Array]:
        """Its part of a checkpoint."""
        mean = {} if self._mean is None else {MEAN: self._mean}
        return {**mean, REFIT: np.frombuffer(self.run.checkpoint(), np.uint8)} if self.run.epoch else {}


class Members:
    """The members of an ensemble after the first, trained one after the other: each a run with a refit of its own.

    Of a member that has ended only theta is kept. A member whose training fails is dropped.
    """

    def __init__(self, count: int, start: Callable[[int, bytes | None], Run], arrays: dict[str, Array]) -> None:
        """`start` makes the run of a member, 1 to `count`, from its checkpoint; `arrays` lose those of the members."""
        self._start, self.count = start, count
        self.thetas, self.dropped = list(arrays.pop(THETAS, ())), int(arrays.pop(DROPPED, 0))
        checkpoint = arrays.pop(MEMBER, None)
        self._run = None if checkpoint is None else start(self._ended + 1, checkpoint.tobytes())
        self._finished_epochs = 0

    @property
    def has_ended(self) -> bool:
        """Whether all of them are trained or dropped."""
        return self._ended == self.count

    @property
    def _ended(self) -> int:
        return len(self.thetas) + self.dropped

    @property
    def progress(self) -> int:
        """The number of epochs of the members that ended since the checkpoint, and of the one in training."""
        return self._finished_epochs + (self._run.progress if self._run else 0)

    def epoch_chunks(self, max_epochs: int | None, fits: Callable[[], bool]) -> Iterator[list[Any]]:
        """Train on, in empty chunks, as long as another member `fits` into the time."""
        while not self.has_ended:
            if self._run is None and not fits():
                return self.end()
            yield from self._train(max_epochs)
            if self._run is not None:
                return

    def _train(self, max_epochs: int | None) -> Iterator[list[Any]]:
        """Train one member on; in a frame of its own, which holds no ended run while the next one begins."""
        try:
            run = self._run = self._run or self._start(self._ended + 1, None)
            for _ in run.epoch_chunks(max_epochs):
                if run.is_refitted:
                    self.thetas.append(run.theta)
                    self._forget()
                yield []
        except (errors.JobFailed, errors.Invalid):
            self.dropped += 1
            self._forget()

    def _forget(self) -> None:
        self._finished_epochs += self._run.progress if self._run else 0
        self._run = None

    def end(self) -> None:
        """Train no more of them: those that have ended are all."""
        self.count, self._run = self._ended, None

    def arrays(self) -> dict[str, Array]:
        """Their part of a checkpoint."""
        ended = {THETAS: np.array(self.thetas)} if self.thetas else {}
        if self.dropped:
            ended[DROPPED] = np.array(self.dropped)
        return ended if self._run is None else {**ended, MEMBER: np.frombuffer(self._run.checkpoint(), np.uint8)}
