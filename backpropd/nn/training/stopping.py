"""Stopping rules: whether an epoch is the last of its run, and why."""

from backpropd.nn.training.state import State, StopReason
from backpropd.nn.training.training_config import EarlyStopping, Training


def update_early_stopping(stopping: EarlyStopping, state: State, watched: float) -> None:
    """Record what is watched of the state's epoch: the lower, the better."""
    if state.epoch >= stopping.start_epoch:
        last = stopping.ties == "last"
        state.record_loss(watched, min_delta=stopping.min_delta, keep_theta=stopping.restore_best, last=last)


def stop_reason(training: Training, state: State, monitored: float, *, converged: bool) -> StopReason | None:
    """The first rule that ends the run at the state's epoch, or None; `monitored` is the epoch's loss."""
    stopping = training.early_stopping
    if training.target_loss is not None and monitored <= training.target_loss:
        return "target_loss"
    if converged:
        return "converged"
    if stopping and state.wait >= stopping.patience:
        return "early_stopping"
    if state.epoch >= training.epochs:
        return "epochs"
    if training.max_seconds is not None and state.seconds >= training.max_seconds:
        return "max_seconds"
    return None
