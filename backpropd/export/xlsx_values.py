"""The sheet of values: what each raw cell is, as a number of a word, a number, hours or days since 1970."""

from __future__ import annotations

import math
from calendar import isleap
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from backpropd.export.xlsx_cell_text import (
    BOOLEAN,
    EMPTY,
    SPACES,
    TYPED,
    TYPED_TIME,
    day_of_text,
    hours,
    is_leap,
    month_of_text,
    number,
    shape,
    stored_shape,
    stored_spaces,
    stored_stripped,
    stored_trimmed,
    stored_typed,
    stripped,
    time_of_text,
    year_of_text,
)
from backpropd.export.xlsx_examples import Cell, kind_of
from backpropd.export.xlsx_sheet import Sheet, Styles, Value
from backpropd.export.xlsx_words import FALSE, TRUE, WordSheet, words_of
from backpropd.tabular import ColumnInfo
from backpropd.tabular.column_encoders import ColumnEncoder, Cyclic, OneHot
from backpropd.tabular.derived import DerivedFeature
from backpropd.tabular.table import CategoricalColumn, Column

FIRST_ROW = 1  # of the examples
EPOCH = datetime(1970, 1, 1)
MOST_VALUES = {"number": 2, "words": 3, "time": 3, "date": 9}
"""The columns that a raw column of this kind (`kind_of`) has at most."""
References = list[str]


class ValueReferences(NamedTuple):
    """References to what the examples of a column are, and for dates to the first day and the length of the year."""

    values: References
    year_starts: References
    year_lengths: References


