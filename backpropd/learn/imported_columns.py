"""The features of an imported model: what their encoders must fulfil so that every row gives finite inputs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from backpropd import errors
from backpropd.errors import Problem
from backpropd.tabular import ColumnInfo, DerivedFeature
from backpropd.tabular.column_encoders import ColumnEncoder, Cyclic, OneHot, encoder_from_json

CYCLES = {"date": {"month", "weekday", "hour"}, "number": {"clock"}}


class ReadFeatures(NamedTuple):
    """What an encoder is made of: see `FeatureEncoder`."""

    infos: list[ColumnInfo]
    encoders: list[ColumnEncoder]
    derived: list[DerivedFeature]
    sources: list[tuple[ColumnInfo, ColumnEncoder]]


def read_features(
    features: Sequence[str | Mapping[str, Any]], sources: Sequence[Mapping[str, Any]] = ()
) -> ReadFeatures:
    """The features and their encoders. A name, or a derived feature, alone is a number that is used as it is.

    Raises `errors.Invalid` with a pointer for each encoder that does not fit, and for columns that nothing can be
    derived from.
    """
    given = [_entry(each) for each in features]
    derived = [DerivedFeature.from_json(each["derived"]) for each in given if each.get("derived")]
    infos, encoders = _read(given, "/features")
    plain = {each["column"]["name"] for each in given if not each.get("derived")}
    named = {each["column"]["name"]: each for each in sources}
    _check_sources(list(named), plain, derived, len(sources))
    columns = dict.fromkeys(name for each in derived for name in each.columns if name not in plain)
    described = [named.get(name, {"column": {"name": name, "kind": "number"}}) for name in columns]
    found = list(zip(*_read(described, "/sources"), strict=True))
    kinds = {info.name: info.kind for info in (*infos, *(info for info, _ in found))}
    _check_derived(given, kinds)
    return ReadFeatures(infos, encoders, derived, found)


def _entry(feature: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """A feature with its column; that of a derived one has its name."""
    if isinstance(feature, str):
        return {"column": {"name": feature, "kind": "number"}}
    if "column" in feature:
        return feature
    return {"derived": feature, "column": {"name": DerivedFeature.from_json(feature).name, "kind": "number"}}


def _read(given: Sequence[Mapping[str, Any]], where: str) -> tuple[list[ColumnInfo], list[ColumnEncoder]]:
    infos, encoders, problems = list[ColumnInfo](), list[ColumnEncoder](), list[Problem]()
    for index, each in enumerate(given):
        info = ColumnInfo.from_json({"missing": 0, "distinct": None, **each["column"]})
        encoder, details = _encoder(info, each.get("encoder") or {})
        problems += (Problem(f"{where}/{index}/encoder", detail) for detail in details)
        infos.append(info)
        encoders += [encoder] if encoder else []
    if problems:
        raise errors.Invalid.from_problems(problems)
    return infos, encoders


def _check_sources(named: Sequence[str], plain: set[str], derived: Sequence[DerivedFeature], count: int) -> None:
    """Raises `errors.Invalid` for sources that are none, or named twice."""
    used = {name for each in derived for name in each.columns} - plain
    if len(named) < count:
        raise errors.Invalid("a column appears twice: name each once", pointer="/sources")
    if unused := [name for name in named if name not in used]:
        detail = f"{unused[0]!r} is a feature, or no derived feature uses it: leave it out here"
        raise errors.Invalid(detail, pointer="/sources")


def _check_derived(given: Sequence[Mapping[str, Any]], kinds: Mapping[str, str]) -> None:
    """Raises `errors.Invalid` with a pointer for each derived feature that cannot be computed."""
    problems = []
    for index, each in enumerate(given):
        if not each.get("derived"):
            continue
        feature, column = DerivedFeature.from_json(each["derived"]), each["column"]
        if (column["name"], column["kind"]) != (feature.name, "number"):
            detail = f"the column of this derived feature is the number {feature.name!r}: name it so"
            problems.append(Problem(f"/features/{index}/column", detail))
        if len(set(feature.columns)) < len(feature.columns):
            problems.append(Problem(f"/features/{index}", "a product is of two different columns: use square"))
        if each.get("encoder") and each["encoder"].get("cycles"):
            problems.append(Problem(f"/features/{index}/encoder", "a derived feature has no cycles: leave them out"))
        if words := [name for name in feature.columns if kinds[name] != "number"]:
            detail = f"{feature.name} needs numbers, and {words[0]!r} is of kind {kinds[words[0]]}"
            problems.append(Problem(f"/features/{index}", f"{detail}: derive it from another column"))
    if problems:
        raise errors.Invalid.from_problems(problems)


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
