"""Whole epochs, compiled: batches gathered, forward, backward, step, validation; the twin of `nn.descent`."""

from __future__ import annotations

import math
from typing import Any

from backpropd.nn.kernels.compilation import compiled_entry_point, kernel_function
from backpropd.nn.kernels.lanes import padded
from backpropd.nn.kernels.layers import backward, forward
from backpropd.nn.kernels.losses import loss_value, output_gradient
from backpropd.nn.kernels.matmul.transposition import transpose_rows_into_lanes
from backpropd.nn.kernels.updates import penalize, update

WENT_WELL, INTERRUPTED, DIVERGED = range(3)


@compiled_entry_point
def train(
    training_set: Any, validation_set: Any, everyone: Any, orders: Any, rates: Any, theta: Any, gradient: Any,
    slots: Any, kept: Any, layers: Any, settings: Any, work: Any, figures: Any, interrupt: Any, rng: Any, steps: int,
) -> tuple[int, int]:  # fmt: skip
    """One epoch for each row of `orders` (epochs, rows): gives how many are complete, and why there are no more.

    The sets are (x, labels, targets, weight), `everyone` the validation rows in their order, `kept` (theta, slots) a
    place for what they were when the epoch under way began, `work` the arrays that `NumbaDescent` makes. `figures`
    (epochs, 3): loss, gradient norm, validation loss. After an interrupt theta and slots are again those of the last
    complete epoch.
    """
    only_look, block, seen = rates[0, :0], work[6].size, work[9]
    for epoch in range(orders.shape[0]):
        kept[0][:] = theta
        kept[1][:] = slots
        outcome = _pass(
            training_set, orders[epoch], settings.batch_size, rates[epoch], theta, gradient, slots, layers, settings,
            work, figures[epoch], interrupt, rng, steps,
        )  # fmt: skip
        if outcome == WENT_WELL and everyone.size:
            outcome = _pass(
                validation_set, everyone, block, only_look, theta, gradient, slots, layers, settings,
                work, seen, interrupt, rng, steps,
            )  # fmt: skip
            figures[epoch, 2] = seen[0]
        if outcome == WENT_WELL and not _all_finite(theta):
            outcome = DIVERGED
        if outcome == INTERRUPTED:
            theta[:] = kept[0]
            slots[:] = kept[1]
        if outcome != WENT_WELL:
            return epoch, outcome
        steps += rates.shape[1]
    return orders.shape[0], WENT_WELL


@kernel_function
def _pass(
    rows_of: Any, order: Any, batch_size: int, rates: Any, theta: Any, gradient: Any, slots: Any, layers: Any,
    settings: Any, work: Any, figures: Any, interrupt: Any, rng: Any, steps: int,
) -> int:  # fmt: skip
    """Over the rows batch by batch, with one step a batch where there are `rates`, else only to look.

    `figures`: the mean loss over the rows, the mean norm of the batches' gradients.
    """
    buffer, above, below, x, labels, targets, share, scratch, in_buffer, _, panel = work
    output = layers[layers.size - 1]
    training = rates.size > 0
    batches = -(-order.size // batch_size)
    total = norms = 0.0
    for number in range(batches):
        if interrupt[0]:
            return INTERRUPTED
        rows = order[number * batch_size : (number + 1) * batch_size]
        n = rows.size
        lanes = padded(n)
        in_buffer[0] = n
        inputs = x[: settings.inputs * lanes]
        _gather(rows_of, rows, lanes, x, labels, targets, share)
        forward(layers, theta, inputs, buffer, lanes, n, scratch, panel, rng, training)
        size = output.fan_out * lanes
        a, h = buffer[output.a : output.a + size], buffer[output.h : output.h + size]
        loss = loss_value(settings, a, h, labels, targets, share[:lanes], n, scratch)
        if training:
            output_gradient(settings, output.activation, a, h, labels, targets, share[:lanes], n, above[:size], scratch)
            backward(layers, theta, inputs, buffer, above, below, gradient, lanes, n, scratch, panel)
            if settings.l1 > 0 or settings.l2 > 0:
                loss += penalize(settings, layers, theta, gradient)
            norms += update(settings, layers, theta, gradient, slots, steps + number + 1, rates[number])
        if not math.isfinite(loss):
            return DIVERGED
        total += loss * n
    figures[0] = total / order.size
    figures[1] = norms / batches
    return WENT_WELL if math.isfinite(figures[1]) else DIVERGED


@kernel_function
def _gather(rows_of: Any, rows: Any, lanes: int, x: Any, labels: Any, targets: Any, share: Any) -> None:
    """The batch: x (inputs, lanes), labels (lanes,), targets (outputs, lanes), shares."""
    source, source_labels, source_targets, weight = rows_of
    n = rows.size
    T = source.dtype.type
    transpose_rows_into_lanes(source, rows, x, lanes)
    if source_targets.shape[1]:
        transpose_rows_into_lanes(source_targets, rows, targets, lanes)
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


@kernel_function
def _all_finite(theta: Any) -> bool:
    total = theta.dtype.type(0)
    for i in range(theta.size):
        total += theta[i] * theta.dtype.type(0)
    finite: bool = total == theta.dtype.type(0)
    return finite
