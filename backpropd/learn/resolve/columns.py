"""What is learned from what: the target, the features, the task, and the columns that have another part to play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from backpropd import errors, tabular
from backpropd.errors import Problem
from backpropd.tabular import ColumnInfo

MOST_CLASS_NUMBERS = 20
MOST_CLASSES = 1000


class TableInfo(NamedTuple):
    """A table as the store describes it."""

    columns: Sequence[Mapping[str, Any]]
    rows: int

    @property
    def infos(self) -> dict[str, ColumnInfo]:
        """The columns by name."""
        return {column["name"]: ColumnInfo.from_json(column) for column in self.columns}


def resolve_target(wanted: str | list[str], infos: Mapping[str, ColumnInfo], rows: int) -> list[str]:
    """The targets' names. Raises `errors.Invalid` and its kin for what cannot be learned."""
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    for index, name in enumerate(names):
        pointer = "/target" if isinstance(wanted, str) else f"/target/{index}"
        refuse_unknown(name, infos, pointer)
        if names.index(name) != index:
            raise errors.Invalid(f"the target {name!r} is listed twice: name it once", pointer=pointer)
        if infos[name].missing == rows:
            raise errors.AllMissing(f"the target {name!r} has no values: choose another", pointer=pointer)
        if infos[name].kind == "text":
            raise errors.UnusableColumn(
                f"the target {name!r} is free text (nearly every row has its own): choose a column with numbers, or "
                "with few different values",
                pointer=pointer,
            )
    return names


def refuse_unknown(name: str, infos: Mapping[str, ColumnInfo], pointer: str) -> None:
    """Raises `errors.UnknownColumn`, which lists the columns."""
    if name not in infos:
        listed = ", ".join(list(infos)[:50]) + (", …" if len(infos) > 50 else "")
        raise errors.UnknownColumn(f"there is no column {name!r}; the columns are: {listed}", pointer=pointer)


def taken(target: Sequence[str], training: Mapping[str, Any]) -> dict[str, str]:
    """The columns that are no features, each with what it is instead."""
    others = {training.get(field): f"the {field}" for field in ("sample_weight", "validation_column")}
    return {**{name: what for name, what in others.items() if name}, **dict.fromkeys(target, "a target")}


def resolve_features(
    wanted: list[str] | None, taken: Mapping[str, str], infos: Mapping[str, ColumnInfo], rows: int
) -> list[str]:
    """The features' names: those that were asked for, or all that can be learned from and are not taken."""
    if wanted is None:
        found = [name for name in infos if name not in taken and _why_useless(infos[name], rows) is None]
        if not found:
            raise errors.UnusableColumn(
                "no column is left to learn from: each is a target, free text, empty or constant", pointer="/features"
            )
        return found
    for index, name in enumerate(wanted):
        pointer = f"/features/{index}"
        refuse_unknown(name, infos, pointer)
        if name in taken or wanted.index(name) != index:
            what = taken.get(name, "listed before")
            raise errors.Invalid(f"{name!r} is {what}: leave it out here", pointer=pointer)
        if why := _why_useless(infos[name], rows):
            raise why[0](f"the feature {name!r} {why[1]}: leave it out", problems=[Problem(pointer, why[1])])
    return wanted


def _why_useless(info: ColumnInfo, rows: int) -> tuple[type[errors.Invalid], str] | None:
    if info.missing == rows:
        return errors.AllMissing, "has no values"
    if info.kind == "text":
        return errors.UnusableColumn, "is free text"
    if info.distinct == 1 and info.missing == 0:
        return errors.ConstantColumn, "has the same value in every row"
    return None


def check_sample_weight(name: str | None, infos: Mapping[str, ColumnInfo], target: Sequence[str]) -> None:
    """Raises `errors.Invalid` and its kin for a column that cannot say what rows weigh."""
    pointer = "/training/sample_weight"
    if name is None:
        return
    refuse_unknown(name, infos, pointer)
    info = infos[name]
    if name in target:
        raise errors.Invalid(f"{name!r} is a target: it cannot say what rows weigh, too", pointer=pointer)
    if info.kind != "number" or info.missing:
        raise errors.UnusableColumn(
            f"the sample_weight {name!r} must be a number in every row: it is of kind {info.kind}, and missing in "
            f"{info.missing} rows",
            pointer=pointer,
        )
    if info.statistics["min"] < 0 or info.statistics["max"] == 0:
        raise errors.Invalid(
            f"the sample_weight {name!r} runs from {info.statistics['min']:g} to {info.statistics['max']:g}: no weight "
            "may be negative, and one must be above 0",
            pointer=pointer,
        )


def resolve_task(wanted: str, targets: Sequence[ColumnInfo]) -> str:
    """Classification or regression. Raises `errors.Invalid` and its kin for targets that do not fit."""
    if wanted == "auto":
        wanted = "classification" if looks_like_classes(targets) else "regression"
    if wanted == "regression":
        _refuse_numbers(targets)
    elif len(targets) == 1:
        _refuse_classes(targets[0])
    else:
        _refuse_labels(targets)
    return wanted


