"""Cells in plain characters, and their shapes: `1.299,99` has the shape `9.999,99`, `02134` the shape `09999`."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MINUS_SIGNS = "[\u2010-\u2013\u2212\ufe63\uff0d]"
SPACES = "[\u00a0\u2000-\u200a\u202f\u205f\u3000]"
# Soft hyphens, zero-width spaces, byte order marks, and marks of the writing direction; not the joiners of letters.
WITHOUT_WIDTH = "[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]"
# Accents, Japanese voicing marks and Korean letters that composed characters have, too; and second code points of a
# character, such as the signs of Kelvin, Angstrom and Ohm.
NOT_COMPOSED = (
    "[\u0300-\u036f\u3099\u309a\u1161-\u1175\u11a8-\u11c2"
    "\u0374\u037e\u0387\u1f71-\u1fff\u2126\u212a\u212b\u2329\u232a\uf900-\ufaff]"
)
APOSTROPHES = "[\u2019\u02bc\u00b4`]"
# Other scripts' digits from their zeros, their marks of numbers, and those of full width.
OTHER_DIGITS = str.maketrans(
    {chr(ord(zero) + n): str(n) for zero in "\u0660\u06f0\u0966\u09e6\u0e50\uff10" for n in range(10)}
    | dict(zip("\u066b\u066c\u066a\uff0e\uff0c\uff05\uff0b\uffe5\uff04\uffe1", ".,%.,%+\u00a5$\u00a3", strict=True))
)
OTHER_DIGIT = f"[{''.join(map(chr, OTHER_DIGITS))}]"
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
POWER_OF_TEN = re.compile(r"(?<=[0-9]) ?[×·⋅] ?10(?:\^([-+]?[0-9]{1,3})|([⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}))$")
LONGEST_RUN = 9  # digits; longer runs have the shape of this one
MAX_DIFFERENT = 0.5  # of the cells
LONG_RUN = "9{10,}"


def tidy(cells: pa.StringArray) -> pa.StringArray:
    """Every minus sign as `-`, space as ` `, apostrophe as `'` and digit of another script as `0` to `9`, trimmed.

    A power of ten, as `×10³`, becomes `e3`. Characters without width are left out, and accents are composed.
    """
    if not is_ascii(cells):
        cells = composed(cells)
        for pattern, plain in ((MINUS_SIGNS, "-"), (SPACES, " "), (APOSTROPHES, "'"), (WITHOUT_WIDTH, "")):
            cells = pc.replace_substring_regex(cells, pattern, plain)
        if pc.any(pc.match_substring_regex(cells, OTHER_DIGIT)).as_py():
            cells = pa.array([cell and cell.translate(OTHER_DIGITS) for cell in cells.to_pylist()], pa.string())
        cells = pc.ascii_trim_whitespace(cells)
        if pc.any(pc.match_substring_regex(cells, "[×·⋅] ?10")).as_py():
            cells = pa.array([cell and POWER_OF_TEN.sub(_exponent, cell) for cell in cells.to_pylist()], pa.string())
    return pc.ascii_trim_whitespace(cells)


def _exponent(found: re.Match[str]) -> str:
    return "e" + (found[1] or found[2].translate(SUPERSCRIPTS))


def trimmed(cells: pa.StringArray) -> pa.StringArray:
    """Strings (n,) without characters of no width, and without spaces around them; accents are composed."""
    if not is_ascii(cells):
        cells = composed(cells)
        cells = pc.replace_substring_regex(cells, WITHOUT_WIDTH, "")
    return pc.utf8_trim_whitespace(cells)


def composed(cells: pa.StringArray) -> pa.StringArray:
    """Strings (n,) in which a letter and its accents are one character (the normal form NFC of Unicode)."""
    if not pc.any(pc.match_substring_regex(cells, NOT_COMPOSED)).as_py():
        return cells
    return pc.utf8_normalize(cells, "NFC")


def trimmed_or_missing(cells: pa.StringArray) -> pa.StringArray:
    """As `trimmed`, null where nothing is left."""
    plain = trimmed(cells)
    return pc.if_else(pc.equal(plain, ""), pa.scalar(None, pa.string()), plain)


def shapes(cells: pa.StringArray) -> tuple[pa.StringArray, NDArray[np.bool_]]:
    """The shapes (n,) of cells without nulls, and which cells (n,) contain a digit.

    Every digit becomes a 9, except that a 0 which is the cell's first digit remains, and the 2, 3 or 100 of a unit
    (`m2`, `l/100km`).
    """
    cells = pa.concat_arrays([cells])  # without an offset
    edges, characters = _edges(cells), _characters(cells).copy()
    digits = np.flatnonzero(characters - np.uint8(ord("0")) < 10)
    first = np.searchsorted(digits, edges[:-1])
    has_digit = first < len(digits)
    has_digit[has_digit] = digits[first[has_digit]] < edges[1:][has_digit]
    first_digits = digits[first[has_digit]]
    zeros = first_digits[characters[first_digits] == ord("0")]
    kept = np.concatenate([zeros, _powers(characters, digits, edges), *_hundreds(characters)])
    values = characters[kept]
    characters[digits] = ord("9")
    characters[kept] = values
    shaped = pa.StringArray.from_buffers(len(cells), cells.buffers()[1], pa.py_buffer(characters.tobytes()))
    return pc.replace_substring_regex(shaped, LONG_RUN, "9" * LONGEST_RUN), has_digit


def _powers(characters: NDArray[np.uint8], digits: NDArray[np.intp], edges: NDArray[Any]) -> NDArray[np.intp]:
    """The offsets of single digits 2 and 3 behind a letter or `^` within a cell."""
    found = digits[(characters[digits] == ord("2")) | (characters[digits] == ord("3"))]
    padded = np.concatenate([characters, np.zeros(2, np.uint8)])  # -1 and the end are outside
    before, after = padded[found - 1], padded[found + 1]
    is_letter = ((before | 0x20) - np.uint8(ord("a")) < 26) | (before == ord("^"))
    is_single = ~(after - np.uint8(ord("0")) < 10) | np.isin(found + 1, edges)
    powers: NDArray[np.intp] = found[is_letter & is_single & ~np.isin(found, edges)]
    return powers


def _hundreds(characters: NDArray[np.uint8]) -> list[NDArray[np.intp]]:
    """The offsets of the digits of `/100`, the first ones, the second ones and the third ones."""
    slashes = np.flatnonzero(characters[:-3] == ord("/"))
    for n, digit in enumerate(b"100", 1):
        slashes = slashes[characters[slashes + n] == digit]
    return [slashes + n for n in (1, 2, 3)]


def by_value(function: Callable[[pa.StringArray], pa.Array], cells: pa.StringArray) -> pa.Array:
    """The function's values for cells (n,), computed once for each different cell where they repeat."""
    encoded = cells.dictionary_encode()
    if len(encoded.dictionary) > MAX_DIFFERENT * len(cells):
        return function(cells)
    return function(encoded.dictionary).take(encoded.indices)


def is_ascii(cells: pa.StringArray) -> bool:
    """Whether all characters up to the end of the last cell are ASCII."""
    characters = _characters(cells)
    return not len(characters) or bool(characters.max() < 128)


def _edges(cells: pa.StringArray) -> NDArray[Any]:
    """The offsets (n + 1,) of the cells in their characters."""
    return np.frombuffer(cells.buffers()[1], np.int32)[cells.offset : cells.offset + len(cells) + 1]


def _characters(cells: pa.StringArray) -> NDArray[np.uint8]:
    """The bytes up to the end of the last cell."""
    buffer = cells.buffers()[2]
    if buffer is None or not len(cells):
        return np.empty(0, np.uint8)
    return np.frombuffer(buffer, np.uint8)[: _edges(cells)[-1]]
