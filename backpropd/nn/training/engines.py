"""The engines, and which of them runs a training."""

from __future__ import annotations

from backpropd.nn.training.engine import Engine
from backpropd.nn.training.epochs import FitRun
from backpropd.nn.training.lbfgs_engine import LbfgsEngine
from backpropd.nn.training.numba_engine import NumbaEngine
from backpropd.nn.training.numpy_engine import NumpyEngine

ENGINES: dict[str, type[NumpyEngine | NumbaEngine]] = {"numpy": NumpyEngine, "numba": NumbaEngine}


def engine_for(run: FitRun) -> Engine:
    """The engine that the settings name, or the one of an optimizer that takes full batches and a line search."""
    return LbfgsEngine(run) if run.training.optimizer.full_batch else ENGINES[run.training.engine](run)
