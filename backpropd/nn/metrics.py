"""Metrics: figures for people, from outputs and targets; every one is finite for finite arrays."""

from __future__ import annotations

import math

import numpy as np

from backpropd.nn.params import Array


def accuracy(h: Array, y: Array) -> float:
    """The share of right answers, 0 to 1.

    For class indices y (n,) the answer is the largest of h (n, classes); for y (n, outputs) of 0 and 1, each
    output answers 1 from one half up.
    """
    right = h.argmax(axis=1) == y if y.ndim == 1 else (h >= 0.5) == (y >= 0.5)
    return float(np.count_nonzero(right) / right.size)


def rmse(h: Array, y: Array) -> float:
    """The root of the mean squared error, in the target's unit; h and y are (n, outputs)."""
    return math.sqrt(np.square(h - y, dtype=np.float64).mean())


def mae(h: Array, y: Array) -> float:
    """The mean absolute error, in the target's unit; h and y are (n, outputs)."""
    return float(np.abs(h - y, dtype=np.float64).mean())


def r2(h: Array, y: Array) -> float:
    """The coefficient of determination 1 - Σ(y - h)² / Σ(y - ȳ)², averaged over the outputs; 1 is best.

    A constant target has no variance to explain: it counts 1 if met exactly, else 0. Draper and Smith 1998,
    Applied Regression Analysis, section 1.3.
    """
    residual = np.square(h - y, dtype=np.float64).sum(axis=0)
    total = np.square(y - y.mean(axis=0, dtype=np.float64)).sum(axis=0)
    # Compared, too, because the rounded mean of equal numbers may differ from them.
    constant = (total == 0) | (y == y[0]).all(axis=0)
    explained = 1 - residual / np.where(constant, 1.0, total)
    return float(np.where(constant, residual == 0, explained).mean())


def classification(h: Array, y: Array) -> dict[str, float]:
    """What an epoch of classification reports: the accuracy."""
    return {"accuracy": accuracy(h, y)}


def regression(h: Array, y: Array) -> dict[str, float]:
    """What an epoch of regression reports: rmse, mae and r2."""
    return {"rmse": rmse(h, y), "mae": mae(h, y), "r2": r2(h, y)}
