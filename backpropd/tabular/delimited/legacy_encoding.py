"""The encoding of a text that is not Unicode, from its words with bytes beyond ASCII.

Words of mostly such bytes are of another alphabet, which charset-normalizer tells. Others are Latin, where it is no
help (it takes German for Central European): that encoding is chosen in which the fewest words look odd.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from charset_normalizer import from_bytes

from backpropd.tabular.delimited.text_file import WINDOWS_1252

MAX_CELL_BYTES = 64 * 1024
CHUNK_BYTES = 256 * 1024
CELL = re.compile(rb"[^,;\t\"\r\n]*[\x80-\xff][^,;\t\"\r\n]*")
WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
HIGH = re.compile(rb"[\x80-\xff]")
# A character as UTF-8 encodes it between ASCII, which hardly occurs in other encodings of Latin letters.
UTF8_LETTER = re.compile(
    rb"(?<![\x80-\xff])([\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})(?![\x80-\xff])"
)
OTHER_ALPHABETS = (
    "cp1251", "koi8_r", "cp866", "cp1253", "cp1255", "cp1256", "cp932", "euc_jp", "gb18030", "big5", "cp949",
)  # fmt: skip
LATIN = ("cp1254", "cp1250", "iso8859_2", "mac_roman", "cp850")
# In Windows-1252 these stand within or beside words; any other mark beside a letter is odd, and so is a capital within.
USUAL_MARKS = "’‘“”„‚–—…«»°€£ ®™´`ºª¿¡"
ODD_WORD = re.compile(
    rf"[^\W\d_][^\w{USUAL_MARKS}]|[^\w{USUAL_MARKS}][^\W\d_]|[a-zß-ÿ][A-ZÀ-ÞŠŽŸ]|\ufffd|[^\W\d_][¿¡]|[£¹²³][a-zß-ÿ]"
)
# Letters, others beside them, and others that are absent, as in no language of Western Europe: read so, a text is
# Czech, Hungarian or Turkish.
CLASHES = (("ìèòù", "ø", ""), ("õû", "áíóú", "ãçêâ"), ("ðýþÐÝÞ", "", "áíóúæø"))
WESTERN = ("cp1252", "cp1254")
# Two bytes of kana or of a usual kanji in Shift JIS; in the other encodings of East Asia such signs are rare.
USUAL_JAPANESE = re.compile(rb"[\x81-\x98][\x40-\x7e\x80-\xfc]")
USUAL_SHARE = 0.8
# Hebrew letters alone, of which those for the end of a word stand nowhere else.
HEBREW_WORD = re.compile(rb"(?:[\xe0-\xe9\xeb\xec\xee\xf0-\xf2\xf4\xf6-\xfa]+[\xea\xed\xef\xf3\xf5]?)")
# Thai consonants, each perhaps between a vowel before it and marks above and below it.
THAI_WORD = re.compile(rb"(?:[\xe0-\xe4]?[\xa1-\xce][\xd0-\xda\xe7-\xee]{0,3}|[\xcf\xe5\xe6])+")
ODD_SHARE = 10  # a tenth of the words
FOREIGN_SHARE = 0.5
MIN_FOREIGN_BYTES = 6


def legacy_encoding(path: Path) -> str:
    """Python's name of the most likely encoding."""
    cells = _cells(path)
    joined = b"\n".join(cells)
    words = [
        word for word in (each.strip(USUAL_MARKS.encode("cp1252")) for each in WORD.findall(joined)) if len(word) > 1
    ]
    high = sum(len(HIGH.findall(word)) for word in words)
    if high >= max(MIN_FOREIGN_BYTES, FOREIGN_SHARE * sum(map(len, words))):
        if all(map(HEBREW_WORD.fullmatch, words)):
            return "cp1255"
        if _is_japanese(joined):
            return "cp932"
        best = from_bytes(joined, cp_isolation=list(OTHER_ALPHABETS)).best()
        if best is not None and best.encoding in OTHER_ALPHABETS:
            return best.encoding
        if all(map(THAI_WORD.fullmatch, WORD.findall(joined))):
            return "cp874"
    odd = {encoding: _odd_words(words, encoding) for encoding in ("cp1252", *LATIN)}
    best_latin = min(odd, key=lambda encoding: odd[encoding])
    if odd["cp1252"] * ODD_SHARE > len(words) and odd[best_latin] * 2 < odd["cp1252"]:
        return best_latin
    return WINDOWS_1252


def _is_japanese(text: bytes) -> bool:
    """Whether a text can be Shift JIS, and most of its signs are then usual ones."""
    try:
        signs = sum(not each.isascii() for each in text.decode("cp932"))
    except UnicodeDecodeError:
        return False
    return len(USUAL_JAPANESE.findall(text)) >= USUAL_SHARE * signs


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


def _odd_words(words: list[bytes], encoding: str) -> int:
    """The number of words that no language writes so."""
    decoded = [word.decode(encoding, "replace") for word in words]
    odd = sum(bool(ODD_WORD.search(word)) for word in decoded)
    if encoding == "iso8859_2":  # has letters for all bytes of UTF-8
        odd += sum(bool(UTF8_LETTER.search(word)) for word in words)
    if encoding in WESTERN:
        text = set("".join(decoded))
        for letters, beside, absent in CLASHES:
            if (not beside or text & set(beside)) and not text & set(absent):
                odd += sum(any(each in word for each in letters) for word in decoded)
    return odd
