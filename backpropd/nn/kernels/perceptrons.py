"""The perceptron rule, row by row: for perceptrons over real inputs, and for the output of a network of perceptrons."""

import numpy as np

from backpropd.nn.kernels.compilation import compiled_exactly
from backpropd.nn.layout import Array


@compiled_exactly
def learn_rows(x: Array, y: Array, order: Array, weight: Array, bias: Array, rate: np.floating) -> None:
    """The perceptron rule for the rows x (n, inputs), of classes y (n,), whose indices are in `order`."""
    inputs, outputs = weight.shape
    a = np.empty_like(bias)
    for i in order:
        a[:] = bias
        for j in range(inputs):
            for k in range(outputs):
                a[k] += x[i, j] * weight[j, k]
        answered = int(a[0] >= 0) if outputs == 1 else a.argmax()
        if answered == y[i]:
            continue
        for k in range(outputs):
            sign = y[i] - answered if outputs == 1 else int(k == y[i]) - int(k == answered)
            if sign:
                change = rate if sign > 0 else -rate
                bias[k] += change
                for j in range(inputs):
                    weight[j, k] += x[i, j] * change


@compiled_exactly
def learn_units(units: Array, y: Array, order: Array, weight: Array, bias: Array, rate: np.floating) -> None:
    """The perceptron rule where hidden unit units[i] alone fires for row i: h·w is its weight."""
    for i in order:
        fires = weight[units[i]] + bias[0] >= 0
        if fires != y[i]:
            change = -rate if fires else rate
            weight[units[i]] += change
            bias[0] += change
