"""How likely words are in each older encoding, from the letters of the languages that use it.

A word is likely where a language of the encoding has its letters beyond ASCII, and often so. The words of a file may be
of one language or of several. The scores are logarithms of probabilities, with the usualness of the encoding as prior.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from backpropd.tabular.delimited.text_file import WINDOWS_1252

# Language: its share, its letters beyond ASCII from the most frequent on, and letters of ASCII that it hardly has.
LATIN_LETTERS = {
    "de": (1.0, "üäöß", "q"), "fr": (1.0, "éèàêçâîôûùëïüœæÿ", "kw"), "es": (1.0, "óíáéñúü", "w"),
    "pt": (0.6, "ãçáéíóêõâúàôü", "kwy"), "it": (0.6, "àèòùìé", "jkwxy"), "ca": (0.1, "àóèéíòçúïü·", "kwy"),
    "sv": (0.4, "äöåéü", "qwz"), "da": (0.4, "øåæéö", "qwxz"), "fi": (0.3, "äöå", "bcfqwxz"),
    "nl": (0.3, "ëéïüöèçóê", "q"), "is": (0.2, "áíðóéúþöæý", "cqwz"), "fo": (0.02, "íáøóðúæý", "cqwxz"),
    "et": (0.08, "äüõöšž", "cqwxy"), "sq": (0.05, "ëç", "w"), "pl": (0.5, "łóąężśćńź", "qvx"),
    "cs": (0.5, "íáéýěčřžšůúťďňó", "qwx"), "sk": (0.2, "áíéčýžšúľťôňďäóĺŕ", "qwx"), "hu": (0.5, "áéíöóőüúű", "qwx"),
    "hr": (0.3, "šćčžđ", "qwxy"), "sl": (0.1, "čšž", "qwxy"), "ro": (0.3, "ăâîșțşţ", "kqwy"),
    "tr": (0.5, "ıüşğİçöâîû", "jqwx"), "lt": (0.15, "ėšžųįūąęč", "qwx"), "lv": (0.15, "āīēšņļūģžķč", "qwxy"),
    "vi": (0.05, "đưôơâăêáàíóéúèìòùýãõ\u0300\u0301\u0303\u0309\u0323", "fjwz"),
}  # fmt: skip
OTHER_LETTERS = {
    "ru": (1.0, "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё"), "uk": (0.3, "оаинівертслкдмуьпзяїйбгчюхжцєшщґф"),
    "be": (0.1, "аніеорысктлядвмупьызйцгчбшхюэжўёф"), "bg": (0.3, "аеиотнрсвлкдпмзъгубчщцжшяйхюьф"),
    "sr": (0.1, "аоиеунтрсјвкдпмлгзбчћцхжшњфђљџќѓѕ"), "el": (1.0, "αοιετνσηρπκμλυςάόδγίέήύώωχθφβζξψϊϋΐΰ"),
    "he": (1.0, "יוהלאתרבשמנםדקעחפגטכזצסןךףץ"), "ar": (1.0, "اليمنوترهبدسعفكحقةجشصأىخطضءذزثئغظإؤآ"),
    "fa": (0.2, "ایرنمدهوتبسشزگکخعچفقآجحلپٹڈںے"),
    "th": (1.0, "านรอกเงมยลวดทสตะปบคหแจพชขใไโผซณถศธภฟฮญฐฉษฬฎฏ่้ิัี์ุูึืำ็๊๋"),
}  # fmt: skip
WESTERN = "de fr es pt it ca sv da fi nl"
EASTERN = "pl cs sk hu hr sl ro de"
BALTIC = "lt lv et"
# Encoding: how usual it is beside Windows-1252, and the languages that are written in it.
ENCODINGS = {
    "cp1252": (1.0, f"{WESTERN} is fo sq et"), "cp850": (0.04, WESTERN), "mac_roman": (0.03, WESTERN),
    "cp437": (0.003, WESTERN), "iso8859_15": (0.003, f"{WESTERN} et"),
    "mac_iceland": (0.003, "is"), "cp861": (0.003, "is"),
    "cp1250": (0.08, f"{EASTERN} sq"), "iso8859_2": (0.03, EASTERN), "cp852": (0.02, EASTERN),
    "mac_latin2": (0.01, EASTERN), "iso8859_16": (0.003, "ro"),
    "cp1254": (0.06, "tr"), "cp857": (0.01, "tr"), "mac_turkish": (0.005, "tr"),
    "cp1257": (0.02, BALTIC), "iso8859_13": (0.005, BALTIC), "cp775": (0.01, BALTIC), "cp1258": (0.005, "vi"),
    "cp1251": (0.1, "ru uk be bg sr"), "koi8_r": (0.03, "ru bg"), "koi8_u": (0.02, "uk"),
    "cp866": (0.03, "ru be bg"), "cp1125": (0.005, "uk"), "iso8859_5": (0.01, "ru be bg sr"),
    "mac_cyrillic": (0.01, "ru uk be bg"), "cp855": (0.002, "ru bg sr"),
    "cp1253": (0.1, "el"), "iso8859_7": (0.05, "el"), "cp737": (0.03, "el"), "cp869": (0.01, "el"),
    "mac_greek": (0.01, "el"),
    "cp1255": (0.1, "he"), "iso8859_8": (0.05, "he"), "cp862": (0.03, "he"),
    "cp1256": (0.1, "ar fa"), "iso8859_6": (0.03, "ar"), "cp720": (0.01, "ar"), "cp864": (0.001, "ar"),
    "cp874": (0.1, "th"),
}  # fmt: skip
UNKNOWN = math.log(1e-4)  # a letter that a language does not have
MARKS = dict.fromkeys("°²³€£µ™®ºª’\u00a0", math.log(0.01)) | dict.fromkeys(
    "‘“”„‚–—…«»´`¿¡§±×÷·†‡•©¢¥‰ƒ\u00ad", math.log(0.003)
)
ODD_MARK = math.log(1e-5)
WITHIN = "’´`µ±×·–—…†‡•\u00ad\u00a0"  # marks that words have within
ODD_CAPITAL = -4.0  # behind a small letter
NOT_LAST = "ςםןךףץ"
ODD_END = -4.0  # a letter that words only end with, within


class _Language(NamedTuple):
    share: float
    letters: dict[str, float]
    rare: str
    in_ascii: float
    rare_in_ascii: float


@cache
def _languages() -> dict[str, _Language]:
    latin = {
        name: _Language(share, _frequencies(letters, 2, 0.1), rare, math.log(0.9), math.log(0.01))
        for name, (share, letters, rare) in LATIN_LETTERS.items()
    }
    other = {
        name: _Language(share, _frequencies(letters, 8, 0.98), "", math.log(0.01), math.log(0.01))
        for name, (share, letters) in OTHER_LETTERS.items()
    }
    return latin | other


def _frequencies(letters: str, offset: int, share: float) -> dict[str, float]:
    """Logarithms of frequencies that fall with the rank, as Zipf's law says; together they are `share`."""
    weights = [1 / (rank + offset) for rank in range(len(letters))]
    return {letter: math.log(share * weight / sum(weights)) for letter, weight in zip(letters, weights, strict=True)}


