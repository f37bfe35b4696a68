"""The roles of the columns: the target, the features, the task, and the sample weight."""

from collections.abc import Callable, Mapping, Sequence

from backpropd import errors
from backpropd.errors import Problem
from backpropd.learn.network_kinds.feedforward import FeedforwardSpec
from backpropd.learn.request import TrainingOptions
from backpropd.learn.tables import Columns, TableDescription, is_boolean
from backpropd.tabular import ColumnInfo

MAX_CLASS_NUMBERS = 20  # distinct whole numbers, at most, that `auto` treats as classes
MAX_CLASSES = 1000
MAX_LISTED = 50  # columns named in a message


def resolve_target(requested: str | Sequence[str], table: TableDescription) -> list[str]:
    """The names of the targets. Raises `errors.Invalid` and subclasses for columns that cannot be targets."""
    names = [requested] if isinstance(requested, str) else list(requested)
    for index, name in enumerate(names):
        pointer = "/target" if isinstance(requested, str) else f"/target/{index}"
        check_known(name, table.columns, pointer)
        if names.index(name) != index:
            raise errors.Invalid(f"the target {name!r} is listed twice: name it once", pointer=pointer)
        if table.columns[name].missing == table.rows:
            raise errors.AllMissing(f"the target {name!r} has no values: choose another", pointer=pointer)
        if table.columns[name].kind == "text":
            detail = f"the target {name!r} is free text: choose a column with numbers, or with few different values"
            raise errors.UnusableColumn(detail, pointer=pointer)
    return names


def check_known(name: str, columns: Columns, pointer: str) -> None:
    """Raises `errors.UnknownColumn` for an unknown name; the message lists the columns."""
    if name not in columns:
        listed = ", ".join(list(columns)[:MAX_LISTED]) + (", …" if len(columns) > MAX_LISTED else "")
        raise errors.UnknownColumn(f"there is no column {name!r}; the columns are: {listed}", pointer=pointer)


def other_roles(target: Sequence[str], options: TrainingOptions) -> dict[str, str]:
    """The columns with another role than feature: the role by name."""
    roles = {options.sample_weight: "the sample_weight", options.validation_column: "the validation_column"}
    return {**{name: role for name, role in roles.items() if name}, **dict.fromkeys(target, "a target")}


def why_no_feature(info: ColumnInfo, rows: int) -> tuple[type[errors.Invalid], str] | None:
    """The error, and the reason why a column of `rows` rows cannot be a feature; None if it can."""
    if info.missing == rows:
        return errors.AllMissing, "has no values"
    if info.kind == "text":
        return errors.UnusableColumn, "is free text"
    if info.distinct == 1 and info.missing == 0:
        return errors.ConstantColumn, "has the same value in every row"
    return None


def resolve_features(
    requested: Sequence[str] | None,
    other_roles: Mapping[str, str],
    table: TableDescription,
    why_not: Callable[[ColumnInfo, int], tuple[type[errors.Invalid], str] | None] = why_no_feature,
) -> list[str]:
    """The names of the features: those requested, or every column without another role that `why_not` allows.

    Raises `errors.Invalid` and its subclasses for columns that cannot be features.
    """
    if not requested:
        others = [info for name, info in table.columns.items() if name not in other_roles]
        found = [info.name for info in others if not why_not(info, table.rows)]
        if not found:
            detail = "no column is left to learn from: each is a target, free text, empty or constant"
            raise errors.UnusableColumn(detail, pointer="/features")
        return found
    for index, name in enumerate(requested):
        pointer = f"/features/{index}"
        check_known(name, table.columns, pointer)
        if name in other_roles or requested.index(name) != index:
            role = other_roles.get(name, "listed before")
            raise errors.Invalid(f"{name!r} is {role}: leave it out here", pointer=pointer)
        if reason := why_not(table.columns[name], table.rows):
            error, why = reason
            raise error(f"the feature {name!r} {why}: leave it out", problems=[Problem(pointer, why)])
    return list(requested)


def check_sample_weight(name: str | None, columns: Columns, target: Sequence[str]) -> None:
    """Raises `errors.Invalid` and its subclasses for a column that cannot be the weights of the rows."""
    pointer = "/training/sample_weight"
    if name is None:
        return
    check_known(name, columns, pointer)
    info = columns[name]
    if name in target:
        raise errors.Invalid(f"{name!r} is a target: it cannot be the sample_weight, too", pointer=pointer)
    if info.kind != "number" or info.missing:
        found = f"it is of kind {info.kind}, and missing in {info.missing} rows"
        raise errors.UnusableColumn(f"the sample_weight must be a number in every row: {found}", pointer=pointer)
    low, high = info.statistics["min"], info.statistics["max"]
    if low < 0 or high == 0:
        detail = f"the weights are from {low:g} to {high:g}: none may be negative, and one must be above 0"
        raise errors.Invalid(detail, pointer=pointer)


