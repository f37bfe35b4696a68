"""The derived features of a request: whether their columns can be used, and what there is to say about them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backpropd import errors
from backpropd.learn.resolve.plan import JobWarning
from backpropd.learn.tables import TableDescription
from backpropd.tabular import ColumnInfo, DerivedFeature, Feature

MAX_DERIVED = 1000
WhyNot = Callable[[ColumnInfo, int], Any]


def check_count(features: Sequence[Feature]) -> None:
    """Raises `errors.Invalid` for too many derived features, which are computed anew wherever rows are read."""
    derived = [index for index, each in enumerate(features) if not isinstance(each, str)]
    if len(derived) > MAX_DERIVED:
        detail = f"there are {len(derived)} derived features, and the limit is {MAX_DERIVED}: leave some out"
        raise errors.Invalid(detail, pointer=f"/features/{derived[MAX_DERIVED]}")


def check(
    feature: DerivedFeature, pointer: str, other_roles: Mapping[str, str], table: TableDescription, why_not: WhyNot
) -> None:
    """Raises `errors.Invalid` and its subclasses for columns that it cannot be computed from.

    `why_not` says why a column by itself would be no feature.
    """
    if len(set(feature.columns)) < len(feature.columns):
        name = feature.columns[0]
        detail = f'a product is of two different columns: use {{"square": "{name}"}} for {name!r} times itself'
        raise errors.Invalid(detail, pointer=pointer)
    for name in feature.columns:
        if name in other_roles:
            detail = f"{name!r} is {other_roles[name]}: derive a feature from another column"
            raise errors.Invalid(detail, pointer=pointer)
        info = table.columns[name]
        if info.kind != "number":
            detail = f"{feature.name} needs numbers, and {name!r} is of kind {info.kind}: {_advice(info)}"
            raise errors.UnusableColumn(detail, pointer=pointer)
        if info.missing == table.rows:
            raise errors.AllMissing(f"the column {name!r} has no values: leave {feature.name} out", pointer=pointer)
    if all(constant := [_is_constant(table.columns[name], table.rows, why_not) for name in feature.columns]):
        several = "have the same values" if len(constant) > 1 else "has the same value"
        detail = f"{' and '.join(map(repr, feature.columns))} {several} in every row, and so has {feature.name}"
        raise errors.ConstantColumn(f"{detail}: leave it out", pointer=pointer)
    high = table.columns[feature.columns[0]].statistics.get("max")
    if feature.operation == "log" and high is not None and high <= 0:
        detail = f"{feature.columns[0]!r} has no number above 0, and only these have a logarithm: leave it out"
        raise errors.UnusableColumn(detail, pointer=pointer)
    if feature.name in table.columns:
        detail = f"the table has a column {feature.name!r}, too: rename it, or leave one of both out"
        raise errors.Invalid(detail, pointer=pointer)


def _is_constant(info: ColumnInfo, rows: int, why_not: WhyNot) -> bool:
    """Whether this column would be refused as a feature because it is constant."""
    unfit = why_not(info, rows)
    return unfit is not None and unfit[0] is errors.ConstantColumn


def _advice(info: ColumnInfo) -> str:
    if info.kind == "boolean":
        return f'make it 0 and 1 with "kinds", as {{"{info.name}": "number"}}, or leave it out'
    return "leave it out"


def missing_logarithms(features: Sequence[Feature], table: TableDescription) -> list[JobWarning]:
    """A warning of each logarithm that rows of the table lack."""
    derived = (
        (index, DerivedFeature.from_json(each)) for index, each in enumerate(features) if not isinstance(each, str)
    )
    return [
        JobWarning("missing_logarithm", f"/features/{index}", _why_missing(each, table.columns[each.columns[0]]))
        for index, each in derived
        if each.lacks_logarithms(table.columns)
    ]


def _why_missing(feature: DerivedFeature, info: ColumnInfo) -> str:
    detail = f"{info.name!r} has numbers of 0 or less (its minimum is {info.statistics['min']:g})"
    return f"{detail}, and {feature.name} counts as missing there"