def score(words: Sequence[bytes], encoding: str) -> float | None:
    """The logarithm of the probability of the words in an encoding; None where they cannot be decoded.

    In Windows-1252 everything can be decoded, letters of UTF-8 as such.
    """
    prior, names = ENCODINGS[encoding]
    try:
        texts = [decoded(word, encoding) for word in words]
    except UnicodeDecodeError:
        return None
    languages = [_languages()[name] for name in names.split()]
    shares = [math.log(each.share / sum(language.share for language in languages)) for each in languages]
    table = [[_likelihood(text, language) for language in languages] for text in texts]
    mixed = sum(_log_sum(row, shares) for row in table)
    same = _log_sum([sum(column) for column in zip(*table, strict=True)], shares)
    return math.log(prior) + max(mixed, same)


def decoded(text: bytes, encoding: str, errors: str = "strict") -> str:
    """The text of bytes. Raises `UnicodeDecodeError`, but never in Windows-1252."""
    return text.decode("utf-8", WINDOWS_1252) if encoding == "cp1252" else text.decode(encoding, errors)


def _log_sum(values: Sequence[float], shares: Sequence[float]) -> float:
    terms = [value + share for value, share in zip(values, shares, strict=True)]
    largest = max(terms)
    return largest + math.log(sum(math.exp(term - largest) for term in terms))


def _likelihood(word: str, language: _Language) -> float:
    total, last, before = 0.0, len(word) - 1, ""
    for index, letter in enumerate(word):
        total += _of_letter(letter, language, 0 < index < last)
        if letter.isupper() and before.islower():
            total += ODD_CAPITAL
        if letter in NOT_LAST and index < last:
            total += ODD_END
        before = letter
    return total


def _of_letter(letter: str, language: _Language, is_within: bool) -> float:
    if letter.isascii():
        return language.rare_in_ascii if letter.lower() in language.rare else language.in_ascii
    found = language.letters.get(letter, language.letters.get(letter.lower()))
    if found is not None:
        return found
    if letter in MARKS and (letter in WITHIN or not is_within):
        return MARKS[letter]
    return UNKNOWN if letter.isalpha() else ODD_MARK
