"""The encoders of columns as ONNX nodes: raw cells (n, 1) to inputs (n, width), in double precision."""

import math
from collections.abc import Mapping

import numpy as np

from backpropd.export.onnx_graph import Graph
from backpropd.export.word_inputs import word_inputs
from backpropd.tabular import ColumnInfo
from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.column_encoders import MAX_DEVIATIONS, SMOOTH_LIMIT, ColumnEncoder, Cyclic, Scaled
from backpropd.tabular.cycles import HOURS, THURSDAY, WEEK
from backpropd.tabular.derived import LARGEST, DerivedFeature

MIDNIGHT = "T00:00:00"
EPOCH_DAY = "1970-01-01"


def is_number(info: ColumnInfo) -> bool:
    """Whether the column's input is a float; else it is a string."""
    return info.kind == "number"


def encode_column(graph: Graph, name: str, info: ColumnInfo, encoder: ColumnEncoder) -> str:
    """The inputs (n, width) of the graph's input `name` (n, 1)."""
    if info.kind in ("category", "boolean"):
        return _words(graph, name, info, encoder)
    assert isinstance(encoder, Scaled)  # noqa: S101 - for the type checker
    if info.kind == "date":
        missing = graph.cast(_codes(graph, name, {"": 1}, 0), np.bool_)
        return _Date(graph, name, missing).encode(encoder)
    return _Hours(graph, graph.cast(name, np.float64), _missing(graph, name, info)).encode(encoder)


def encode_derived(
    graph: Graph, feature: DerivedFeature, columns: Mapping[str, ColumnInfo], encoder: ColumnEncoder
) -> str:
    """The inputs (n, width) of a derived feature, from the graph's inputs (n, 1) that are its columns."""
    assert isinstance(encoder, Scaled)  # noqa: S101 - for the type checker
    add, number = graph.add, graph.constant
    x = [graph.cast(name, np.float64) for name in feature.columns]
    missing = [_missing(graph, name, columns[name]) for name in feature.columns]
    if feature.operation == "product":
        value, is_missing = add("Mul", *x), add("Or", *missing)
    elif feature.operation == "square":
        value, is_missing = add("Mul", x[0], x[0]), missing[0]
    elif feature.operation == "sin":
        value, is_missing = add("Sin", x[0]), missing[0]
    else:
        is_missing = add("Or", missing[0], add("Not", add("Greater", x[0], number(0.0))))
        value = add("Log", add("Where", is_missing, number(1.0), x[0]))
    value = add("Clip", value, number(-LARGEST), number(LARGEST))
    return _Hours(graph, value, is_missing).encode(encoder)


def _missing(graph: Graph, name: str, info: ColumnInfo) -> str:
    """Where the numbers of the graph's input `name` are missing."""
    missing = graph.add("IsNaN", name)
    for marker in Markers.of(info.statistics.get("markers")).numbers:
        missing = graph.add("Or", missing, graph.add("Equal", name, graph.constant(marker, np.float32)))
    return missing


def _codes(graph: Graph, name: str, codes: dict[str, int], other: int) -> str:
    keys, values = list(codes), list(codes.values())
    return graph.add("LabelEncoder", name, keys_strings=keys, values_int64s=values, default_int64=other)


def _words(graph: Graph, name: str, info: ColumnInfo, encoder: ColumnEncoder) -> str:
    """The row of a table: one for each word that is known, and last that of any other."""
    inputs = word_inputs(info, encoder)
    forms = (str.upper, str.capitalize, str.lower) if inputs.any_case else (str,)
    codes = {form(word): index for form in forms for index, word in enumerate(inputs.by_word)}
    table = graph.constant([*inputs.by_word.values(), inputs.unseen])
    rows = graph.add("Gather", table, _codes(graph, name, codes, len(inputs.by_word)), axis=0)
    return graph.add("Reshape", rows, graph.constant([-1, encoder.width], np.int64))


