"""The plot of `docs/performance.md`: each contender's step on each workload, on one logarithmic axis."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from bench.workloads import CONTENDERS


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Microseconds per step: a line for each workload, a marker for each contender."""
    mpl.rcParams.update({"svg.hashsalt": "backpropd", "font.size": 9})  # the same times give the same file
    figure, axes = plt.subplots(figsize=(8, 4.4), layout="constrained")
    for y, row in enumerate(reversed(rows)):
        _line(axes, y, row)
    axes.set_yticks(range(len(rows)), [_label(row) for row in reversed(rows)])
    axes.set(xscale="log", xlabel="time of a training step, one thread (less is better)", ylim=(-0.6, len(rows) - 0.4))
    axes.xaxis.set_major_formatter(FuncFormatter(_time))
    axes.grid(axis="x", alpha=0.25)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    handles = {title: handle for handle, title in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, metadata={"Date": None})


def _line(axes: Axes, y: int, row: dict[str, Any]) -> None:
    times = row["microseconds"]
    axes.hlines(y, min(times.values()), max(times.values()), color="#d9d9d9", linewidth=2, zorder=1)
    for name, (_, title, color, marker, size) in CONTENDERS.items():
        if name in times:
            style = {"s": size, "color": color, "marker": marker, "edgecolors": "white", "linewidths": 0.8}
            axes.scatter(times[name], y, label=title, zorder=3 if name == "compiled" else 2, **style)
    axes.annotate(_time(times["compiled"]), (times["compiled"], y), (0, 8), textcoords="offset points", ha="center")


def _label(row: dict[str, Any]) -> str:
    workload = row["workload"]
    sizes = "-".join(map(str, (workload["inputs"], *workload["hidden"], workload["classes"])))
    return f"{row['name'].partition(',')[0]}\n{sizes}, batch {workload['batch_size']}"


def _time(microseconds: float, _: Any = None) -> str:
    if microseconds >= 1000:
        return f"{microseconds / 1000:.3g} ms"
    return f"{microseconds:.3g} µs"
