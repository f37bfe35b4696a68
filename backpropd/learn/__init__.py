"""From a spec and a table to a trained model that takes raw rows: where the mathematics meets the columns."""

from backpropd.learn.data import Source
from backpropd.learn.dispatch import AnyRun, load_model, resolve, start_run
from backpropd.learn.inspection.loss_surface import surface
from backpropd.learn.inspection.response_curve import curve_of
from backpropd.learn.inspection.trace import trace
from backpropd.learn.model import Model
from backpropd.learn.resolve import Limits, Plan, TableInfo
from backpropd.learn.run import Run

__all__ = [
    "AnyRun",
    "Limits",
    "Model",
    "Plan",
    "Run",
    "Source",
    "TableInfo",
    "curve_of",
    "load_model",
    "resolve",
    "start_run",
    "surface",
    "trace",
]
