"""A learning curve drawn in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from backpropd.client import Epoch

HEIGHT = 16
WIDEST = 100


def draw(epochs: Sequence[Epoch], width: int, *, colour: bool) -> str:
    """The training and the validation loss over the epochs, as text."""
    import plotext  # here, for it is slow to import and few commands draw

    plotext.clear_figure()
    plotext.plot_size(min(width, WIDEST), HEIGHT)
    plotext.theme("pro" if colour else "clear")
    at = [epoch["epoch"] for epoch in epochs]
    plotext.plot(at, [epoch["loss"] for epoch in epochs], label="loss", marker="braille")
    held_out = [epoch for epoch in epochs if epoch["validation_loss"] is not None]
    if held_out:
        losses = [epoch["validation_loss"] for epoch in held_out]
        plotext.plot([epoch["epoch"] for epoch in held_out], losses, label="validation loss", marker="dot")
    plotext.xlabel("epoch")
    drawn = str(plotext.build())
    return drawn if colour else str(plotext.uncolorize(drawn))