def looks_like_classes(targets: Sequence[ColumnInfo]) -> bool:
    if len(targets) > 1:
        return all(info.kind == "boolean" for info in targets)
    (info,) = targets
    if info.kind != "number":
        return True
    few = info.distinct is not None and info.distinct <= MOST_CLASS_NUMBERS
    return few and bool(info.statistics.get("whole"))


def _refuse_numbers(targets: Sequence[ColumnInfo]) -> None:
    for info in targets:
        if info.kind != "number":
            raise errors.UnusableColumn(
                f"the target {info.name!r} is of kind {info.kind}, and regression needs numbers: choose another, or "
                'ask for "task": "classification"',
                pointer="/target",
            )
        if info.distinct == 1:
            raise errors.ConstantColumn(
                f"the target {info.name!r} has the same value in every row: nothing to learn", pointer="/target"
            )


def _refuse_labels(targets: Sequence[ColumnInfo]) -> None:
    for index, info in enumerate(targets):
        pointer = f"/target/{index}"
        if not is_truth(info):
            raise errors.UnusableColumn(
                f"the target {info.name!r} is not boolean, nor 0 and 1: of several targets of a classification each is "
                "a label that a row has or has not",
                pointer=pointer,
            )
        _refuse_one_class(info, pointer)


def is_truth(info: ColumnInfo) -> bool:
    """Whether a column is boolean, or numbers that are all 0 or 1."""
    whole, numbers = info.statistics.get("whole"), info.statistics
    return info.kind == "boolean" or bool(whole and numbers["min"] >= 0 and numbers["max"] <= 1)


def _refuse_one_class(info: ColumnInfo, pointer: str) -> None:
    if info.distinct == 1:
        raise errors.OneClass(
            f"the target {info.name!r} has one class only: there is nothing to tell apart", pointer=pointer
        )


def _refuse_classes(info: ColumnInfo) -> None:
    _refuse_one_class(info, "/target")
    if info.distinct is None or info.distinct > MOST_CLASSES:
        raise errors.UnusableColumn(
            f"the target {info.name!r} has more than {MOST_CLASSES} values: ask for regression, or group them",
            pointer="/target",
        )


def outputs_of(task: str, targets: Sequence[ColumnInfo]) -> int:
    """How many numbers the answer has: classes for classification by one target, else targets."""
    return targets[0].distinct or 0 if task == "classification" and len(targets) == 1 else len(targets)


def width_of(infos: Mapping[str, ColumnInfo], features: Sequence[str]) -> int:
    """At most how many inputs the features become."""
    return tabular.max_width([infos[name] for name in features])


def labels_of(info: ColumnInfo) -> set[str] | None:
    """The values of a column of words; None for numbers, whose values are not known before the table is read."""
    return {level["value"] for level in info.statistics["levels"]} if "levels" in info.statistics else None


def check_other_table(
    spec: Mapping[str, Any], infos: Mapping[str, ColumnInfo], others: Mapping[str, ColumnInfo]
) -> None:
    """Raises `errors.Invalid` where a validation dataset lacks a column, or has one that does not fit."""
    names = [*spec["features"], *spec["target"]]
    if weight := spec["training"]["sample_weight"]:
        names.append(weight)
        if weight in others:
            check_sample_weight(weight, others, spec["target"])
    pointer = "/training/validation_dataset_id"
    refuse_unfitting(names, infos, others, pointer, "the validation dataset")
    if spec["task"] == "classification":
        _refuse_other_answers(spec["target"], infos, others, pointer)


def _refuse_other_answers(
    target: Sequence[str], infos: Mapping[str, ColumnInfo], others: Mapping[str, ColumnInfo], pointer: str
) -> None:
    if len(target) == 1:
        refuse_new_classes(labels_of(infos[target[0]]), others[target[0]], pointer)
    elif numbers := [name for name in target if not is_truth(others[name])]:
        raise errors.Invalid(
            f"the target {numbers[0]!r} is not boolean, nor 0 and 1, in the validation dataset", pointer=pointer
        )


def refuse_unfitting(
    names: Sequence[str],
    infos: Mapping[str, ColumnInfo],
    others: Mapping[str, ColumnInfo],
    pointer: str,
    what: str,
) -> None:
    """Raises `errors.Invalid` where `others`, which are of `what`, lack columns or have them of another kind."""
    problems = []
    for name in names:
        if name not in others:
            problems.append(Problem(pointer, f"{what} has no column {name!r}: choose one with the same columns"))
        elif not _fits(infos[name].kind, others[name].kind):
            kinds = f"is of kind {others[name].kind} in {what}, and must be of kind {infos[name].kind}"
            problems.append(Problem(pointer, f"the column {name!r} {kinds}: choose one with the same columns"))
    if problems:
        raise errors.Invalid.from_problems(problems)


def _fits(kind: str, other: str) -> bool:
    """Whether an encoder of one kind of column takes another: that of categories takes any words."""
    return other == kind or (kind == "category" and other != "number")


def refuse_new_classes(known: set[str] | None, other: ColumnInfo, pointer: str) -> None:
    """Raises `errors.Invalid` for a class that `other` has and that is not `known`, as far as that can be seen."""
    found = labels_of(other)
    if known is not None and found is not None and (new := sorted(found - known)):
        raise errors.Invalid(
            f"the target {other.name!r} holds {new[0]!r}, which is none of the classes that are learned",
            pointer=pointer,
        )
