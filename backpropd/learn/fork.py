"""What a fork starts from: the state of a snapshot, without the parts that other settings make meaningless."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from backpropd import nn
from backpropd.learn import snapshot
from backpropd.learn.checkpoint import pack
from backpropd.learn.network_kinds.base import ResolvedSpec
from backpropd.learn.network_kinds.feedforward import FeedforwardTraining
from backpropd.learn.snapshot import Snapshot
from backpropd.nn.layout import Array

# What decides which loss is measured: a change makes losses before and after incomparable.
MEASURED = ("l1", "l2", "label_smoothing")


class ForkStart(NamedTuple):
    """The checkpoint that the fork continues from, and the snapshot of the same state."""

    checkpoint: bytes
    snapshot: Snapshot


def start_of_fork(parameters: bytes, state: bytes, before: ResolvedSpec, after: ResolvedSpec) -> ForkStart:
    """From a stored snapshot of a job with the spec `before`, for a fork with the spec `after`.

    With the same spec it is the state of the parent. Another optimizer starts with empty vectors at its first step,
    another schedule with its own memory, other early stopping without a best epoch. Raises `errors.BlobDamaged`.
    """
    arrays, meta, shapes = snapshot.to_state(parameters, state)
    if isinstance(before.training, FeedforwardTraining) and isinstance(after.training, FeedforwardTraining):
        _forget(arrays, meta, before.training, after.training)
    return ForkStart(pack(arrays, meta), snapshot.from_state(arrays, meta, shapes))


def _forget(
    arrays: dict[str, Array], meta: dict[str, Any], before: FeedforwardTraining, after: FeedforwardTraining
) -> None:
    """Remove from a state what does not belong to the training `after`."""
    remeasured = any(getattr(before, name) != getattr(after, name) for name in MEASURED)
    if _is_another(before, after) or (remeasured and after.optimizer.full_batch):
        size, dtype = arrays["slots"].shape[1], after.optimizer.slots_dtype or after.dtype
        arrays["slots"], meta["steps"] = np.zeros((after.optimizer.slots, size), dtype), 0
    if type(before.schedule) is not type(after.schedule):
        meta["memory"] = after.schedule.start()
    if remeasured or _rule(before.early_stopping) != _rule(after.early_stopping):
        arrays.pop("best_theta", None)
        meta.update(best_loss=None, best_epoch=None, wait=0)
    if "path" in arrays:  # with more epochs its interval is longer
        kept = [index for index, epoch in enumerate(meta["path_epochs"]) if epoch % (after.path_every or 1) == 0]
        arrays["path"], meta["path_epochs"] = arrays["path"][kept], [meta["path_epochs"][index] for index in kept]


def _is_another(before: FeedforwardTraining, after: FeedforwardTraining) -> bool:
    """Whether the vectors of the optimizer mean something else: with other rates and factors they do not."""
    one, other = before.optimizer, after.optimizer
    return type(one) is not type(other) or one.slots != other.slots


def _rule(rule: nn.EarlyStopping | None) -> Any:
    """What of early stopping decides which epoch is the best so far: not how long it waits."""
    return rule and (rule.monitor, rule.min_delta, rule.restore_best, rule.start_epoch, rule.ties)