def resolve_task(requested: str, targets: Sequence[ColumnInfo]) -> str:
    """Classification or regression. Raises `errors.Invalid` and its subclasses for targets that do not fit."""
    if requested == "regression" or (requested == "auto" and not looks_like_classes(targets)):
        _check_numbers(targets)
        return "regression"
    _check_classes(targets)
    return "classification"


def looks_like_classes(targets: Sequence[ColumnInfo]) -> bool:
    """Whether `auto` means classification: one target of words or of few whole numbers, or booleans alone."""
    if len(targets) > 1:
        return all(info.kind == "boolean" for info in targets)
    (info,) = targets
    if info.kind != "number":
        return True
    few = info.distinct is not None and info.distinct <= MAX_CLASS_NUMBERS
    return few and bool(info.statistics.get("whole"))


def _check_numbers(targets: Sequence[ColumnInfo]) -> None:
    for info in targets:
        if info.kind != "number":
            detail = f"{info.name!r} is of kind {info.kind}, and regression needs numbers: request a classification"
            raise errors.UnusableColumn(detail, pointer="/target")
        if info.distinct == 1:
            raise errors.ConstantColumn(f"{info.name!r} has the same value in every row", pointer="/target")


def _check_classes(targets: Sequence[ColumnInfo]) -> None:
    for index, info in enumerate(targets):
        pointer = "/target" if len(targets) == 1 else f"/target/{index}"
        if len(targets) > 1 and not is_boolean(info):
            detail = f"{info.name!r} is not boolean, nor 0 and 1, as one of several targets of a classification must be"
            raise errors.UnusableColumn(detail, pointer=pointer)
        if info.distinct == 1:
            raise errors.OneClass(f"the target {info.name!r} has one class only: nothing to learn", pointer=pointer)
        if info.distinct is None or info.distinct > MAX_CLASSES:
            detail = f"the target {info.name!r} has more than {MAX_CLASSES} values: request regression, or group them"
            raise errors.UnusableColumn(detail, pointer=pointer)


def labels_of(info: ColumnInfo) -> set[str] | None:
    """The labels of a column of words; None for numbers, whose values the description does not list."""
    return {level["value"] for level in info.statistics["levels"]} if "levels" in info.statistics else None


def check_validation_table(spec: FeedforwardSpec, columns: Columns, others: Columns) -> None:
    """Raises `errors.Invalid` where a validation dataset lacks a column, or has one that does not fit."""
    names, pointer = [*spec.features, *spec.target], "/training/validation_dataset_id"
    if weight := spec.training.sample_weight:
        names.append(weight)
        if weight in others:
            check_sample_weight(weight, others, spec.target)
    check_columns_fit(names, columns, others, pointer, "the validation dataset")
    if spec.task != "classification":
        return
    if not spec.is_multi_label:
        (name,) = spec.target
        check_known_classes(labels_of(columns[name]), others[name], pointer)
    elif numbers := [name for name in spec.target if not is_boolean(others[name])]:
        detail = f"the target {numbers[0]!r} is not boolean, nor 0 and 1, in the validation dataset"
        raise errors.Invalid(detail, pointer=pointer)


def check_columns_fit(names: Sequence[str], columns: Columns, others: Columns, pointer: str, table: str) -> None:
    """Raises `errors.Invalid` where `others`, the columns of `table`, lack some of these or have another kind."""
    problems = []
    for name in names:
        if name not in others:
            problems.append(Problem(pointer, f"{table} has no column {name!r}: choose one with the same columns"))
        elif not _fits(columns[name].kind, others[name].kind):
            kinds = f"is of kind {others[name].kind} in {table}, and must be of kind {columns[name].kind}"
            problems.append(Problem(pointer, f"the column {name!r} {kinds}: choose one with the same columns"))
    if problems:
        raise errors.Invalid.from_problems(problems)


def _fits(kind: str, other: str) -> bool:
    """Whether an encoder fitted on one kind of column accepts another: one of categories accepts any words."""
    return other == kind or (kind == "category" and other != "number")


def check_known_classes(known: set[str] | None, other: ColumnInfo, pointer: str) -> None:
    """Raises `errors.Invalid` for a class of `other` that is not `known`, where both lists are known."""
    found = labels_of(other)
    if known is not None and found is not None and (new := sorted(found - known)):
        detail = f"the target {other.name!r} holds {new[0]!r}, which is not one of the training classes"
        raise errors.Invalid(detail, pointer=pointer)
