"""The notation that fits the most cells of a column, from the shapes of its cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from backpropd.tabular.cells.notation import (
    BYTES,
    CURRENCY,
    LIMIT,
    MULTIPLES_OF_BYTES,
    MULTIPLIERS,
    NEED_COMPANY,
    NOTE,
    NUMBER_MARKS,
    NumberNotation,
    singular,
)

Found = Sequence[tuple[re.Match[str], int]]

UNIT = (
    r"[+\"]|(?!Uhr$|[°º] ?[NESW]$)[^\s\"0-9.,'()+\-:/_#*&=<>~\\|;!?][^0-9()]{0,14}[23]?"
    r"(?:/(?:100 ?)?[^0-9()]{1,8}[23]?)?"
)
NUMBER = re.compile(
    rf"(?:(?P<before>{CURRENCY.pattern}) *)?\(? ?[-+]? ?(?P<prefix>{CURRENCY.pattern})? *[-+]?"
    rf"(?:[0-9][0-9.,' ]*[0-9]|[0-9]|[.,][0-9]+)(?:[.,]-{{0,2}})?"
    rf"(?:[eE][-+]?[0-9]+)?(?P<suffix> ?(?:{UNIT}))?-? ?\)?(?P<after> ?(?:{CURRENCY.pattern}|%))?"
)
LEADING_ZERO = re.compile(r"[-+(]*0[0-9]")
ANNOTATED = re.compile(f"(?P<limit>{LIMIT})?(?P<number>.*?)(?P<note>{NOTE})?")
ORDINAL = re.compile("(?:st|nd|rd|th)\\b")  # 1st and 2nd class are no units
PHONE_NUMBER = re.compile(r"\+ ?[0-9](?: ?[0-9]){6,}")
SHARE_OF_UNIT = 0.9  # of the cells that are numbers; a currency or % may be rarer
MARK_WITHIN = re.compile(r"[0-9][.,][0-9]")
LETTERS_OF_CODES = frozenset("KMBTGmb")  # behind whole numbers they may as well be a part of a code, as in 12B
MIN_AMOUNT_DIGITS = 3
MIN_UNITS = 2  # `3 wheels` in a single cell is a description


@dataclass(frozen=True)
class NumberGuess:
    """A notation, the cells that fit it, and another notation that fits the same cells but gives other numbers.

    `leading_zeros` counts the numbers that begin as `007` does. `decimals`: a cell shows the decimal mark.
    `in_any_unit` counts the cells that look like numbers in this or another unit or currency, `without_unit` those that
    fit and lack the notation's, `annotated` those with a limit or a note, `in_parentheses` those that fit and stand so.
    """

    notation: NumberNotation
    fitting: int
    alternative: NumberNotation | None
    leading_zeros: int
    decimals: bool
    without_unit: int = 0
    in_any_unit: int = 0
    annotated: int = 0
    in_parentheses: int = 0

    @property
    def has_marks_alone(self) -> bool:
        """Whether numbers have no currency, unit or multiplier, which another table's numbers may not share."""
        notation = self.notation
        return not (notation.prefix or notation.multipliers or notation.unit or notation.annotated)


def infer_numbers(
    shapes: Mapping[str, int], decimal: str | None = None, thousands: str | None = None
) -> NumberGuess | None:
    """The notation that fits the most cells, None if no cell looks like a number.

    `decimal` and `thousands` are the marks that are said to be used; where no cell has them, others are tried.
    """
    annotated = _annotated(shapes)
    found = [
        (match, count) for shape, count in shapes.items() if (match := annotated.get(shape) or NUMBER.fullmatch(shape))
    ]
    if not found or _are_phone_numbers(found):
        return None
    prefix, unit, multipliers = _affixes(found)
    marks = [
        each
        for each in NUMBER_MARKS
        if decimal in (None, each[0]) and (thousands is None or each[1] in ("", thousands))
    ]
    numbers = {shape: count for shape, count in shapes.items() if shape in annotated or NUMBER.fullmatch(shape)}
    guesses = [_fit(NumberNotation(*each, prefix, unit, multipliers, bool(annotated)), numbers) for each in marks]
    best = max(guesses, key=lambda guess: guess.fitting)  # the first of them
    if not best.fitting and not (decimal is None and thousands is None):
        return infer_numbers(shapes)
    in_any_unit = sum(
        count for match, count in found if (_prefix(match) or _suffix(match)) and not ORDINAL.match(_suffix(match))
    )
    notes = sum(shapes[shape] for shape in annotated)
    return replace(_with_alternative(best, guesses), in_any_unit=in_any_unit, annotated=notes)


