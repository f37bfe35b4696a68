"""The features of an imported model: what their encoders must fulfil so that every row gives finite inputs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backpropd import errors
from backpropd.errors import Problem
from backpropd.tabular import ColumnInfo
from backpropd.tabular.column_encoders import ColumnEncoder, Cyclic, OneHot, encoder_from_json

CYCLES = {"date": {"month", "weekday", "hour"}, "number": {"clock"}}


def read_features(features: Sequence[str | Mapping[str, Any]]) -> tuple[list[ColumnInfo], list[ColumnEncoder]]:
    """The columns and their encoders. A name alone is a number that is used as it is.

    Raises `errors.Invalid` with a pointer for each encoder that does not fit.
    """
    infos, encoders, problems = list[ColumnInfo](), list[ColumnEncoder](), list[Problem]()
    for index, feature in enumerate(features):
        given = {"column": {"name": feature, "kind": "number"}} if isinstance(feature, str) else feature
        info = ColumnInfo.from_json({"missing": 0, "distinct": None, **given["column"]})
        encoder, details = _encoder(info, given.get("encoder") or {})
        problems += (Problem(f"/features/{index}/encoder", detail) for detail in details)
        infos.append(info)
        encoders += [encoder] if encoder else []
    if problems:
        raise errors.Invalid.from_problems(problems)
    return infos, encoders


def _encoder(info: ColumnInfo, given: Mapping[str, Any]) -> tuple[ColumnEncoder | None, list[str]]:
    """The encoder, and what is wrong with it."""
    needed = "levels" if info.kind == "category" else "cycles" if info.kind == "date" else None
    if needed and needed not in given:
        return None, [f"the encoder of a {info.kind} has {needed}: add them"]
    default = _default_of_category(given) if info.kind == "category" else {"mean": 0.0, "std": 1.0, "indicator": False}
    try:
        encoder = encoder_from_json(info, {**default, **given})
    except TypeError:
        return None, [f"this is no encoder of a {info.kind}: its fields are those of another kind"]
    return encoder, list(_mistakes(info, encoder))


def _default_of_category(given: Mapping[str, Any]) -> dict[str, Any]:
    """Each level as frequent as the others, and no input for missing values."""
    levels = given["levels"]
    return {"frequencies": [1 / len(levels) for _ in levels], "missing": False}


def _mistakes(info: ColumnInfo, encoder: ColumnEncoder) -> Iterator[str]:
    if isinstance(encoder, OneHot):
        yield from _mistakes_of_category(encoder)
        return
    if not encoder.std > 0:
        yield "std must be above 0"
    if isinstance(encoder, Cyclic) and not {*encoder.cycles} <= CYCLES.get(info.kind, set()):
        yield f"the cycles of a {info.kind} are {', '.join(sorted(CYCLES.get(info.kind, {'none'})))}"
    if isinstance(encoder, Cyclic) and len({*encoder.cycles}) < len(encoder.cycles):
        yield "a cycle appears twice: name each once"


def _mistakes_of_category(encoder: OneHot) -> Iterator[str]:
    inputs = len(encoder.levels) + encoder.missing
    if len(set(encoder.levels)) < len(encoder.levels):
        yield "a level appears twice: name each once"
    if encoder.frequencies is not None and len(encoder.frequencies) != len(encoder.levels):
        yield f"there are {len(encoder.levels)} levels: give a frequency for each"
    if encoder.frequencies is None and not encoder.missing:
        yield "without frequencies missing must be true"
    if (encoder.off is None) != (encoder.on is None):
        yield "off and on come together"
    if any(each is not None and len(each) != inputs for each in (encoder.off, encoder.on)):
        yield f"off and on have {inputs} numbers each"
    if not encoder.width:
        yield "a category without levels and without missing values has no input"
