"""Trained models as files for other programs, one module per family of formats.

Reading models back is in `backpropd.learn`; HTTP answers are in `service`. A new format is one entry of a table here.
"""

from backpropd.export.weights import WEIGHT_FORMATS, WeightFormat

__all__ = ["WEIGHT_FORMATS", "WeightFormat"]
