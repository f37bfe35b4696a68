"""From a spec and a table to a trained model that takes raw rows: where the mathematics meets the columns."""

from backpropd.learn.data import Source
from backpropd.learn.model import Model, weights_as
from backpropd.learn.resolve import Limits, Plan, TableInfo, resolve
from backpropd.learn.run import Run

__all__ = ["Limits", "Model", "Plan", "Run", "Source", "TableInfo", "resolve", "weights_as"]
