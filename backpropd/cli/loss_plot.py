"""A learning curve drawn as text."""

from collections.abc import Sequence

import plotext

from backpropd.client import Epoch

HEIGHT, MAX_WIDTH = 16, 100


def draw(epochs: Sequence[Epoch], width: int, *, colour: bool) -> str:
    """The training and validation losses over the epochs."""
    plotext.clear_figure()
    plotext.plot_size(min(width, MAX_WIDTH), HEIGHT)
    plotext.theme("pro" if colour else "clear")
    numbers = [epoch["epoch"] for epoch in epochs]
    plotext.plot(numbers, [epoch["loss"] for epoch in epochs], label="loss", marker="braille")
    validated = [epoch for epoch in epochs if epoch["validation_loss"] is not None]
    if validated:
        losses = [epoch["validation_loss"] for epoch in validated]
        plotext.plot([epoch["epoch"] for epoch in validated], losses, label="validation loss", marker="dot")
    plotext.xlabel("epoch")
    drawn = str(plotext.build())
    return drawn if colour else str(plotext.uncolorize(drawn))
