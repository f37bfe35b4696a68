"""Derived features: numbers that are computed from one or two columns of numbers before they are encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.table import Column

Numbers = NDArray[np.float64]
Feature = str | Mapping[str, Any]
"""An entry of `features`: the name of a column, or a derived feature as `DerivedFeature.to_json` has it."""

LARGEST = np.finfo(np.float64).max


def _log(x: Numbers) -> Numbers:
    """The natural logarithm, NaN where x is not above 0."""
    return np.log(np.where(x > 0, x, np.nan))


OPERATIONS: Mapping[str, Callable[..., Numbers]] = {
    "square": np.square,
    "product": np.multiply,
    "sin": np.sin,
    "log": _log,
}
ARGUMENTS = {"square": 1, "product": 2, "sin": 1, "log": 1}


@dataclass(frozen=True)
class DerivedFeature:
    """One of `OPERATIONS` of the named columns: x², x·y, sin x in radians, or the natural logarithm of x."""

    operation: str
    columns: tuple[str, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DerivedFeature:
        """From `{"square": "x1"}` or `{"product": ["x1", "x2"]}`, which is well-formed."""
        ((operation, columns),) = data.items()
        return cls(operation, (columns,) if isinstance(columns, str) else tuple(columns))

    def to_json(self) -> dict[str, Any]:
        """The entry of `features`."""
        return {self.operation: self.columns[0] if len(self.columns) == 1 else list(self.columns)}

    @property
    def name(self) -> str:
        """`square(x1)`, `product(x1, x2)`: the name of its inputs, in reports and exports."""
        return f"{self.operation}({', '.join(self.columns)})"

    def values(self, columns: Mapping[str, Column]) -> Numbers:
        """The values (n,), NaN where a column or the logarithm has none; too large ones are the largest float64."""
        with np.errstate(over="ignore"):
            found = OPERATIONS[self.operation](*(columns[name] for name in self.columns))
        return np.clip(found, -LARGEST, LARGEST)

    def may_be_missing(self, columns: Mapping[str, ColumnInfo]) -> bool:
        """Whether a row of the described table may lack it."""
        return any(columns[name].missing for name in self.columns) or self.lacks_logarithms(columns)

    def lacks_logarithms(self, columns: Mapping[str, ColumnInfo]) -> bool:
        """Whether it is the logarithm of a column that has numbers of 0 or less."""
        low = columns[self.columns[0]].statistics.get("min")
        return self.operation == "log" and low is not None and bool(low <= 0)


def derived_in(features: Iterable[Feature]) -> list[DerivedFeature]:
    """The derived ones among these features."""
    return [DerivedFeature.from_json(each) for each in features if not isinstance(each, str)]


def feature_names(features: Iterable[Feature]) -> list[str]:
    """The names of these features."""
    return [each if isinstance(each, str) else DerivedFeature.from_json(each).name for each in features]


def input_columns(features: Iterable[Feature]) -> list[str]:
    """The columns that these features are or are derived from, each once, in the order of their first use."""
    found = ([each] if isinstance(each, str) else DerivedFeature.from_json(each).columns for each in features)
    return list(dict.fromkeys(name for names in found for name in names))


class FeaturePlan(NamedTuple):
    """What is encoded (`infos`, those of derived features included), and the columns that are read for these alone."""

    infos: Sequence[ColumnInfo]
    derived: Sequence[DerivedFeature]
    sources: Sequence[ColumnInfo]


def plan_features(features: Sequence[Feature], columns: Mapping[str, ColumnInfo]) -> FeaturePlan:
    """The features of a table with these columns, as `FeatureEncoder.fit` takes them."""
    derived = derived_in(features)
    described = {each.name: _described(each, columns) for each in derived}
    infos = [described[name] if name in described else columns[name] for name in feature_names(features)]
    plain = {each for each in features if isinstance(each, str)}
    return FeaturePlan(infos, derived, [columns[name] for name in input_columns(features) if name not in plain])


def _described(derived: DerivedFeature, columns: Mapping[str, ColumnInfo]) -> ColumnInfo:
    return ColumnInfo(derived.name, "number", int(derived.may_be_missing(columns)), None)


@dataclass(frozen=True)
class ColumnsWithDerived(Mapping[str, Column]):
    """The columns of a table, and derived features by name, which are computed when they are used."""

    columns: Mapping[str, Column]
    derived: Mapping[str, DerivedFeature]

    def __getitem__(self, name: str) -> Column:
        each = self.derived.get(name)
        return self.columns[name] if each is None else each.values(self.columns)

    def __iter__(self) -> Iterator[str]:
        yield from self.columns
        yield from (
            name for name, each in self.derived.items() if all(column in self.columns for column in each.columns)
        )

    def __contains__(self, name: object) -> bool:
        each = self.derived.get(name) if isinstance(name, str) else None
        return name in self.columns if each is None else all(column in self.columns for column in each.columns)

    def __len__(self) -> int:
        return sum(1 for _ in self)