class ValueSheet:
    """The sheet: for each raw column some columns, whose last one is the value, empty where it is missing."""

    def __init__(self, sheet: Sheet, styles: Styles, words: WordSheet, *, only_booleans: bool, rows: int) -> None:
        self.sheet, self.styles, self.words, self.next_column = sheet, styles, words, 1
        self.missing = "NA()" if only_booleans else EMPTY
        self.only_booleans = only_booleans
        sheet.text(0, 0, "example", styles.head)
        for row in range(rows):
            sheet.number(FIRST_ROW + row, 0, row + 1)
        sheet.freeze(1, 1)

    def add(
        self, info: ColumnInfo, encoder: ColumnEncoder, cells: References, raw: Sequence[Cell], column: Column
    ) -> ValueReferences:
        """Add a column: `cells` refer to its raw cells, `raw` is what they hold, `column` what the model takes."""
        kind = kind_of(info)
        if kind == "words":
            assert isinstance(column, CategoricalColumn)  # noqa: S101 - for the type checker
            if isinstance(encoder, OneHot):
                return self._levels(info, encoder, cells, raw)
            return self._booleans(info, encoder, cells, raw)
        assert not isinstance(column, CategoricalColumn)  # noqa: S101 - for the type checker
        form, stored = TYPED_TIME if kind == "time" else TYPED, stored_typed(raw)
        texts = self._column(f"{info.name}: text", [form.replace("#", cell) for cell in cells], stored)
        is_missing = self._missing(info, encoder, cells, texts, raw, stored)
        if kind == "number":
            return self._numbers(info.name, map(number, cells, texts), is_missing, column.tolist())
        shapes = self._column(f"{info.name}: shape", list(map(shape, texts)), list(map(stored_shape, stored)))
        if kind == "time":
            return self._numbers(info.name, map(hours, cells, texts, shapes), is_missing, column.tolist())
        by_year = isinstance(encoder, Cyclic) and "month" in encoder.cycles
        return self._dates(info.name, by_year, cells, texts, shapes, is_missing, column.tolist())

    def derive(self, feature: DerivedFeature, columns: Sequence[References], x: Sequence[float]) -> ValueReferences:
        """Add a derived feature: `columns` refer to the values of its columns, x has its own values."""
        formula = FORMULAS[feature.operation]
        formulas = [
            f"IF(OR({','.join(f'{each}={EMPTY}' for each in cells)}),{EMPTY},{formula.format(*cells)})"
            for cells in zip(*columns, strict=True)
        ]
        return ValueReferences(
            self._column(feature.name, formulas, ["" if math.isnan(each) else each for each in x]), [], []
        )

    def _numbers(
        self, name: str, formulas: Iterable[str], is_missing: References, x: Sequence[float]
    ) -> ValueReferences:
        """Numbers, or hours of the day: formulas of them for where they are not missing."""
        if self.only_booleans:
            formulas = [f"IF(OR({each}=0,{each}=1),{each},NA())" for each in formulas]
        found = [f"IF({missing},{self.missing},{each})" for missing, each in zip(is_missing, formulas, strict=True)]
        return ValueReferences(self._column(name, found, x), [], [])

    def _missing(
        self,
        info: ColumnInfo,
        encoder: ColumnEncoder,
        cells: References,
        texts: References,
        raw: Sequence[Cell],
        stored: Sequence[str],
    ) -> list[str]:
        """Conditions that a number or a date is missing: its cell is empty, or has a marker of a missing value."""
        words = words_of(info, encoder)
        codes = self.words.add(info.name, words, texts, cells, list(zip(stored, raw, strict=True)))
        marked = [
            self._is_usual_marker(text) if words.usual_markers else f"{code}>0"
            for text, code in zip(texts, codes, strict=True)
        ]
        return [
            f"IF(ISNUMBER({cell}),{f'{code}>0' if words.numeric_markers else 'FALSE'},OR({text}={EMPTY},{condition}))"
            for cell, text, code, condition in zip(cells, texts, codes, marked, strict=True)
        ]

    def _is_usual_marker(self, text: str) -> str:
        """Whether a text is a usual marker; MATCH would take `*` and `?` as wildcards."""
        return f"SUMPRODUCT(--({self.words.usual_markers()}=LOWER({text})))>0"

    def _column(self, title: str, formulas: Sequence[str], values: Sequence[Value]) -> References:
        """Write a column; gives the references to its cells."""
        column, self.next_column = self.next_column, self.next_column + 1
        self.sheet.text(0, column, title, self.styles.head)
        for row, (formula, value) in enumerate(zip(formulas, values, strict=True), FIRST_ROW):
            self.sheet.formula(row, column, formula, value)
        return [self.sheet.cell(row, column) for row in range(FIRST_ROW, FIRST_ROW + len(formulas))]

    def _levels(self, info: ColumnInfo, encoder: OneHot, cells: References, raw: Sequence[Cell]) -> ValueReferences:
        """The codes of levels."""
        words = words_of(info, encoder)
        if words.any_case:
            stored = [each.lower() for each in stored_trimmed(raw)]
            texts = self._column(f"{info.name}: text", [BOOLEAN.replace("#", cell) for cell in cells], stored)
        else:
            formulas, stored = [SPACES.replace("#", cell) for cell in cells], stored_stripped(raw)
            spaces = self._column(f"{info.name}: plain spaces", formulas, stored_spaces(raw))
            texts = self._column(f"{info.name}: text", list(map(stripped, cells, spaces)), stored)
        codes = self.words.add(info.name, words, texts, cells, list(zip(stored, raw, strict=True)))
        missing = "NA()" if self.only_booleans else str(words.missing_code)
        formulas = [
            f"IF(AND({text}={EMPTY},{code}=0),{missing},{code})" for text, code in zip(texts, codes, strict=True)
        ]
        stored_codes = [
            float(words.code_of(text, cell) or (0 if text else words.missing_code))
            for text, cell in zip(stored, raw, strict=True)
        ]
        return ValueReferences(self._column(f"{info.name}: level", formulas, stored_codes), [], [])

    def _booleans(
        self, info: ColumnInfo, encoder: ColumnEncoder, cells: References, raw: Sequence[Cell]
    ) -> ValueReferences:
        """0 and 1."""
        words, stored = words_of(info, encoder), [each.lower() for each in stored_trimmed(raw)]
        texts = self._column(f"{info.name}: text", [BOOLEAN.replace("#", cell) for cell in cells], stored)
        codes = self.words.add(info.name, words, texts, cells, list(zip(stored, raw, strict=True)))
        stored_codes = [float(words.code_of(text, cell)) for text, cell in zip(stored, raw, strict=True)]
        codes = self._column(f"{info.name}: word", codes, stored_codes)
        formulas = []
        for text, code in zip(texts, codes, strict=True):
            is_marker = self._is_usual_marker(text) if words.usual_markers else "FALSE"
            unknown = f"IF({is_marker},{self.missing},NA())"
            formulas.append(
                f"IF(OR({text}={EMPTY},{code}>{TRUE}),{self.missing},IF({code}=0,{unknown},{code}-{FALSE}))"
            )
        shown = [each - FALSE if each in (FALSE, TRUE) else "" for each in stored_codes]
        return ValueReferences(self._column(info.name, formulas, shown), [], [])

    def _dates(
        self,
        name: str,
        by_year: bool,
        cells: References,
        texts: References,
        shapes: References,
        is_missing: Sequence[str],
        days: Sequence[float],
    ) -> ValueReferences:
        """Days since 1970 of dates of a spreadsheet, and of texts in ISO 8601 with or without a time."""
        moments = [None if math.isnan(each) else EPOCH + timedelta(seconds=round(each * 86400)) for each in days]

        def part(
            title: str, of_number: str, of_texts: Iterable[str], stored: Callable[[datetime], float]
        ) -> References:
            formulas = [
                f"IF({missing},{EMPTY},IF(ISNUMBER({cell}),{of_number.replace('#', cell)},{of_text}))"
                for cell, missing, of_text in zip(cells, is_missing, of_texts, strict=True)
            ]
            return self._column(
                f"{name}: {title}", formulas, ["" if each is None else stored(each) for each in moments]
            )

        years = part("year", "YEAR(#)", map(year_of_text, texts, shapes), lambda each: float(each.year))
        months = part("month", "MONTH(#)", map(month_of_text, texts), lambda each: float(each.month))
        dates = part("day", "DAY(#)", map(day_of_text, texts, years, months), lambda each: float(each.day))
        times = part("time", "#-INT(#)", map(time_of_text, texts), lambda each: (each - EPOCH) / timedelta(days=1) % 1)
        formulas = [
            f"IF({year}={EMPTY},{EMPTY},{_days(year, month, date)}+{time})"
            for year, month, date, time in zip(years, months, dates, times, strict=True)
        ]
        values = self._column(f"{name}: days since 1970", formulas, days)
        if not by_year:
            return ValueReferences(values, [], [])
        starts = [f"IF({year}={EMPTY},{EMPTY},{_year_start(year)})" for year in years]
        lengths = [f"IF({year}={EMPTY},{EMPTY},365+IF({is_leap(year)},1,0))" for year in years]
        stored_years = [None if each is None else each.year for each in moments]
        return ValueReferences(
            values,
            self._column(f"{name}: first day of the year", starts, list(map(_stored_start, stored_years))),
            self._column(f"{name}: days of the year", lengths, list(map(_stored_length, stored_years))),
        )


