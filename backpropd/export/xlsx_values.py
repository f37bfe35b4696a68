"""The sheet of values: what each raw cell is, as a number of a word, a number, hours or days since 1970."""

from __future__ import annotations

import math
from calendar import isleap
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from backpropd.export.xlsx_examples import Cell, kind_of
from backpropd.export.xlsx_sheet import Sheet, Styles, Value
from backpropd.export.xlsx_words import FALSE, TRUE, WordSheet, words_of
from backpropd.tabular import ColumnInfo
from backpropd.tabular.column_encoders import ColumnEncoder, Cyclic, OneHot
from backpropd.tabular.cycles import HOURS
from backpropd.tabular.derived import DerivedFeature
from backpropd.tabular.table import CategoricalColumn, Column

FIRST_ROW = 1  # of the examples
EPOCH = datetime(1970, 1, 1)
EMPTY = '""'
MOST_VALUES = {"date": 8, "boolean": 3}
"""The columns that a raw column of this kind has at most; of other kinds 2."""
Texts = list[str]


class Values(NamedTuple):
    """References to what the examples of a column are, and for dates to the first day and the length of the year."""

    value: Texts
    year_start: Texts
    year_length: Texts


class ValueSheet:
    """The sheet: for each raw column some columns, whose last one is the value, empty where it is missing."""

    def __init__(self, sheet: Sheet, styles: Styles, words: WordSheet, *, only_booleans: bool, rows: int) -> None:
        self.sheet, self.styles, self.words, self.next = sheet, styles, words, 1
        self.missing = "NA()" if only_booleans else EMPTY
        self.only_booleans = only_booleans
        sheet.text(0, 0, "example", styles.head)
        for row in range(rows):
            sheet.number(FIRST_ROW + row, 0, row + 1)
        sheet.freeze(1, 1)

    def add(
        self, info: ColumnInfo, encoder: ColumnEncoder, cells: Texts, raw: Sequence[Cell], column: Column
    ) -> Values:
        """Add a column: `cells` refer to its raw cells, `raw` has their content now, `column` what they are."""
        if kind_of(info) == "words":
            return self._words(info, encoder, cells, raw, column)
        assert not isinstance(column, CategoricalColumn)  # noqa: S101 - for the type checker
        x, is_missing = column.tolist(), self._missing(info, encoder, cells, raw)
        if info.kind == "date":
            by_year = isinstance(encoder, Cyclic) and "month" in encoder.cycles
            return self._dates(info.name, by_year, cells, is_missing, x)
        form = TIME if kind_of(info) == "time" else NUMBER
        read = [form.replace("#", cell) for cell in cells]
        if self.only_booleans:
            read = [f"IF(OR({each}=0,{each}=1),{each},NA())" for each in read]
        found = [f"IF({missing},{self.missing},{each})" for missing, each in zip(is_missing, read, strict=True)]
        return Values(self._column(info.name, found, x), [], [])

    def derive(self, feature: DerivedFeature, columns: Sequence[Texts], x: Sequence[float]) -> Values:
        """Add a derived feature: `columns` refer to the values of its columns, x has its own values now."""
        formula = FORMULAS[feature.operation]
        formulas = [
            f"IF(OR({','.join(f'{each}={EMPTY}' for each in cells)}),{EMPTY},{formula.format(*cells)})"
            for cells in zip(*columns, strict=True)
        ]
        return Values(self._column(feature.name, formulas, ["" if math.isnan(each) else each for each in x]), [], [])

    def _missing(self, info: ColumnInfo, encoder: ColumnEncoder, cells: Texts, raw: Sequence[Cell]) -> Texts:
        """Conditions that a number or a date is missing: its cell is empty, or a marker that the upload named."""
        words = words_of(info, encoder)
        if not words.numbers:
            return [f"TRIM({cell})={EMPTY}" for cell in cells]
        texts = self._column(f"{info.name}: text", [f"TRIM({cell})" for cell in cells], _texts(raw))
        markers = self.words.add(info.name, words, texts, cells, [()] * len(cells))
        return [f"OR({text}={EMPTY},{marker}>0)" for text, marker in zip(texts, markers, strict=True)]

    def _column(self, title: str, formulas: Texts, values: Sequence[Value]) -> Texts:
        """Write a column; gives the references to its cells."""
        column, self.next = self.next, self.next + 1
        self.sheet.text(0, column, title, self.styles.head)
        for row, (formula, value) in enumerate(zip(formulas, values, strict=True), FIRST_ROW):
            self.sheet.formula(row, column, formula, value)
        return [self.sheet.cell(row, column) for row in range(FIRST_ROW, FIRST_ROW + len(formulas))]

    def _words(
        self, info: ColumnInfo, encoder: ColumnEncoder, cells: Texts, raw: Sequence[Cell], column: Column
    ) -> Values:
        """The number of a level, or 0 and 1 of a boolean."""
        assert isinstance(column, CategoricalColumn)  # noqa: S101 - for the type checker
        words = words_of(info, encoder)
        forms = [f"TRIM({cell})" for cell in cells]
        if words.any_case:
            forms = [f'IF(ISLOGICAL({cell}),IF({cell},"true","false"),LOWER(TRIM({cell})))' for cell in cells]
        trimmed = [text.lower() if words.any_case else text for text in _texts(raw)]
        texts = self._column(f"{info.name}: text", forms, trimmed)
        present = [(text,) if words.any_case else (text, str(cell)) for text, cell in zip(trimmed, raw, strict=True)]
        numbers = self.words.add(info.name, words, texts, cells, present)
        now = [
            float(max(words.numbers.get(form, 0) for form in forms) if text else words.missing)
            for text, forms in zip(trimmed, present, strict=True)
        ]
        if isinstance(encoder, OneHot):
            missing = "NA()" if self.only_booleans else str(words.missing)
            found = [f"IF({text}={EMPTY},{missing},{number})" for text, number in zip(texts, numbers, strict=True)]
            return Values(self._column(f"{info.name}: level", found, now), [], [])
        written = [number if text else 0.0 for number, text in zip(now, trimmed, strict=True)]
        numbers = self._column(f"{info.name}: word", numbers, written)
        is_missing = [f"OR({text}={EMPTY},{number}>{TRUE})" for text, number in zip(texts, numbers, strict=True)]
        known = [f"IF({number}=0,NA(),{number}-{FALSE})" for number in numbers]
        found = [f"IF({missing},{self.missing},{each})" for missing, each in zip(is_missing, known, strict=True)]
        return Values(self._column(info.name, found, [each - FALSE if each else "" for each in written]), [], [])

    def _dates(self, name: str, by_year: bool, cells: Texts, is_missing: Texts, days: Sequence[float]) -> Values:
        """Days since 1970 of dates of a spreadsheet, and of texts in ISO 8601 with or without a time."""
        moments = [None if math.isnan(each) else EPOCH + timedelta(seconds=round(each * 86400)) for each in days]

        def part(title: str, of_number: str, of_text: str, now: Callable[[datetime], float]) -> Texts:
            formulas = [
                f"IF({missing},{EMPTY},IF(ISNUMBER({cell}),{of_number},{of_text}))".replace("#", cell)
                for cell, missing in zip(cells, is_missing, strict=True)
            ]
            return self._column(f"{name}: {title}", formulas, ["" if each is None else now(each) for each in moments])

        years = part("year", "YEAR(#)", YEAR_OF_TEXT, lambda each: float(each.year))
        months = part("month", "MONTH(#)", "VALUE(MID(TRIM(#),6,2))", lambda each: float(each.month))
        dates = part("day", "DAY(#)", "VALUE(MID(TRIM(#),9,2))", lambda each: float(each.day))
        times = part("time", "#-INT(#)", TIME_OF_TEXT, lambda each: (each - EPOCH) / timedelta(days=1) % 1)
        formulas = [
            f"IF({year}={EMPTY},{EMPTY},{_days(year, month, date)}+{time})"
            for year, month, date, time in zip(years, months, dates, times, strict=True)
        ]
        values = self._column(f"{name}: days since 1970", formulas, days)
        if not by_year:
            return Values(values, [], [])
        starts = [f"IF({year}={EMPTY},{EMPTY},{_year_start(year)})" for year in years]
        lengths = [f"IF({year}={EMPTY},{EMPTY},365+IF({_is_leap(year)},1,0))" for year in years]
        years_now = [None if each is None else each.year for each in moments]
        return Values(
            values,
            self._column(f"{name}: first day of the year", starts, [_start_now(each) for each in years_now]),
            self._column(f"{name}: days of the year", lengths, [_length_now(each) for each in years_now]),
        )


