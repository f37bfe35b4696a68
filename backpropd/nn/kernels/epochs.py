"""Whole epochs, compiled: gather a batch, forward, backward, optimizer step, validation."""

import math
from typing import Any

from backpropd.nn.interrupts import TIME_IS_UP
from backpropd.nn.kernels.arguments import Workspace, padded
from backpropd.nn.kernels.compilation import compiled_entry_point, kernel_function
from backpropd.nn.kernels.layers import backward, forward
from backpropd.nn.kernels.losses import loss_value, output_gradient, wrong_rows
from backpropd.nn.kernels.matmul.packing import transpose_rows_into_lanes
from backpropd.nn.kernels.updates import penalize, update

COMPLETE, INTERRUPTED, DIVERGED = range(3)


@compiled_entry_point
def train(
    training_set: Any, validation_set: Any, validation_rows: Any, permutations: Any, rates: Any, theta: Any,
    gradient: Any, slots: Any, snapshot: Any, layers: Any, segments: Any, settings: Any, workspace: Workspace,
    stats: Any, interrupt: Any, rng: Any, steps: int,
) -> tuple[int, int]:  # fmt: skip
    """Train one epoch for each of `permutations` (epochs, rows); return how many are complete, and the outcome.

    A set is (x, labels, targets, weight); `validation_rows` are 0, 1, …; `snapshot` (theta, slots) receives the state
    at the beginning of each epoch. `stats` (epochs, 4): loss, gradient norm, validation loss, validation error rate.
    If interrupted, theta and slots are those of the last complete epoch; `TIME_IS_UP` keeps the steps of the first one.
    """
    no_rates, validation_batch = rates[0, :0], workspace.row_weight.size
    for epoch in range(permutations.shape[0]):
        snapshot[0][:] = theta
        snapshot[1][:] = slots
        outcome = _one_pass(
            training_set, permutations[epoch], settings.batch_size, rates[epoch], theta, gradient, slots, layers,
            segments, settings, workspace, stats[epoch], interrupt, rng, steps,
        )  # fmt: skip
        if outcome == COMPLETE and validation_rows.size:
            outcome = _one_pass(
                validation_set, validation_rows, validation_batch, no_rates, theta, gradient, slots, layers, segments,
                settings, workspace, stats[epoch, 2:], interrupt, rng, steps,
            )  # fmt: skip
        if outcome == COMPLETE and not _all_finite(theta):
            outcome = DIVERGED
        if outcome == INTERRUPTED and not (steps == 0 and interrupt[0] == TIME_IS_UP):
            theta[:] = snapshot[0]
            slots[:] = snapshot[1]
        if outcome != COMPLETE:
            return epoch, outcome
        steps += rates.shape[1]
    return permutations.shape[0], COMPLETE


@kernel_function
def _one_pass(
    data: Any, row_order: Any, batch_size: int, rates: Any, theta: Any, gradient: Any, slots: Any, layers: Any,
    segments: Any, settings: Any, workspace: Workspace, stats: Any, interrupt: Any, rng: Any, steps: int,
) -> int:  # fmt: skip
    """All rows batch by batch, with a step for each batch if there are `rates`.

    `stats`: the mean loss, and the mean gradient norm, or without steps the share of the rows that are wrong.
    """
    inputs, labels, targets, row_weight = workspace.inputs, workspace.labels, workspace.targets, workspace.row_weight
    values, grad_out, scratch = workspace.values, workspace.grad_out, workspace.scratch
    output = layers[layers.size - 1]
    training = rates.size > 0
    batches = -(-row_order.size // batch_size)
    total_loss = total_norm = wrong = 0.0
    for number in range(batches):
        if interrupt[0]:
            return INTERRUPTED
        rows = row_order[number * batch_size : (number + 1) * batch_size]
        n = rows.size
        lanes = padded(n)
        workspace.batch_rows[0] = n
        x, weight = inputs[: settings.inputs * lanes], row_weight[:lanes]
        _gather_batch(data, rows, lanes, inputs, labels, targets, row_weight)
        forward(layers, theta, x, values, lanes, n, scratch, workspace.packed, rng, training)
        size = output.fan_out * lanes
        a, h = values[output.a : output.a + size], values[output.h : output.h + size]
        loss = loss_value(settings, a, h, labels, targets, weight, n, scratch)
        if training:
            output_gradient(settings, output.activation, a, h, labels, targets, weight, n, grad_out[:size], scratch)
            backward(
                layers, theta, x, values, grad_out, workspace.grad_in, gradient, lanes, n, scratch, workspace.packed
            )
            if settings.l1 > 0 or settings.l2 > 0:
                loss += penalize(settings, layers, theta, gradient)
            total_norm += update(settings, layers, segments, theta, gradient, slots, steps + number + 1, rates[number])
        else:
            wrong += wrong_rows(settings, h, labels, targets, lanes, n)
        if not math.isfinite(loss):
            return DIVERGED
        total_loss += loss * n
    stats[0] = total_loss / row_order.size
    stats[1] = total_norm / batches if training else wrong / row_order.size
    return COMPLETE if math.isfinite(stats[1]) else DIVERGED


@kernel_function
def _gather_batch(data: Any, rows: Any, lanes: int, inputs: Any, labels: Any, targets: Any, row_weight: Any) -> None:
    """Copy the rows of a set: x to inputs (inputs, lanes), y to labels (lanes,) or targets (outputs, lanes)."""
    x, class_indices, y, weight = data
    n = rows.size
    T = x.dtype.type
    transpose_rows_into_lanes(x, rows, inputs, lanes)
    if y.shape[1]:
        transpose_rows_into_lanes(y, rows, targets, lanes)
    if class_indices.size:
        for i in range(n):
            labels[i] = class_indices[rows[i]]
    equal_weight = T(1) / T(n)
    for i in range(n):
        row_weight[i] = equal_weight
    if weight.size:
        for i in range(n):
            row_weight[i] *= weight[rows[i]]
    for i in range(n, lanes):
        row_weight[i] = T(0)


@kernel_function
def _all_finite(theta: Any) -> bool:
    """Whether no number is NaN or infinite: 0 · x is zero for all others."""
    total = theta.dtype.type(0)
    for i in range(theta.size):
        total += theta[i] * theta.dtype.type(0)
    return bool(total == theta.dtype.type(0))