def _annotated(shapes: Mapping[str, int]) -> dict[str, re.Match[str]]:
    """The shapes of numbers with a limit or a note beside them, and their numbers, where at least as many are bare."""
    found: dict[str, re.Match[str]] = {}
    for shape in shapes:
        parts = ANNOTATED.fullmatch(shape)
        if parts and (parts["limit"] or parts["note"]) and (number := NUMBER.fullmatch(parts["number"])):
            found[shape] = number
    notes = sum(shapes[shape] for shape in found)
    bare = sum(count for shape, count in shapes.items() if shape not in found and NUMBER.fullmatch(shape))
    return found if 0 < notes <= bare else {}


def _are_phone_numbers(found: Found) -> bool:
    """Whether most of the cells begin with a plus and have at least seven digits, perhaps with spaces, and no point."""
    phones = sum(count for match, count in found if PHONE_NUMBER.fullmatch(match[0]))
    return phones * 2 > sum(count for _, count in found)


def _prefix(match: re.Match[str]) -> str:
    return match["before"] or match["prefix"] or ""


def _suffix(match: re.Match[str]) -> str:
    return match["suffix"] or match["after"] or ""


def _affixes(found: Found) -> tuple[str, str, bool]:
    """The prefix and the unit of a column, and whether its numbers end with multipliers."""
    total = sum(count for _, count in found)
    prefixes = Counter[str]()
    suffixes = Counter[str]()
    for match, count in found:
        prefixes[_prefix(match)] += count
        suffixes[_suffix(match)] += count
    del prefixes[""], suffixes[""]
    prefix = prefixes.most_common(1)[0][0] if prefixes else ""
    if _are_multipliers(suffixes, found):
        words = {suffix.strip() for suffix in suffixes}
        return prefix, BYTES if BYTES in words and words & MULTIPLES_OF_BYTES else "", True
    units = Counter[str]()
    for suffix, count in suffixes.items():
        units[suffix.strip()] += count
    if not units:
        return prefix, "", False
    totals = Counter[str]()
    for unit, count in units.items():
        totals[singular(unit)] += count
    unit, count = totals.most_common(1)[0]
    unit = next((each for each in units if units[each] == count and singular(each) == unit), unit)
    shared = count >= max(SHARE_OF_UNIT * total, MIN_UNITS) or CURRENCY.fullmatch(unit) or unit == "%"
    return prefix, unit if shared else "", False


def _are_multipliers(suffixes: Mapping[str, int], found: Found) -> bool:
    words = Counter[str]()
    for suffix, count in suffixes.items():
        if suffix.strip() in MULTIPLIERS:
            words[suffix] += count
    if words.total() < SHARE_OF_UNIT * sum(suffixes.values()) or not words:
        return False
    alone = {word.strip() for word in words}
    if len(alone) == 1 and (alone <= NEED_COMPANY or words.keys() <= {" K"}):  # 300 K are kelvins
        return False
    return not alone <= LETTERS_OF_CODES or any(_is_amount(match) for match, _ in found)


def _is_amount(match: re.Match[str]) -> bool:
    """Whether a cell is written as no seat or size is: with a currency, a decimal mark, or as three plain digits."""
    digits = sum(character.isdigit() for character in match[0])
    return bool(_prefix(match) or MARK_WITHIN.search(match[0]) or (not _suffix(match) and digits >= MIN_AMOUNT_DIGITS))


def _fit(notation: NumberNotation, shapes: Mapping[str, int]) -> NumberGuess:
    pattern = re.compile(notation.pattern)
    found = [(match, shapes[shape]) for shape in shapes if (match := pattern.match(shape))]
    matches = [(match, count) for match, count in found if (match["open"] is None) == (match["close"] is None)]
    return NumberGuess(
        notation,
        sum(count for _, count in matches),
        None,
        sum(count for match, count in matches if LEADING_ZERO.match(match["body"])),
        any(notation.decimal in match["body"] for match, _ in matches),
        sum(count for match, count in matches if notation.unit not in match[0] and match[0] != "0"),
        in_parentheses=sum(count for match, count in matches if match["open"]),
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
    return replace(chosen, alternative=other.notation)
