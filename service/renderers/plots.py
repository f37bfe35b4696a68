"""Plots of a job's learning curve, and of a model's report and network."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from backpropd.nn.layout import Array

MAX_CELLS = 30  # classes of a confusion matrix with a number in each cell, and bars
MAX_PARTS = 16  # labels and targets that have a plot or a line of their own
MAX_NAME = 40  # characters of a label
MAX_UNITS, MAX_LAYERS = 16, 12  # of a network that are drawn
GREY, BLUE, ORANGE = "#8a8a8a", "#1f77b4", "#d95f02"

NO_TEXT = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")  # in XML, or on one line

Draw = Callable[[Figure], None]
Report = Mapping[str, Any]


def loss_plot(curve: Sequence[Mapping[str, Any]], title: str) -> Draw:
    """The training and validation loss of each epoch, on a logarithmic axis if all are positive."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure, title, "epoch", "loss")
        epochs = [row["epoch"] for row in curve]
        marker = "o" if len(epochs) < 3 else None
        for name, label, colour in (("loss", "training", BLUE), ("validation_loss", "validation", ORANGE)):
            values = np.array([row[name] for row in curve], np.float64)  # None becomes NaN
            if np.isfinite(values).any():
                axes.plot(epochs, values, color=colour, label=label, marker=marker)
        shown = np.concatenate([line.get_ydata() for line in axes.lines]) if axes.lines else np.empty(0)
        if len(shown) and np.nanmin(shown) > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("{x:g}" if np.nanmax(shown) < 10 * np.nanmin(shown) else "")
        if axes.lines:
            axes.legend(frameon=False)

    return draw


def confusion_plot(report: Report, title: str) -> Draw:
    """Rows are the true classes, columns the predicted ones; of a label of several, true and false."""
    labels, counts = report["confusion_matrix"]["labels"], np.array(report["confusion_matrix"]["counts"])

    def draw(figure: Figure) -> None:
        if counts.ndim == 2:
            _matrix(_axes(figure, title, "predicted", "true"), counts, labels)
            return
        figure.suptitle(_partial(title, len(labels), "labels"))
        shown = labels[:MAX_PARTS]
        columns = int(np.ceil(np.sqrt(len(shown))))
        for index, (label, each) in enumerate(zip(shown, counts, strict=False)):
            axes = figure.add_subplot(int(np.ceil(len(shown) / columns)), columns, index + 1)
            axes.set_title(_short(label))
            _matrix(axes, each, ["no", "yes"])

    return draw