class _Hours:
    """Numbers (n, 1), or hours of the day, and where they are `missing`."""

    def __init__(self, graph: Graph, x: str, missing: str) -> None:
        self.graph, self.x, self.missing = graph, x, missing

    def number(self, value: float) -> str:
        return self.graph.constant(value)

    def encode(self, encoder: Scaled) -> str:
        """What `Scaled.write` and `Cyclic.write` compute."""
        add, number = self.graph.add, self.number
        z = add("Div", add("Sub", self.x, number(encoder.mean)), number(encoder.std))
        z = add("Clip", z, number(-MAX_DEVIATIONS), number(MAX_DEVIATIONS))
        if encoder.smooth:
            ratio = add("Div", z, number(SMOOTH_LIMIT))
            z = add("Div", z, add("Sqrt", add("Add", add("Mul", ratio, ratio), number(1.0))))
        columns = [self._present(z)]
        if encoder.indicator:
            columns.append(self.graph.cast(self.missing, np.float64))
        for cycle in encoder.cycles if isinstance(encoder, Cyclic) else ():
            angle = add("Mul", self.position(cycle), number(2 * math.pi))
            columns += [
                self._present(add("Sin", angle)),
                self._present(add("Sin", add("Add", angle, number(math.pi / 2)))),
            ]
        return columns[0] if len(columns) == 1 else add("Concat", *columns, axis=1)

    def _present(self, x: str) -> str:
        return self.graph.add("Where", self.missing, self.number(0.0), x)

    def position(self, cycle: str) -> str:
        """Where in the cycle each value is, in [0, 1)."""
        return self.fraction(self.graph.add("Div", self.x, self.number(HOURS)))

    def fraction(self, x: str) -> str:
        return self.graph.add("Sub", x, self.graph.add("Floor", x))


class _Date(_Hours):
    """Dates in ISO 8601 (n, 1), with or without a time, as days since 1970."""

    def __init__(self, graph: Graph, name: str, missing: str) -> None:
        text = graph.add("Where", missing, graph.constant([[EPOCH_DAY]], str), name)
        timed = graph.add("StringConcat", text, graph.constant([[MIDNIGHT]], str))
        halves = graph.add("StringSplit", timed, delimiter="T")
        self.graph = graph
        self.year, self.month, self.day = self._numbers(self._part(halves, 0), "-")
        clock = graph.add("StringConcat", self._part(halves, 1), graph.constant([[":0:0"]], str))
        hour, minute, second = self._numbers(clock, ":")
        minutes = self._combined(hour, 60, minute)
        time = graph.add("Div", self._combined(minutes, 60, second), self.number(86400))
        days = self.days(self.year, self.month, self.day)
        super().__init__(graph, graph.add("Add", days, time), missing)

    def _part(self, parts: str, index: int) -> str:
        """One of the parts (n, 1, parts), as (n, 1)."""
        return self.graph.add("Gather", parts, self.graph.constant(index, np.int64), axis=2)

    def _numbers(self, text: str, delimiter: str) -> list[str]:
        parts = self.graph.add("StringSplit", text, delimiter=delimiter)
        return [self.graph.cast(self._part(parts, index), np.float64) for index in range(3)]

    def _combined(self, large: str, factor: float, small: str) -> str:
        return self.graph.add("Add", self.graph.add("Mul", large, self.number(factor)), small)

    def days(self, year: str, month: str, day: str) -> str:
        """Days since 1970, from a year that begins in March (Hinnant 2021, days_from_civil)."""
        add, number = self.graph.add, self.number

        def floored(x: str, divisor: float) -> str:
            return add("Floor", add("Div", x, number(divisor)))

        early = self.graph.cast(add("Less", month, number(3)), np.float64)
        y = add("Sub", year, early)
        of_year = add("Sub", self._combined(early, 12, month), number(3))  # the month, March as 0
        before = floored(self._combined(of_year, 153, number(2)), 5)  # days of the months before
        leaps = add("Add", add("Sub", floored(y, 4), floored(y, 100)), floored(y, 400))
        total = add("Add", add("Add", add("Mul", y, number(365)), leaps), add("Add", before, day))
        return add("Sub", total, number(719469))

    def position(self, cycle: str) -> str:
        """As in `_Hours`; the year has the length that it has."""
        add, number = self.graph.add, self.number
        if cycle == "hour":
            return self.fraction(self.x)
        if cycle == "weekday":
            since = add("Div", add("Add", add("Floor", self.x), number(THURSDAY)), number(WEEK))
            return self.fraction(since)
        start = self.days(self.year, number(1), number(1))
        end = self.days(add("Add", self.year, number(1)), number(1), number(1))
        return add("Div", add("Sub", add("Floor", self.x), start), add("Sub", end, start))
