"""Figures drawn by Matplotlib, as SVG or PNG."""

import io
import threading
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from service.schemas.plots import PNG, SVG

FORMATS = {SVG: "svg", PNG: "png"}
_lock = threading.Lock()  # Matplotlib's fonts are not thread-safe
# The same numbers give the same file, and text stays text, which a reader can search.
_SETTINGS: Any = {"svg.hashsalt": "backpropd", "svg.fonttype": "none", "font.size": 9, "text.parse_math": False}


def rendered(draw: Callable[[Figure], None], media_type: str = PNG, size: tuple[float, float] = (7.4, 6)) -> bytes:
    """The file of a figure of `size` inches that `draw` fills; dollar signs in names are no formulas."""
    out = io.BytesIO()
    with _lock, mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=size, dpi=144, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        metadata = {"Date": None} if media_type == SVG else None
        figure.savefig(out, format=FORMATS[media_type], metadata=metadata)
    return out.getvalue()
