"""From a spec and a table to a trained model that takes raw rows: where the mathematics meets the columns."""

from backpropd.learn.model import Model, weights_as
from backpropd.learn.resolve import Limits, Plan, resolve
from backpropd.learn.run import Run
from backpropd.learn.surface import surface
from backpropd.learn.trace import trace

__all__ = ["Limits", "Model", "Plan", "Run", "resolve", "surface", "trace", "weights_as"]
