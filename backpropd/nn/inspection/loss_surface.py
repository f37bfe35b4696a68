"""The loss on a plane through theta: how the landscape looks from where training ended (Li et al. 2018)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Batch, Network
from backpropd.nn.layout import Array, Layout

MARGIN = 0.25  # of the path's width and height, on every side of it


class Plane(NamedTuple):
    """Two directions (2, parameters) that span the plane, the point x = y = 0 being theta.

    `explained` (2,) are the shares of a path's variance that lie along its principal components, and `path` (m, 2)
    where its points fall on the plane; both are None for directions that know no path.
    """

    directions: Array
    explained: Array | None = None
    path: Array | None = None


def random_plane(layout: Layout, theta: Array, rng: np.random.Generator, path: Array | None = None) -> Plane:
    """Two random directions through theta (size,), filter-normalized (Li et al. 2018, section 4).

    Each unit's incoming weights point anywhere, and are as long as those of theta: a step of 1 changes every unit by
    its own length, so that two networks can be compared whatever the scale of their weights. Biases, scales and shifts
    stay as they are. `path` (m, size) is projected where there is one.
    """
    directions = np.zeros((2, layout.trainable))
    own = layout.views(theta.astype(np.float64))
    for direction in directions:
        for name, view in layout.views(direction).items():
            if name.endswith(".weight"):
                drawn = rng.standard_normal(view.shape)
                view[:] = drawn * np.linalg.norm(own[name], axis=0) / np.linalg.norm(drawn, axis=0)
    return Plane(directions, None, None if path is None else _projected(path, theta, directions))


def path_plane(layout: Layout, theta: Array, path: Array) -> Plane:
    """The first two principal components of the path (m, size) of training (Li et al. 2018, section 7.2).

    They are orthonormal: x and y are distances in the space of the parameters. What layers remember without learning
    it, as batch normalization does, is theta's everywhere. Raises `Invalid` for a path that spans no plane.
    """
    if len(path) < 3 or layout.trainable < 2:
        raise Invalid(
            f"a path of {len(path)} points over {layout.trainable} parameters spans no plane: "
            "train for more epochs, or look along random directions"
        )
    points = path[:, : layout.trainable].astype(np.float64)
    centered = points - points.mean(axis=0)
    _, singular, directions = np.linalg.svd(centered, full_matrices=False)
    total = (singular**2).sum()
    if not total > 0:
        raise Invalid("the path stays in one point, and spans no plane: look along random directions")
    directions = directions[:2]
    return Plane(directions, singular[:2] ** 2 / total, _projected(path, theta, directions))


def _projected(path: Array, theta: Array, directions: Array) -> Array:
    """The coordinates (m, 2) on the plane through theta that is nearest to each point, by least squares."""
    size = directions.shape[1]
    steps = path[:, :size].astype(np.float64) - theta[:size].astype(np.float64)
    nearest: Array = np.linalg.lstsq(directions.T, steps.T, rcond=None)[0].T
    return nearest


def axes(plane: Plane, points: int, span: float) -> tuple[Array, Array]:
    """The grid's coordinates x and y, (points,) each.

    Along principal components they cover the path, with a quarter of its extent around it, `span` times as wide;
    along random directions they run from -span to span.
    """
    if plane.explained is None or plane.path is None:
        x = np.linspace(-span, span, points)
        return x, x.copy()
    low, high = plane.path.min(axis=0), plane.path.max(axis=0)
    reach = np.maximum((high - low) / 2, 0.05 * (high - low).max()) * (1 + 2 * MARGIN) * span
    center = (low + high) / 2
    x, y = np.linspace(center - reach, center + reach, points, axis=1)
    return x, y


def losses(network: Network, theta: Array, batch: Batch, plane: Plane, x: Array, y: Array) -> Array:
    """The mean loss over the rows of `batch` at every point of the grid, (len(y), len(x)); it may be not finite."""
    found = np.empty((len(y), len(x)))
    size = plane.directions.shape[1]
    at = theta.copy()
    for row, up in zip(found, y, strict=True):
        for column, along in enumerate(x):
            at[:size] = theta[:size] + along * plane.directions[0] + up * plane.directions[1]
            row[column] = network.evaluate(at, batch)[0]
    return found
