"""The inputs of a column of words: for each word that the service knows, for a missing one, and for any other."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from backpropd.tabular import ColumnInfo, FeatureEncoder
from backpropd.tabular.cells.missing import Markers
from backpropd.tabular.column_encoders import ColumnEncoder, OneHot
from backpropd.tabular.columns import BOOLEAN_CELLS, are_booleans
from backpropd.tabular.table import CategoricalColumn

MISSING = ""


class WordInputs(NamedTuple):
    """The inputs of each word, `MISSING` among them, and of any other; `any_case`: words are in small letters."""

    by_word: Mapping[str, Sequence[float]]
    unseen: Sequence[float]
    any_case: bool


def count_inputs(encoder: FeatureEncoder) -> int:
    """How many numbers the inputs of all words are."""
    return sum(len(each.levels) * each.width for each in encoder.column_encoders if isinstance(each, OneHot))


def word_inputs(info: ColumnInfo, encoder: ColumnEncoder) -> WordInputs:
    """The inputs that the encoder of a category or a boolean gives; an unknown word for a boolean is missing."""
    if isinstance(encoder, OneHot):
        levels, any_case = encoder.levels, are_booleans(encoder.levels)
        words = [level.strip().lower() if any_case else level.strip() for level in levels]
        rows = _encoded(encoder, [*levels, "\0"])
        by_word = dict(zip(words, rows, strict=False)) | ({} if any_case else dict(zip(levels, rows, strict=False)))
        markers = dict.fromkeys(Markers.of(info.statistics.get("markers")).named or (), rows[-1])
        return WordInputs({**markers, **by_word, MISSING: rows[-1]}, rows[-2], any_case)
    false, true, missing = _encoded(encoder, ["false", "true"])
    by_word = {word: true if value else false for word, value in BOOLEAN_CELLS.items()}
    return WordInputs({**by_word, MISSING: missing}, missing, True)


def _encoded(encoder: ColumnEncoder, levels: list[str]) -> list[list[float]]:
    """The inputs of each level, and last of a missing value."""
    out = np.empty((len(levels) + 1, encoder.width))
    encoder.write(CategoricalColumn(np.array([*range(len(levels)), -1], np.int32), levels), out)
    rows: list[list[float]] = out.tolist()
    return rows
