"""Loss surfaces as PNG."""

import io
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from service.renderers.surface_png import draw_surface

PATH = {"epochs": [0, 5, 10], "x": [-0.8, -0.5, 0.0], "y": [0.5, -0.2, 0.0]}
AXIS = [-1.0, -0.5, 0.0, 0.5, 1.0]


def surface(loss: np.ndarray, **fields: Any) -> dict[str, Any]:
    values = loss.astype(object)
    values[~np.isfinite(loss)] = None
    about: dict[str, Any] = {"directions": "random", "rows": 7, "path": None, "explained": None}
    return {**about, "x": AXIS, "y": AXIS, "loss": values.tolist(), **fields}


def colours(png: bytes) -> np.ndarray:
    """The inner pixels (rows, columns, 3), without axes and legend."""
    picture = imread(io.BytesIO(png))[:, :, :3]
    return np.asarray(picture[150:600, 150:600])


BOWL = np.add.outer(np.square(AXIS), np.square(AXIS))


@pytest.mark.parametrize(
    "loss",
    [BOWL + 0.01, BOWL, BOWL - 5, 1e-300 + 1e300 * BOWL, BOWL * 0 + 3, BOWL * np.nan, np.where(BOWL > 1, np.inf, BOWL)],
    ids=["plain", "with a zero", "below zero", "far apart", "flat", "nowhere finite", "infinite at the rim"],
)
def test_any_surface_is_drawn(loss: np.ndarray) -> None:
    assert colours(draw_surface(surface(loss), "m")).shape == (450, 450, 3)


def test_the_rim_is_lighter_than_the_middle_and_grey_where_the_loss_is_not_finite() -> None:
    found = colours(draw_surface(surface(BOWL + 0.01), "m"))
    assert found[225, 225].sum() < found[5, 5].sum()
    holed = BOWL + 0.01
    holed[4] = np.nan
    top = colours(draw_surface(surface(holed), "m"))[5, 225]
    assert np.ptp(top) < 0.01


def test_the_path_is_drawn_where_there_is_one() -> None:
    without, drawn = (draw_surface(surface(BOWL + 0.01, **fields), "m") for fields in ({}, {"path": PATH}))
    white = [(colours(png).min(axis=2) > 0.99).sum() for png in (without, drawn)]
    assert white[1] > white[0] + 300


def test_a_model_name_is_not_read_as_a_formula() -> None:
    plain, odd = (draw_surface(surface(BOWL + 0.01), name) for name in ("m", "$\\frac{ $" * 20))
    assert np.array_equal(colours(plain), colours(odd))


def test_the_same_surface_gives_the_same_png() -> None:
    known = surface(BOWL + 0.01, path=PATH, explained=[0.9, 0.08], directions="path")
    assert draw_surface(known, "m") == draw_surface(known, "m")
