"""The notation that fits the most cells of a column, from the shapes of its cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backpropd.tabular.cells.notation import CURRENCY, MULTIPLIERS, NEED_COMPANY, NUMBER_MARKS, NumberNotation

UNIT = r"[+\"]|[^\s\"0-9.,'()+\-:/_#*&=<>~\\|;!?][^0-9()]{0,14}[23]?(?:/[^0-9()]{1,8}[23]?)?"
NUMBER = re.compile(
    rf"\(?[-+]? ?(?P<prefix>{CURRENCY.pattern})? ?[-+]?(?:[0-9][0-9.,' ]*[0-9]|[0-9]|[.,][0-9]+)(?:[.,]-{{0,2}})?"
    rf"(?:[eE][-+]?[0-9]+)?(?P<suffix> ?(?:{UNIT}))?-?\)?"
)
LEADING_ZERO = re.compile(r"[-+(]*0[0-9]")
SHARE_OF_UNIT = 0.9  # of the cells that are numbers; a currency or % may be rarer
MIN_UNITS = 2  # `3 wheels` in a single cell is a description


@dataclass(frozen=True)
class NumberGuess:
    """A notation, the cells that fit it, and another notation that fits the same cells but gives other numbers.

    `leading_zeros`: a number begins as `007` does. `decimals`: a cell shows the decimal mark. `in_any_unit` counts the
    cells that look like numbers in this or another unit or currency.
    """

    notation: NumberNotation
    fitting: int
    alternative: NumberNotation | None
    leading_zeros: bool
    decimals: bool
    in_any_unit: int = 0

    @property
    def has_marks_alone(self) -> bool:
        """Whether numbers have no currency, unit or multiplier, which another table's numbers may not share."""
        notation = self.notation
        return not (notation.prefix or notation.multipliers or notation.unit)


def infer_numbers(
    shapes: Mapping[str, int], decimal: str | None = None, thousands: str | None = None
) -> NumberGuess | None:
    """The notation that fits the most cells, None if no cell looks like a number.

    `decimal` and `thousands` are the marks that are said to be used; where no cell has them, others are tried.
    """
    found = [(match, count) for shape, count in shapes.items() if (match := NUMBER.fullmatch(shape))]
    if not found:
        return None
    prefix, unit, multipliers = _affixes(found)
    marks = [
        each
        for each in NUMBER_MARKS
        if decimal in (None, each[0]) and (thousands is None or each[1] in ("", thousands))
    ]
    numbers = {match[0]: count for match, count in found}
    guesses = [_fit(NumberNotation(*each, prefix, unit, multipliers), numbers) for each in marks]
    best = max(guesses, key=lambda guess: guess.fitting)  # the first of them
    if not best.fitting and not (decimal is None and thousands is None):
        return infer_numbers(shapes)
    in_any_unit = sum(count for match, count in found if match["prefix"] or match["suffix"])
    return replace(_with_alternative(best, guesses), in_any_unit=in_any_unit)


def _affixes(found: Sequence[tuple[re.Match[str], int]]) -> tuple[str, str, bool]:
    """The prefix and the unit of a column, and whether its numbers end with multipliers."""
    total = sum(count for _, count in found)
    prefixes = Counter[str]()
    suffixes = Counter[str]()
    for match, count in found:
        prefixes[match["prefix"] or ""] += count
        suffixes[match["suffix"] or ""] += count
    del prefixes[""], suffixes[""]
    prefix = prefixes.most_common(1)[0][0] if prefixes else ""
    if _are_multipliers(suffixes):
        return prefix, "", True
    units = Counter[str]()
    for suffix, count in suffixes.items():
        units[suffix.strip()] += count
    if not units:
        return prefix, "", False
    unit, count = units.most_common(1)[0]
    shared = count >= max(SHARE_OF_UNIT * total, MIN_UNITS) or CURRENCY.fullmatch(unit) or unit == "%"
    return prefix, unit if shared else "", False


def _are_multipliers(suffixes: Mapping[str, int]) -> bool:
    words = Counter[str]()
    for suffix, count in suffixes.items():
        if suffix.strip() in MULTIPLIERS:
            words[suffix] += count
    if words.total() < SHARE_OF_UNIT * sum(suffixes.values()) or not words:
        return False
    alone = {word.strip() for word in words}
    return len(alone) > 1 or not (alone <= NEED_COMPANY or words.keys() <= {" K"})  # 300 K are kelvins


def _fit(notation: NumberNotation, shapes: Mapping[str, int]) -> NumberGuess:
    pattern = re.compile(notation.pattern)
    found = [(match, shapes[shape]) for shape in shapes if (match := pattern.match(shape))]
    matches = [(match, count) for match, count in found if (match["open"] is None) == (match["close"] is None)]
    bodies = [match["body"] for match, _ in matches]
    return NumberGuess(
        notation,
        sum(count for _, count in matches),
        None,
        any(LEADING_ZERO.match(body) for body in bodies),
        any(notation.decimal in body for body in bodies),
    )


def _with_alternative(best: NumberGuess, guesses: Sequence[NumberGuess]) -> NumberGuess:
    """Of two readings of `1,234`, thousands; of two readings of `1.234`, decimals; the other is the alternative.

    A separator that only ever stands before groups of three digits is no evidence by itself.
    """
    rivals = [guess for guess in guesses if guess.fitting == best.fitting and guess.decimals != best.decimals]
    if not rivals:
        return best
    chosen, other = best, rivals[0]
    if best.decimals and best.notation.decimal == ",":
        chosen, other = other, best
    return NumberGuess(chosen.notation, chosen.fitting, other.notation, chosen.leading_zeros, chosen.decimals)
