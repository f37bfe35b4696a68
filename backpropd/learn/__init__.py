"""From a spec and a table to a trained model that takes raw rows: where the mathematics meets the columns."""

from backpropd.learn.curve import curve_of
from backpropd.learn.data import Source
from backpropd.learn.kinds import AnyRun, load_model, resolve, start_run
from backpropd.learn.model import Model, weights_as
from backpropd.learn.resolve import Limits, Plan, TableInfo
from backpropd.learn.run import Run
from backpropd.learn.surface import surface
from backpropd.learn.trace import trace

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
    "weights_as",
]
