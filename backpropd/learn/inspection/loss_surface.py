"""A model's loss on a plane through its parameters, over rows of the table that it was trained on, for JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from backpropd import errors, nn
from backpropd.learn.build import network_spec
from backpropd.learn.checkpoint import unpack
from backpropd.learn.json_arrays import lists
from backpropd.learn.model import Array, Model
from backpropd.nn.inspection.loss_surface import Plane, axes, losses, path_plane, random_plane
from backpropd.tabular import Table

MOST_ROWS = 2000
FEWEST_ROWS = 50
ACTIVATION_COST = 50  # products by BLAS in the time of one activation, at least


def surface(
    model: Model,
    table: Path,
    path: bytes | None,
    *,
    points: int,
    span: float,
    directions: Literal["random", "path"],
    seed: int,
    most_operations: int,
) -> dict[str, Any]:
    """`{"directions", "rows", "x", "y", "loss", "path", "explained"}`: the mean loss at points x points of a plane.

    `loss[j][i]` is that at x[i], y[j], None where it is not finite; the model's own parameters are at (0, 0). `table`
    is the Parquet file of the model's dataset: `rows` rows of it, drawn by the seed, all count alike. `path` is what
    training kept of its way, if it did: `checkpoint.pack({"path": (m, size)}, {"epochs": [...]})`.

    There are 2,000 rows or all, but so few that the whole grid takes no more than `most_operations`: products of a
    weight and a value, an activation being worth fifty. Raises `errors.Conflict` for a model whose loss has no
    surface, or that has no path when its directions are asked for, and `errors.Invalid` for a path that spans no
    plane, or a grid that would leave fewer than 50 rows.
    """
    if model.spec["network"]["kind"] != "feedforward":
        raise errors.Conflict("a neuron with a threshold answers by steps, and has no loss with a slope to look at")
    network = nn.Network(network_spec(model.spec, model.encoder.width))
    theta = np.concatenate([model.theta[name].ravel() for name in network.layout.shapes])
    drawing_rows, drawing_directions = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(2))
    points_of_path, epochs = _kept(path)
    plane = _plane(network, theta, points_of_path, directions, drawing_directions)
    batch = _batch(model, network, table, _most_rows(network, points, most_operations), drawing_rows)
    x, y = axes(plane, points, span)
    return {
        "directions": directions,
        "rows": len(batch.x),
        "x": lists(x),
        "y": lists(y),
        "loss": lists(losses(network, theta, batch, plane, x, y)),
        "path": _on_plane(plane, epochs),
        "explained": None if plane.explained is None else lists(plane.explained),
    }


def _kept(path: bytes | None) -> tuple[Array | None, list[int]]:
    """The thetas of the path (m, size), and the epochs after which they were kept."""
    if path is None:
        return None, []
    arrays, meta = unpack(path)
    return arrays["path"], meta["epochs"]


def _plane(network: nn.Network, theta: Array, path: Array | None, directions: str, rng: np.random.Generator) -> Plane:
    if directions == "random":
        return random_plane(network.layout, theta, rng, path)
    if path is None:
        raise errors.Conflict(
            'the model has no path of its training: train with "keep_path": true, or look along random directions'
        )
    return path_plane(network.layout, theta, path)


def _most_rows(network: nn.Network, points: int, most_operations: int) -> int:
    units = sum(layer.units for layer in network.spec.layers)
    rows = most_operations // (points**2 * (network.parameters + ACTIVATION_COST * units))
    if rows < FEWEST_ROWS:
        raise errors.Invalid(
            f"a grid of {points} x {points} over {FEWEST_ROWS} rows of a network of {network.parameters} parameters "
            f"takes more than {most_operations} operations: ask for fewer points",
            pointer="/points",
        )
    return min(rows, MOST_ROWS)


def _batch(model: Model, network: nn.Network, path: Path, most: int, rng: np.random.Generator) -> nn.Batch:
    """At most so many of the rows that have a target, as they were in training; each counts alike."""
    table = Table.read(path, [*model.spec["target"], *model.spec["features"]])
    rows = table.complete_rows(model.spec["target"])
    drawn = rows[np.sort(rng.permutation(len(rows))[:most])]
    (x,) = model.encoder.transform_subsets(table, [drawn])
    return network.batch(x, model.encode_target(table.take(drawn, model.spec["target"])))


def _on_plane(plane: Plane, epochs: list[int]) -> dict[str, Any] | None:
    if plane.path is None:
        return None
    return {"epochs": epochs, "x": lists(plane.path[:, 0]), "y": lists(plane.path[:, 1])}