FORMULAS = {
    "square": "IF(ABS({0})>1E+153,1E+306,{0}*{0})",
    "product": "IF(OR({0}=0,{1}=0),0,IF(LOG10(ABS({0}))+LOG10(ABS({1}))>306,SIGN({0})*SIGN({1})*1E+306,{0}*{1}))",
    "sin": "SIN({0})",
    "log": 'IF({0}>0,LN({0}),"")',
}
"""Derived features; what is too large for a spreadsheet is 1E+306."""


def _days(year: str, month: str, date: str) -> str:
    """Days since 1970, from a year that begins in March (Hinnant 2021, days_from_civil)."""
    y, of_year = f"({year}-IF({month}<3,1,0))", f"({month}+IF({month}<3,9,-3))"
    return f"365*{y}+INT({y}/4)-INT({y}/100)+INT({y}/400)+INT((153*{of_year}+2)/5)+{date}-719469"


def _year_start(year: str) -> str:
    """The first of January in days since 1970."""
    before = f"({year}-1)"
    return f"365*{before}+INT({before}/4)-INT({before}/100)+INT({before}/400)-719162"


def _stored_start(year: int | None) -> Value:
    return "" if year is None else float((datetime(year, 1, 1) - EPOCH).days)


def _stored_length(year: int | None) -> Value:
    return "" if year is None else 365.0 + isleap(year)
