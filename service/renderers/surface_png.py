"""A loss surface as a PNG: contours of the loss, and the path of training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from service.renderers.figures import rendered

Array = NDArray[Any]

LEVELS = 30
TICKS = 7
COLOURS = "viridis"


def draw_surface(surface: Mapping[str, Any], title: str) -> bytes:
    """A PNG of what `learn.loss_surface` computed; contours are evenly spaced by the logarithm of the loss.

    Where the loss is not finite, the PNG is grey.
    """

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot(facecolor="lightgrey")
        _contours(figure, axes, surface)
        _path(axes, surface)
        along, up = _directions(surface)
        axes.set(xlabel=along, ylabel=up, xlim=_ends(surface["x"]), ylim=_ends(surface["y"]))
        axes.set_title(f"The loss around {title[:40]}, over {surface['rows']} rows", fontsize=11)

    return rendered(draw)


def _contours(figure: Figure, axes: Axes, surface: Mapping[str, Any]) -> None:
    loss = np.array(surface["loss"], np.float64)  # None becomes NaN
    if not np.isfinite(loss).any():
        return
    floor = _floor(loss)
    height = np.ma.masked_invalid(np.log10(loss - floor))
    levels = np.linspace(height.min(), max(height.max(), height.min() + 1e-9), LEVELS)
    filled = axes.contourf(surface["x"], surface["y"], height, levels, cmap=COLOURS)
    lines: dict[str, Any] = {"colors": "white", "linestyles": "solid", "linewidths": 0.5, "alpha": 0.5}
    axes.contour(surface["x"], surface["y"], height, levels[1:-1:2], **lines)
    ticks = np.linspace(levels[0], levels[-1], TICKS)
    bar = figure.colorbar(filled, ax=axes, label="loss", ticks=ticks, pad=0.02)
    bar.ax.set_yticklabels([f"{10**tick + floor:.2g}" for tick in ticks])


def _floor(loss: Array) -> float:
    """What to subtract from a loss before its logarithm: 0 unless the loss has values of 0 or less."""
    low, high = float(np.nanmin(loss)), float(np.nanmax(loss))
    return 0.0 if low > 0 else low - max(1e-3 * (high - low), 1e-9)


def _path(axes: Axes, surface: Mapping[str, Any]) -> None:
    if path := surface["path"]:
        x, y, epochs = path["x"], path["y"], path["epochs"]
        axes.plot(x, y, color="black", linewidth=3, alpha=0.35)
        axes.plot(x, y, color="white", linewidth=1.4, marker="o", markersize=2.5)
        axes.plot(x[0], y[0], "o", color="white", markeredgecolor="black", markersize=8, label=f"epoch {epochs[0]}")
    axes.plot(0, 0, "*", color="gold", markeredgecolor="black", markersize=15, label="the model")
    axes.legend(loc="upper right", framealpha=0.9)


def _directions(surface: Mapping[str, Any]) -> tuple[str, str]:
    if surface["explained"] is None:
        return "a random direction, in lengths of each unit's weights", "another"
    shares = [f"{share:.0%}" for share in surface["explained"]]
    return f"first principal component of the path ({shares[0]} of its variance)", f"second ({shares[1]})"


def _ends(along: list[float]) -> tuple[float, float]:
    return along[0], along[-1]
