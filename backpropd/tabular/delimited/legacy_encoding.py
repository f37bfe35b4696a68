"""The encoding of a text that is not Unicode, from its words with bytes beyond ASCII.

The letters of each language decide between the encodings with a byte for each letter; chardet ranks those of East Asia.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import chardet

from backpropd.tabular.delimited.legacy_letters import ENCODINGS, decoded, score
from backpropd.tabular.delimited.text_file import WINDOWS_1252

MAX_CELL_BYTES = 64 * 1024
SAMPLE_BYTES = 4 * 1024  # of cells whose letters are looked at
MAX_WORD_BYTES = 64
MAX_SHOWN = 40  # characters of a cell
CHUNK_BYTES = 256 * 1024
CELL = re.compile(rb"[^,;\t\"\r\n]*[\x80-\xff][^,;\t\"\r\n]*")
WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
HIGH = re.compile(rb"[\x80-\xff]")
UTF8_CHARACTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
# A character as UTF-8 encodes it between ASCII, which hardly occurs in other encodings of Latin letters.
UTF8_LETTER = re.compile(rb"(?<![\x80-\xff])(" + UTF8_CHARACTER.pattern + rb")(?![\x80-\xff])")
EAST_ASIAN = {"cp932": 1.1, "euc_jis_2004": 1.0, "gb18030": 1.1, "big5hkscs": 1.0, "cp949": 1.0, "johab": 0.9}
NAMES = {"euc_jis_2004": ("euc_jp",), "big5hkscs": ("big5", "cp950")}  # the usual name where it suffices
FOREIGN_SHARE = 0.5  # of the letters in words with bytes beyond ASCII; in Latin they are fewer
EAST_ASIAN_PRIOR = 0.3
KANA, IDEOGRAPH, OTHER_SIGN = math.log(1 / 100), math.log(1 / 1000), math.log(1e-6)  # likelihood of a character
# As logarithms: how much more likely another reading must be than Windows-1252, and the certain one than the next.
LEAD, CERTAIN = 3.0, 4.5


class LegacyEncoding(NamedTuple):
    """Python's name of an encoding, whether it is clearly the most likely, a cell in it, and in the next likely one."""

    name: str
    is_certain: bool
    cell: str
    other: str
    other_cell: str


def legacy_encodings(path: Path) -> list[LegacyEncoding]:
    """The likely encodings, the most likely first, down to Windows-1252; usual subsets of one stand before it."""
    cells = _cells(path)
    sample = _spread(cells)
    found_words = (word[:MAX_WORD_BYTES] for cell in cells for word in WORD.findall(cell) if len(word) > 1)
    words = _spread(list(dict.fromkeys(found_words)))
    if not words:
        return [LegacyEncoding(WINDOWS_1252, True, "", "", "")]
    scores = {encoding: score(words, encoding) for encoding in ENCODINGS}
    found = {encoding: value for encoding, value in scores.items() if value is not None}
    if sum(len(HIGH.findall(word)) for word in words) >= FOREIGN_SHARE * sum(map(len, words)):
        found |= _east_asian(cells, sample)
    found["cp1252"] += LEAD
    ranked = sorted(found, key=lambda encoding: -found[encoding])
    likely = ranked[: ranked.index("cp1252") + 1]
    return [each for encoding in likely for each in _described(encoding, ranked, found, cells)]


def _described(encoding: str, ranked: list[str], scores: dict[str, float], cells: list[bytes]) -> list[LegacyEncoding]:
    """An encoding and its subsets, each with the next most likely encoding in which a cell differs."""
    for other in ranked[ranked.index(encoding) + 1 :]:
        for cell in cells:
            here, there = (decoded(cell, each, "replace").strip()[:MAX_SHOWN] for each in (encoding, other))
            if here != there:
                is_certain = scores[encoding] - scores[other] >= CERTAIN
                return [LegacyEncoding(name, is_certain, here, other, there) for name in _names(encoding)]
    return [LegacyEncoding(name, True, "", "", "") for name in _names(encoding)]


def _names(encoding: str) -> tuple[str, ...]:
    return (WINDOWS_1252,) if encoding == "cp1252" else (*NAMES.get(encoding, ()), encoding)


def _east_asian(cells: list[bytes], sample: list[bytes]) -> dict[str, float]:
    """The most likely encoding of East Asia with the sample's score, none where that cannot be decoded in one."""
    ranked = chardet.detect_all(
        b"\n".join(cells),
        ignore_threshold=True,
        compat_names=False,
        include_encodings=(*EAST_ASIAN, "cp1252"),  # chardet's answer where none fits
        max_bytes=MAX_CELL_BYTES,
    )
    ranks = {str(each["encoding"]): each["confidence"] for each in ranked if each["encoding"] in EAST_ASIAN}
    best = max(ranks, key=lambda encoding: ranks[encoding] * EAST_ASIAN[encoding], default=None)
    text = "".join(cell.decode(best, "replace") for cell in sample) if best else ""
    return {best: math.log(EAST_ASIAN_PRIOR) + sum(map(_of_sign, text))} if best else {}


def _of_sign(sign: str) -> float:
    if sign.isascii():
        return 0.0
    if "\u3040" <= sign <= "\u30ff":
        return KANA
    return IDEOGRAPH if "\u4e00" <= sign <= "\u9fff" or "\uac00" <= sign <= "\ud7a3" else OTHER_SIGN


def _spread(texts: list[bytes]) -> list[bytes]:
    """Some of the texts, of about SAMPLE_BYTES in all, from the beginning to the end."""
    step = -(-sum(map(len, texts)) // SAMPLE_BYTES) or 1
    return [text[:SAMPLE_BYTES] for text in texts[::step]]


def _cells(path: Path) -> list[bytes]:
    """The first different cells with bytes beyond ASCII."""
    cells: dict[bytes, None] = {}
    size = 0
    for cell in _all_cells(path):
        if cell not in cells:
            cells[cell] = None
            size += len(cell)
            if size > MAX_CELL_BYTES:
                break
    return list(cells)


def _all_cells(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            if not chunk.isascii():
                yield from CELL.findall(chunk)
