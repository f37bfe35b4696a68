"""Formulas that read the text of a cell: its spaces, and the numbers, dates and times of day that it can be."""

import re
from collections.abc import Sequence

from backpropd.export.xlsx_examples import Cell
from backpropd.tabular.cycles import HOURS

EMPTY = '""'
NO_BREAK_SPACE = "\u00a0"
"""Written as it is: which character CHAR(160) is depends on the code page, and TRIM leaves it."""
SPACES = (
    f'SUBSTITUTE(SUBSTITUTE(SUBSTITUTE(SUBSTITUTE(#,"{NO_BREAK_SPACE}"," "),CHAR(9)," "),CHAR(10)," "),CHAR(13)," ")'
)
"""The text of the cell #, with spaces for no-break spaces, tabs and line breaks."""
TRIMMED = f"TRIM({SPACES})"
"""Without spaces at its ends; of several within it one remains."""
TYPED = f'IF(ISNUMBER(#),"",{TRIMMED})'
"""The same, and empty for a number: how it is written depends on the program."""
TYPED_TIME = f'IF(ISNUMBER(#),"",IF(MID({TRIMMED},2,1)=":","0","")&{TRIMMED})'
"""The same with two digits of the hour."""
BOOLEAN = f'IF(ISLOGICAL(#),IF(#,"true","false"),LOWER({TRIMMED}))'
DECIMAL_SIGN = "MID(1/2,2,1)"
"""That of the program: a point or a comma."""

_DATE = "9999-99-99"


def _constants(texts: Sequence[str]) -> str:
    return "{" + ",".join(f'"{each}"' for each in texts) + "}"


_DATES = _constants([_DATE, *(f"{_DATE}{t}{clock}" for t in "T " for clock in ("99:99", "99:99:99"))])
_BEFORE_FRACTION = (f"{_DATE}T99:99:99.", f"{_DATE} 99:99:99.")
_TIMES = _constants([f"{clock}{half}" for clock in ("99:99", "99:99:99") for half in ("", " AM", " PM")])


def stripped(cell: str, spaces: str) -> str:
    """The text of a cell without spaces at its ends; `spaces` refers to its `SPACES`.

    It is the part from the first to the last character of TRIM, which also removes spaces within the text.
    """
    start, last = f"FIND(LEFT(TRIM({spaces}),1),{spaces})", f"RIGHT(TRIM({spaces}),1)"
    count = f'LEN({spaces})-LEN(SUBSTITUTE({spaces},{last},""))'
    end = f"FIND(CHAR(1),SUBSTITUTE({spaces},{last},CHAR(1),{count}))"
    return f"IF(TRIM({spaces})={EMPTY},{EMPTY},MID({cell},{start},1+{end}-{start}))"


def shape(text: str) -> str:
    """The text with 9 for every digit."""
    for digit in range(9):
        text = f'SUBSTITUTE({text},"{digit}","9")'
    return text


def number(cell: str, text: str) -> str:
    """A number, or a text like `-1234.5` or `1e6`, with a decimal point or the program's sign. Else an error.

    VALUE takes dates, times and percentages, too, but not with an exponent: a text without one gets `E0`.
    """
    own = f'SUBSTITUTE(SUBSTITUTE(SUBSTITUTE(UPPER({text}),{DECIMAL_SIGN},"."),",","x"),".",{DECIMAL_SIGN})'
    exponent = f'IF(ISERROR(FIND("E",UPPER({text}))),"E",IF(ISERROR(VALUE(RIGHT({text},1))),"x",""))'
    marked = f'SUBSTITUTE(SUBSTITUTE(SUBSTITUTE({own}&{exponent},"E+","E"),"E","E0"),"E0-","E-0")'
    return f"IF(ISNUMBER({cell}),{cell},VALUE({marked}))"


