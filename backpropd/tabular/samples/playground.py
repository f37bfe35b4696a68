"""The four generated samples of the TensorFlow Playground (Smilkov and Carter 2016), written from the formulas.

Labels are 0 and 1. `noise` is between 0 and 1, where the playground's slider is between 0 and 50.
"""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Labels = NDArray[np.intp]

ROWS = 500
RADIUS = 5.0
DESCRIPTIONS = {
    "circle": "a disc within a ring",
    "xor": "four quadrants, labelled by the sign of x1·x2",
    "gauss": "two clouds of points",
    "spiral": "two arms of a spiral",
}


def generate(name: str, rows: int, noise: float, rng: np.random.Generator) -> tuple[Points, Labels]:
    """Points (rows, 2) within about [-6, 6]² and their labels (rows,), half of them 1 except for xor."""
    labels = np.arange(rows) % 2
    return {"circle": _circle, "xor": _xor, "gauss": _gauss, "spiral": _spiral}[name](labels, noise, rng)


def _circle(labels: Labels, noise: float, rng: np.random.Generator) -> tuple[Points, Labels]:
    rows = len(labels)
    radius = np.where(labels == 1, rng.uniform(0, 0.5, rows), rng.uniform(0.7, 1, rows)) * RADIUS
    angle = rng.uniform(0, 2 * np.pi, rows)
    points = np.column_stack([radius * np.sin(angle), radius * np.cos(angle)])
    moved = points + rng.uniform(-RADIUS, RADIUS, points.shape) * noise
    return points, (np.hypot(*moved.T) < 0.5 * RADIUS).astype(np.intp)


def _xor(labels: Labels, noise: float, rng: np.random.Generator) -> tuple[Points, Labels]:
    points = rng.uniform(-RADIUS, RADIUS, (len(labels), 2))
    points += np.where(points > 0, 0.3, -0.3)  # a gap between the quadrants
    moved = points + rng.uniform(-RADIUS, RADIUS, points.shape) * noise
    return points, (moved[:, 0] * moved[:, 1] >= 0).astype(np.intp)


def _gauss(labels: Labels, noise: float, rng: np.random.Generator) -> tuple[Points, Labels]:
    variance = 0.5 + 7.0 * noise
    centres = np.where(labels == 1, 2.0, -2.0)[:, None]
    return centres + rng.normal(0, np.sqrt(variance), (len(labels), 2)), labels


def _spiral(labels: Labels, noise: float, rng: np.random.Generator) -> tuple[Points, Labels]:
    distance = (np.arange(len(labels)) // 2) / max(len(labels) // 2, 1)
    angle = 1.75 * distance * 2 * np.pi + np.where(labels == 1, 0, np.pi)
    points = distance[:, None] * RADIUS * np.column_stack([np.sin(angle), np.cos(angle)])
    return points + rng.uniform(-1, 1, points.shape) * noise, labels
