"""scikit-learn's linear model and MLP with their defaults, on one-hot and standardized inputs of raw rows."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Row = dict[str, Any]
Model = Callable[[Sequence[Row]], list[Any]]

MAX_ITERATIONS = 1000  # of the linear model, so that it converges


def linear(rows: Sequence[Row], kinds: dict[str, str], target: str, task: str, seed: int) -> Model:
    """Logistic regression, or ridge regression."""
    classifier = LogisticRegression(max_iter=MAX_ITERATIONS)
    return _fit(classifier if task == "classification" else Ridge(), rows, kinds, target)


def mlp(rows: Sequence[Row], kinds: dict[str, str], target: str, task: str, seed: int) -> Model:
    """The MLP; a regression's target is scaled."""
    if task == "classification":
        return _fit(MLPClassifier(random_state=seed), rows, kinds, target)
    regressor = TransformedTargetRegressor(MLPRegressor(random_state=seed), transformer=StandardScaler())
    return _fit(regressor, rows, kinds, target)


def _fit(estimator: Any, rows: Sequence[Row], kinds: dict[str, str], target: str) -> Model:
    """The estimator, fitted on the features `kinds` of the rows, as a function from rows to predictions."""
    words = [name for name, kind in kinds.items() if kind == "category"]
    numbers = [name for name in kinds if name not in words]
    scaling = make_pipeline(SimpleImputer(), StandardScaler()).fit(_numbers(rows, numbers)) if numbers else None
    levels = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(_words(rows, words)) if words else None

    def inputs(some: Sequence[Row]) -> NDArray[np.float64]:
        parts = [scaling.transform(_numbers(some, numbers))] if scaling else []
        parts += [levels.transform(_words(some, words))] if levels else []
        return np.hstack(parts)

    estimator.fit(inputs(rows), np.array([row[target] for row in rows]))
    return lambda some: estimator.predict(inputs(some)).tolist()


def _numbers(rows: Sequence[Row], names: Sequence[str]) -> NDArray[np.float64]:
    return np.array([[_number(row[name]) for name in names] for row in rows])


def _number(value: Any) -> float:
    if value is None:
        return np.nan
    if isinstance(value, str):
        value = value.lower() in ("true", "yes", "t", "y") if len(value) < 6 else datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value.timestamp()
    return float(value.toordinal() if isinstance(value, date) else value)


def _words(rows: Sequence[Row], names: Sequence[str]) -> NDArray[np.object_]:
    return np.array([["" if row[name] is None else row[name] for name in names] for row in rows], object)
