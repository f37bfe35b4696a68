"""The loss surface: the loss on a plane through theta (Li et al. 2018)."""

from typing import NamedTuple

import numpy as np

from backpropd.errors import Invalid
from backpropd.nn.feedforward.network import Batch, Network
from backpropd.nn.layout import Array, Layout

MARGIN = 0.25  # on each side of the path, as a fraction of its width and height


class Plane(NamedTuple):
    """Two directions (2, parameters) that span the plane, with theta at x = y = 0.

    `explained` (2,) are the fractions of a path's variance along its principal components, None for random directions.
    `path` (m, 2) are the coordinates of its points on the plane, None without a path.
    """

    directions: Array
    explained: Array | None = None
    path: Array | None = None


def random_plane(layout: Layout, theta: Array, rng: np.random.Generator, path: Array | None = None) -> Plane:
    """Two random directions through theta (size,), filter-normalized (Li et al. 2018, section 4).

    The incoming weights of each unit have a random direction and the norm of those in theta: networks can be compared
    whatever the scale of their weights. Biases, scales and shifts do not change. A `path` (m, size) is projected.
    """
    directions = np.zeros((2, layout.trainable))
    weights = layout.views(theta.astype(np.float64))
    for direction in directions:
        for name, view in layout.views(direction).items():
            if name.endswith(".weight"):
                drawn = rng.standard_normal(view.shape)
                view[:] = drawn * np.linalg.norm(weights[name], axis=0) / np.linalg.norm(drawn, axis=0)
    return Plane(directions, None, None if path is None else _projected(path, theta, directions))


def path_plane(layout: Layout, theta: Array, path: Array) -> Plane:
    """The first two principal components of the path (m, size) of training (Li et al. 2018, section 7.2).

    They are orthonormal: x and y are distances in the space of the parameters. Running statistics of batch
    normalization are those of theta everywhere. Raises `Invalid` for a path that spans no plane.
    """
    if len(path) < 3 or layout.trainable < 2:
        raise Invalid(
            f"a path of {len(path)} points over {layout.trainable} parameters spans no plane: "
            "train for more epochs, or use random directions"
        )
    points = path[:, : layout.trainable].astype(np.float64)
    centered = points - points.mean(axis=0)
    _, singular, directions = np.linalg.svd(centered, full_matrices=False)
    total = (singular**2).sum()
    if not total > 0:
        raise Invalid("all points of the path are equal and span no plane: use random directions")
    directions = directions[:2]
    return Plane(directions, singular[:2] ** 2 / total, _projected(path, theta, directions))


def _projected(path: Array, theta: Array, directions: Array) -> Array:
    """The coordinates (m, 2) of the point of the plane nearest to each point of the path, by least squares."""
    size = directions.shape[1]
    steps = path[:, :size].astype(np.float64) - theta[:size].astype(np.float64)
    return np.asarray(np.linalg.lstsq(directions.T, steps.T, rcond=None)[0].T)


def axes(plane: Plane, points: int, span: float) -> tuple[Array, Array]:
    """The coordinates x and y of the grid, (points,) each.

    Along principal components they cover the path with a margin of a quarter of its extent on each side, `span` times
    as wide; along random directions they run from -span to span.
    """
    if plane.explained is None or plane.path is None:
        x = np.linspace(-span, span, points)
        return x, x.copy()
    low, high = plane.path.min(axis=0), plane.path.max(axis=0)
    half_width = np.maximum((high - low) / 2, 0.05 * (high - low).max()) * (1 + 2 * MARGIN) * span
    center = (low + high) / 2
    x, y = np.linspace(center - half_width, center + half_width, points, axis=1)
    return x, y


def losses(network: Network, theta: Array, batch: Batch, plane: Plane, x: Array, y: Array) -> Array:
    """The mean loss over the rows of `batch` at every point of the grid, (len(y), len(x)); some may not be finite."""
    found, point, size = np.empty((len(y), len(x))), theta.copy(), plane.directions.shape[1]
    for i, second in enumerate(y):
        for j, first in enumerate(x):
            point[:size] = theta[:size] + first * plane.directions[0] + second * plane.directions[1]
            found[i, j] = network.evaluate(point, batch)[0]
    return found
