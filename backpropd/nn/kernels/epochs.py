"""Whole epochs, compiled: batches gathered, forward, backward, step, validation; the twin of `nn.descent`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from backpropd.nn.kernels.compile import LANES, entry, part
from backpropd.nn.kernels.layers import backward, forward
from backpropd.nn.kernels.losses import loss_value, output_gradient
from backpropd.nn.kernels.updates import penalize, update

WENT_WELL, INTERRUPTED, DIVERGED = range(3)


@entry
def train(
    training_set: Any, validation_set: Any, orders: Any, rates: Any, theta: Any, gradient: Any, slots: Any, kept: Any,
    layers: Any, settings: Any, work: Any, figures: Any, interrupt: Any, rng: Any, steps: int,
) -> tuple[int, int]:  # fmt: skip
    """One epoch for each row of `orders` (epochs, rows): gives how many are complete, and why there are no more.

    The sets are (x, labels, targets, weight), `kept` (theta, slots) a place for what they were when the epoch under way
    began, `work` the arrays that `NumbaDescent` makes. `figures` (epochs, 3): loss, gradient norm, validation loss.
    After an interrupt theta and slots are again those of the last complete epoch.
    """
    for epoch in range(orders.shape[0]):
        kept[0][:] = theta
        kept[1][:] = slots
        outcome = _descend(
            training_set, orders[epoch], rates[epoch], theta, gradient, slots, layers, settings, work, figures[epoch],
            interrupt, rng, steps,
        )  # fmt: skip
        if outcome == WENT_WELL and validation_set[0].shape[0]:
            figures[epoch, 2] = _evaluate(validation_set, theta, layers, settings, work, rng)
        if outcome == WENT_WELL and not (math.isfinite(figures[epoch, 2]) and _all_finite(theta)):
            outcome = DIVERGED
        if outcome == INTERRUPTED:
            theta[:] = kept[0]
            slots[:] = kept[1]
        if outcome != WENT_WELL:
            return epoch, outcome
        steps += rates.shape[1]
    return orders.shape[0], WENT_WELL


@part
def _descend(
    rows_of: Any, order: Any, rates: Any, theta: Any, gradient: Any, slots: Any, layers: Any, settings: Any, work: Any,
    figures: Any, interrupt: Any, rng: Any, steps: int,
) -> int:  # fmt: skip
    """One step a batch. `figures`: the mean loss over the rows, the mean norm of the batches' gradients."""
    buffer, above, below, x, labels, targets, share, scratch, in_buffer = work
    output = layers[layers.size - 1]
    total = norms = 0.0
    for number in range(rates.size):
        if interrupt[0]:
            return INTERRUPTED
        rows = order[number * settings.batch_size : (number + 1) * settings.batch_size]
        n = rows.size
        lanes = -(-n // LANES) * LANES
        in_buffer[0] = n
        _gather(rows_of, rows, lanes, x, labels, targets, share)
        forward(layers, theta, x[: settings.inputs * lanes], buffer, lanes, n, scratch, rng, True)
        size = output.fan_out * lanes
        a, h = buffer[output.a : output.a + size], buffer[output.h : output.h + size]
        loss = loss_value(settings, a, h, labels, targets, share[:lanes], n, scratch)
        output_gradient(settings, output.activation, a, h, labels, targets, share[:lanes], n, above[:size], scratch)
        backward(layers, theta, x[: settings.inputs * lanes], buffer, above, below, gradient, lanes, n, scratch)
        if settings.l1 > 0 or settings.l2 > 0:
            loss += penalize(settings, layers, theta, gradient)
        if not math.isfinite(loss):
            return DIVERGED
        total += loss * n
        norms += update(settings, layers, theta, gradient, slots, steps + number + 1, rates[number])
    figures[0] = total / order.size
    figures[1] = norms / rates.size
    return WENT_WELL if math.isfinite(figures[1]) else DIVERGED


@part
def _evaluate(rows_of: Any, theta: Any, layers: Any, settings: Any, work: Any, rng: Any) -> float:
    """The mean loss over the rows as at prediction time, block by block."""
    buffer, _, _, x, labels, targets, share, scratch, in_buffer = work
    output = layers[layers.size - 1]
    count = rows_of[0].shape[0]
    block = share.size
    total = 0.0
    for start in range(0, count, block):
        rows = np.arange(start, min(start + block, count))
        n = rows.size
        lanes = -(-n // LANES) * LANES
        in_buffer[0] = n
        _gather(rows_of, rows, lanes, x, labels, targets, share)
        forward(layers, theta, x[: settings.inputs * lanes], buffer, lanes, n, scratch, rng, False)
        size = output.fan_out * lanes
        a, h = buffer[output.a : output.a + size], buffer[output.h : output.h + size]
        total += n * loss_value(settings, a, h, labels, targets, share[:lanes], n, scratch)
    mean: float = total / count
    return mean


@part
def _gather(rows_of: Any, rows: Any, lanes: int, x: Any, labels: Any, targets: Any, share: Any) -> None:
    """The rows side by side: x (inputs, lanes), labels (lanes,), targets (outputs, lanes), shares (lanes,)."""
    source, source_labels, source_targets, weight = rows_of
    n = rows.size
    T = source.dtype.type
    _lay(source, rows, x, lanes)
    if source_targets.shape[1]:
        _lay(source_targets, rows, targets, lanes)
    if source_labels.size:
        for i in range(n):
            labels[i] = source_labels[rows[i]]
    part = T(1) / T(n)
    for i in range(n):
        share[i] = part
    if weight.size:
        for i in range(n):
            share[i] *= weight[rows[i]]
    for i in range(n, lanes):
        share[i] = T(0)


@part
def _lay(source: Any, rows: Any, out: Any, lanes: int) -> None:
    """Rows (n, width) become lanes (width, lanes), a few at a time, so that whole cache lines are written."""
    n, width = rows.size, source.shape[1]
    for start in range(0, lanes, LANES):
        some = min(LANES, n - start)
        for k in range(width):
            place = out[k * lanes + start : k * lanes + start + LANES]
            for i in range(some):
                place[i] = source[rows[start + i], k]
            for i in range(some, LANES):
                place[i] = source.dtype.type(0)


@part
def _all_finite(theta: Any) -> bool:
    total = theta.dtype.type(0)
    for i in range(theta.size):
        total += theta[i] * theta.dtype.type(0)
    finite: bool = total == theta.dtype.type(0)
    return finite