def roc_plot(report: Report, title: str) -> Draw:
    """The true positive rate against the false positive rate, for each class."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure, title, "false positive rate", "true positive rate")
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1)
        for each in report["roc"]:
            axes.plot(
                each["points"]["fpr"], each["points"]["tpr"], label=f"{_short(each['label'])}: area {each['auc']:.3f}"
            )
        _square(axes)

    return draw


def calibration_plot(report: Report, title: str) -> Draw:
    """The observed share of each class against its mean predicted probability."""

    def draw(figure: Figure) -> None:
        axes = _axes(figure, title, "mean predicted probability", "observed share")
        axes.plot([0, 1], [0, 1], color=GREY, linestyle=":", linewidth=1)
        for each in report["calibration"]["classes"]:
            x, y = each["mean_predicted"], each["share_observed"]
            axes.plot(x, y, marker="o", markersize=3, label=_short(each["label"]))
        _square(axes)

    return draw


def residuals_plot(report: Report, targets: Sequence[str], title: str) -> Draw:
    """The quantiles of the residuals of each output, and mean targets against mean predictions by decile."""

    def draw(figure: Figure) -> None:
        figure.suptitle(_partial(title, len(targets), "targets"))
        left, right = figure.subplots(1, 2)
        left.set(xlabel="share of the rows", ylabel="residual (target minus prediction)")
        right.set(xlabel="mean prediction of a bin", ylabel="mean target of a bin")
        left.axhline(0, color=GREY, linestyle=":", linewidth=1)
        for target, each in [*zip(targets, report["outputs"], strict=True)][:MAX_PARTS]:
            quantiles = each["residuals"]["quantiles"]
            left.plot(quantiles["probabilities"], quantiles["values"], marker="o", markersize=3, label=_short(target))
            x, y = (each["predicted_versus_actual"][part] for part in ("mean_predicted", "mean_actual"))
            right.plot(x, y, marker="o", markersize=3)
            right.plot(x, x, color=GREY, linestyle=":", linewidth=1)
        if len(report["outputs"]) > 1:
            _legend(left)

    return draw


def network_plot(weights: Sequence[Array], inputs: Sequence[str], outputs: Sequence[str], title: str) -> Draw:
    """Units as circles, and weights as lines: blue is positive, orange negative, thicker lines are larger weights.

    Of a wide layer only the first units are drawn, of a deep network the first layers. `weights` are (fan_in, fan_out),
    the output layer's last.
    """
    drawn = weights[:MAX_LAYERS]
    sizes = [drawn[0].shape[0], *(each.shape[1] for each in drawn)]
    left_out = len(weights) - len(drawn)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set_title(f"{title} ({left_out} more layers are not drawn)" if left_out else title)
        axes.axis("off")
        places = [_places(size) for size in sizes]
        for layer, weight in enumerate(drawn):
            shown = weight[: len(places[layer]), : len(places[layer + 1])]
            _lines(axes, layer, shown / (np.abs(shown).max(initial=0) or 1), places[layer], places[layer + 1])
        for layer, (size, heights) in enumerate(zip(sizes, places, strict=True)):
            axes.scatter([layer] * len(heights), heights, s=120, color="white", edgecolors="black", zorder=3)
            rest = size - len(heights)
            units = f"{size} unit{'s' if size > 1 else ''}"
            axes.text(layer, -0.08, units + (f", {rest} not drawn" if rest else ""), ha="center")
        for names, layer, align, shift in ((inputs, 0, "right", -0.06), (outputs, len(sizes) - 1, "left", 0.06)):
            if not (left_out and layer) and len(names) == sizes[layer]:
                for name, height in zip(names, places[layer], strict=False):
                    axes.text(layer + shift, height, _short(name), ha=align, va="center")
        axes.set(xlim=(-0.6, len(sizes) - 0.4), ylim=(-0.12, 1.05))

    return draw


def importance_plot(importance: Sequence[Mapping[str, Any]], metric: str, title: str) -> Draw:
    """How much worse the metric is where a column is shuffled, with its deviation; the most important ones."""
    rows = [*importance][:MAX_CELLS][::-1]

    def draw(figure: Figure) -> None:
        shown = title if len(rows) == len(importance) else f"{title} ({len(rows)} of {len(importance)} columns)"
        axes = _axes(figure, shown, f"importance: change of {metric} where the column is shuffled", "")
        means, deviations = (np.array([row[name] for row in rows], np.float64) for name in ("mean", "deviation"))
        axes.barh(range(len(rows)), means, xerr=deviations, color=BLUE, ecolor=GREY)  # none where it is not finite
        axes.set_yticks(range(len(rows)), [_short(row["column"]) for row in rows])

    return draw


def _axes(figure: Figure, title: str, x: str, y: str) -> Axes:
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def _matrix(axes: Axes, counts: Array, labels: Sequence[str]) -> None:
    axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300), cmap="Blues", vmin=0, vmax=1)
    if len(labels) > MAX_CELLS:
        return
    names = [_short(label) for label in labels]
    axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 2 else 0)
    axes.set_yticks(range(len(names)), names)
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if count > counts[row].sum() / 2 else "black"
        axes.text(column, row, f"{count:.6g}", ha="center", va="center", color=colour)


def _square(axes: Axes) -> None:
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    _legend(axes)


def _places(size: int) -> Array:
    """The heights of the drawn units, the first one highest."""
    count = min(size, MAX_UNITS)
    return np.linspace(1, 0, count) if count > 1 else np.array([0.5])


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, loc="best")


def _partial(title: str, count: int, what: str) -> str:
    return title if count <= MAX_PARTS else f"{title} (the first {MAX_PARTS} of {count} {what})"


def _lines(axes: Axes, layer: int, weights: Array, lower: Array, upper: Array) -> None:
    lines: Any = [[(layer, lower[start]), (layer + 1, upper[end])] for start, end in np.ndindex(weights.shape)]
    flat = weights.ravel()
    colours = np.where(flat > 0, BLUE, ORANGE)
    axes.add_collection(LineCollection(lines, linewidths=2.5 * np.abs(flat), colors=colours, alpha=0.7, zorder=1))


def _short(name: Any) -> str:
    text = NO_TEXT.sub(" ", str(name))
    text = f" {text}" if text.startswith("_") else text  # Matplotlib hides such labels
    return text if len(text) <= MAX_NAME else text[: MAX_NAME - 1] + "…"
