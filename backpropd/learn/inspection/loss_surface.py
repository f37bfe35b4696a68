"""A model's loss on a plane through its parameters, over rows of the table that it was trained on, for JSON."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from backpropd import errors, nn
from backpropd.learn.checkpoint import unpack
from backpropd.learn.data import encode_target
from backpropd.learn.inspection.nested_lists import nested_lists
from backpropd.learn.model import Model
from backpropd.nn.inspection.loss_surface import Plane, axes, losses, path_plane, random_plane
from backpropd.nn.layout import Array
from backpropd.tabular import Table, with_kinds

MAX_ROWS = 2000
MIN_ROWS = 50
ACTIVATION_COST = 50  # products by BLAS in the time of one activation, at least


def loss_surface(
    model: Model,
    table: Path,
    path: bytes | None,
    *,
    points: int,
    span: float,
    directions: Literal["random", "path"],
    seed: int,
    max_operations: int,
) -> dict[str, Any]:
    """`{"directions", "rows", "x", "y", "loss", "path", "explained"}`: the mean loss at points x points of a plane.

    `loss[j][i]` is that at x[i], y[j], None where it is not finite; the model's own parameters are at (0, 0). `table`
    is the Parquet file of the model's dataset: `rows` rows of it, drawn by the seed, all with the same weight. `path`
    is what training stored of its way, if it did: `checkpoint.pack({"path": (m, size)}, {"epochs": [...]})`.

    There are 2,000 rows or all, but few enough for the whole grid to take at most `max_operations`: products of a
    weight and a value, an activation being worth fifty. Raises `errors.Conflict` for a model whose loss has no
    surface, or that has no path when its directions are requested, and `errors.Invalid` for a path that spans no
    plane, or a grid that would leave fewer than 50 rows.
    """
    network = model.network.differentiable
    if network is None:
        raise errors.Conflict("the loss of a threshold neuron is a step function: it has no gradient, and no surface")
    max_rows = _max_rows(network, points, max_operations)
    theta = model.flat_theta(network.layout)
    row_rng, direction_rng = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(2))
    arrays, meta = unpack(path) if path else ({}, {})
    plane = _plane(network, theta, arrays.get("path"), directions, direction_rng)
    batch = _batch(model, network, table, max_rows, row_rng)
    x, y = axes(plane, points, span)
    along = None if plane.path is None else dict(zip("xy", nested_lists(plane.path.T), strict=True))
    return {
        "directions": directions,
        "rows": len(batch.x),
        "x": nested_lists(x),
        "y": nested_lists(y),
        "loss": nested_lists(losses(network, theta, batch, plane, x, y)),
        "path": along and {"epochs": meta["epochs"], **along},
        "explained": nested_lists(plane.explained),
    }


def _plane(network: nn.Network, theta: Array, path: Array | None, directions: str, rng: np.random.Generator) -> Plane:
    if directions == "random":
        return random_plane(network.layout, theta, rng, path)
    if path is None:
        raise errors.Conflict('the model has no path: train with "keep_path": true, or use random directions')
    return path_plane(network.layout, theta, path)


def _max_rows(network: nn.Network, points: int, max_operations: int) -> int:
    units = sum(layer.units for layer in network.spec.layers)
    rows = max_operations // (points**2 * (network.parameters + ACTIVATION_COST * units))
    if rows < MIN_ROWS:
        grid = f"a grid of {points} x {points} over {MIN_ROWS} rows"
        detail = f"{grid} takes more than {max_operations} operations: request fewer points"
        raise errors.Invalid(detail, pointer="/points")
    return min(rows, MAX_ROWS)


def _batch(model: Model, network: nn.Network, path: Path, max_rows: int, rng: np.random.Generator) -> nn.Batch:
    """At most `max_rows` rows that have a target, encoded as in training, without weights."""
    table = with_kinds(Table.read(path, [*model.spec.target, *model.spec.columns]), model.spec.kinds)
    rows = table.complete_rows(model.spec.target)
    drawn = rows[np.sort(rng.permutation(len(rows))[:max_rows])]
    (x,) = model.encoder.transform_subsets(table, [drawn])
    return network.batch(x, encode_target(model.spec, model.target, table.take(drawn, model.spec.target)))