FORMULAS = {
    "square": "IF(ABS({0})>1E+153,1E+306,{0}*{0})",
    "product": "IF(OR({0}=0,{1}=0),0,IF(LOG10(ABS({0}))+LOG10(ABS({1}))>306,SIGN({0})*SIGN({1})*1E+306,{0}*{1}))",
    "sin": "SIN({0})",
    "log": 'IF({0}>0,LN({0}),"")',
}
"""Derived features; what is too large for a spreadsheet is 1E+306."""
NUMBER = "IF(ISNUMBER(#),#,VALUE(#))"
TIME = f"IF(ISNUMBER(#),#,TIMEVALUE(#))*{HOURS}"
YEAR_OF_TEXT = (
    'IF(AND(MID(TRIM(#),5,1)="-",MID(TRIM(#),8,1)="-",'
    'OR(LEN(TRIM(#))=10,LEN(TRIM(#))=16,LEN(TRIM(#))=19,MID(TRIM(#),20,1)=".")),'
    "VALUE(LEFT(TRIM(#),4)),NA())"
)
"""The year; an error if the text is no date in ISO 8601, or has a time zone."""
TIME_OF_TEXT = (
    '(VALUE("0"&MID(TRIM(#),12,2))*3600+VALUE("0"&MID(TRIM(#),15,2))*60+VALUE("0"&MID(TRIM(#),18,2))'
    '+VALUE("0"&MID(TRIM(#),21,6))/10^LEN(MID(TRIM(#),21,6)))/86400'
)


def _days(year: str, month: str, date: str) -> str:
    """Days since 1970, from a year that begins in March (Hinnant 2021, days_from_civil)."""
    y, of_year = f"({year}-IF({month}<3,1,0))", f"({month}+IF({month}<3,9,-3))"
    return f"365*{y}+INT({y}/4)-INT({y}/100)+INT({y}/400)+INT((153*{of_year}+2)/5)+{date}-719469"


def _year_start(year: str) -> str:
    """The first of January in days since 1970."""
    before = f"({year}-1)"
    return f"365*{before}+INT({before}/4)-INT({before}/100)+INT({before}/400)-719162"


def _is_leap(year: str) -> str:
    return f"OR(MOD({year},400)=0,AND(MOD({year},4)=0,MOD({year},100)<>0))"


def _texts(raw: Sequence[Cell]) -> list[str]:
    """The cells as TRIM gives them."""
    return [
        "" if each is None else " ".join(filter(None, each.split(" "))) if isinstance(each, str) else f"{each:.15g}"
        for each in raw
    ]


def _start_now(year: int | None) -> Value:
    return "" if year is None else float((datetime(year, 1, 1) - EPOCH).days)


def _length_now(year: int | None) -> Value:
    return "" if year is None else 365.0 + isleap(year)