def hours(cell: str, text: str, shape_of_text: str) -> str:
    """Hours of a time of the program, or of a text like `9:30`, `13:30:05.25` or `1:30 PM`. Else an error."""
    fraction = _has_fraction(shape_of_text, ["99:99:99."])
    hour, minute = f"VALUE(LEFT({text},2))", f"VALUE(MID({text},4,2))"
    second = f'IF(MID({shape_of_text},6,1)=":",VALUE(MID({text},7,2)),0)'
    of_half = f'IF(AND({hour}>0,{hour}<13),MOD({hour},12)+IF(RIGHT({text},2)="PM",12,0),NA())'
    total = f'IF(RIGHT({text},1)="M",{of_half},{hour})+{minute}/60+({second}+{_fraction(text, 9, fraction)})/3600'
    is_time = f"OR({shape_of_text}={_TIMES},{fraction})"
    of_text = f"IF({is_time},IF(AND({hour}<24,{minute}<60,{second}<=60),{total},NA()),NA())"
    return f"IF(ISNUMBER({cell}),IF(AND({cell}>=0,{cell}<1),{cell}*{HOURS},NA()),{of_text})"


def year_of_text(text: str, shape_of_text: str) -> str:
    """The year of a date in ISO 8601 without a time zone. Else an error."""
    fraction = _has_fraction(shape_of_text, _BEFORE_FRACTION)
    year = f"VALUE(LEFT({text},4))"
    return f"IF(OR({shape_of_text}={_DATES},{fraction}),IF(AND({year}>0,EXACT({text},UPPER({text}))),{year},NA()),NA())"


def month_of_text(text: str) -> str:
    """The month. An error if there is none of this number."""
    month = f"VALUE(MID({text},6,2))"
    return f"IF(AND({month}>0,{month}<13),{month},NA())"


def day_of_text(text: str, year: str, month: str) -> str:
    """The day of the month. An error if the month has not as many."""
    day = f"VALUE(MID({text},9,2))"
    days = f"IF({month}=2,28+IF({is_leap(year)},1,0),30+MOD({month}+INT({month}/8),2))"
    return f"IF(AND({day}>0,{day}<={days}),{day},NA())"


def time_of_text(text: str) -> str:
    """The time as a fraction of a day, 0 where a date has none. An error if a day has no such time."""
    hour, minute, second = (f'VALUE("0"&MID({text},{start},2))' for start in (12, 15, 18))
    total = f"({hour}*3600+{minute}*60+{second}+{_fraction(text, 20, f'LEN({text})>20')})/86400"
    return f"IF(AND({hour}<24,{minute}<60,{second}<=60),{total},NA())"


def is_leap(year: str) -> str:
    """Whether a year has 366 days."""
    return f"OR(MOD({year},400)=0,AND(MOD({year},4)=0,MOD({year},100)<>0))"


def stored_trimmed(raw: Sequence[Cell]) -> list[str]:
    """What `TRIMMED` gives."""
    return [" ".join(filter(None, each.split(" "))) for each in stored_spaces(raw)]


def stored_typed(raw: Sequence[Cell]) -> list[str]:
    """What `TYPED` gives."""
    return stored_trimmed([each if isinstance(each, str) else None for each in raw])


def stored_spaces(raw: Sequence[Cell]) -> list[str]:
    """What `SPACES` gives."""
    return [re.sub(f"[{NO_BREAK_SPACE}\t\n\r]", " ", each) for each in _texts(raw)]


def stored_stripped(raw: Sequence[Cell]) -> list[str]:
    """What `stripped` gives."""
    return [each.strip(f" {NO_BREAK_SPACE}\t\n\r") for each in _texts(raw)]


def stored_shape(text: str) -> str:
    """What `shape` gives."""
    return re.sub("[0-8]", "9", text)


def _texts(raw: Sequence[Cell]) -> list[str]:
    return ["" if each is None else each if isinstance(each, str) else f"{each:.15g}" for each in raw]


def _has_fraction(shape_of_text: str, beginnings: Sequence[str]) -> str:
    """Whether there are one to nine digits behind one of the beginnings, all of which are equally long."""
    length = len(beginnings[0])
    rest = f"MID({shape_of_text},{length + 1},99)"
    digits = f'AND(LEN({rest})>0,LEN({rest})<10,SUBSTITUTE({rest},"9","")="")'
    return f"AND(OR(LEFT({shape_of_text},{length})={_constants(beginnings)}),{digits})"


def _fraction(text: str, point: int, present: str) -> str:
    """The fraction of a second behind a point, or 0."""
    digits = f"MID({text},{point + 1},6)"
    return f"IF({present},VALUE({digits})/10^LEN({digits}),0)"
