"""The roles of the columns: the target, the features, and the sample weight."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from backpropd import errors
from backpropd.errors import Problem
from backpropd.learn.network_kinds.feedforward import FeedforwardSpec
from backpropd.learn.request import TrainingOptions
from backpropd.learn.resolve import derived_features
from backpropd.learn.resolve.plan import JobWarning, LeftOut
from backpropd.learn.tables import Columns, TableDescription, is_boolean
from backpropd.tabular import ColumnInfo, DerivedFeature, Feature, TargetEncoder, example_of, find_identifiers

MAX_LISTED = 50  # columns named in a message
MAX_EXAMPLE_CHARACTERS = 60


def resolve_target(requested: str | Sequence[str], table: TableDescription) -> list[str]:
    """The names of the targets. Raises `errors.Invalid` and subclasses for columns that cannot be targets."""
    names = [requested] if isinstance(requested, str) else list(requested)
    seen: set[str] = set()
    for index, name in enumerate(names):
        pointer = "/target" if isinstance(requested, str) else f"/target/{index}"
        check_known(name, table.columns, pointer)
        if name in seen:
            raise errors.Invalid(f"the target {name!r} is listed twice: name it once", pointer=pointer)
        seen.add(name)
        if table.columns[name].missing == table.rows:
            raise errors.AllMissing(f"the target {name!r} has no values: choose another", pointer=pointer)
        if table.columns[name].kind == "text":
            detail = f"the target {name!r} is free text: choose a column with numbers, or with few different values"
            raise errors.UnusableColumn(detail, pointer=pointer)
        if table.columns[name].kind == "date":
            detail = f"the target {name!r} holds dates, which are learned from but not predicted: choose a number, "
            raise errors.UnusableColumn(detail + "such as the days from one date to another", pointer=pointer)
    return names


def missing_targets(target: Sequence[str], table: TableDescription) -> list[JobWarning]:
    """A warning of rows without a value of the target, which are not trained on."""
    return [
        JobWarning(
            "rows_without_target", "/target", f"{missing} of {table.rows} rows have no {name!r}: they are left out"
        )
        for name in target
        if (missing := table.columns[name].missing)
    ]


def check_known(name: str, columns: Columns, pointer: str) -> None:
    """Raises `errors.UnknownColumn` for an unknown name; the message lists the columns."""
    if name not in columns:
        listed = ", ".join(list(columns)[:MAX_LISTED]) + (", …" if len(columns) > MAX_LISTED else "")
        raise errors.UnknownColumn(f"there is no column {name!r}; the columns are: {listed}", pointer=pointer)


def other_roles(target: Sequence[str], options: TrainingOptions) -> dict[str, str]:
    """The columns with another role than feature: the role by name."""
    roles = {options.sample_weight: "the sample_weight", options.validation_column: "the validation_column"}
    return {**{name: role for name, role in roles.items() if name}, **dict.fromkeys(target, "a target")}


class WhyNot(NamedTuple):
    """Why a column cannot be a feature: the error where it was requested, a reason for programs, and a sentence."""

    error: type[errors.Invalid]
    reason: str
    sentence: str


def why_no_feature(info: ColumnInfo, rows: int) -> WhyNot | None:
    """Why a column of `rows` rows cannot be a feature; None if it can."""
    if info.missing == rows:
        return WhyNot(errors.AllMissing, "empty", "has no values")
    if info.kind == "text":
        return WhyNot(errors.UnusableColumn, "text", "is free text")
    if info.distinct == 1 and info.missing == 0:
        return WhyNot(errors.ConstantColumn, "constant", "has the same value in every row")
    return None


def why_no_unscaled_feature(info: ColumnInfo, rows: int) -> WhyNot | None:
    """The same where numbers are not scaled: a constant is then an input like any other."""
    why = why_no_feature(info, rows)
    return None if why and why.reason == "constant" else why


class Features(NamedTuple):
    """The names of the features, the columns that were left out though the request did not say so, and warnings."""

    names: list[Feature]
    left_out: list[LeftOut] = []
    warnings: list[JobWarning] = []


def resolve_features(
    requested: Sequence[Feature] | None,
    other_roles: Mapping[str, str],
    table: TableDescription,
    why_not: Callable[[ColumnInfo, int], WhyNot | None] = why_no_feature,
) -> Features:
    """Those requested, or every column without another role that `why_not` allows and that is no identifier.

    Requested ones may be derived from columns of numbers. Identifiers remain where nothing else does. Raises
    `errors.Invalid` and its subclasses for columns that cannot be features.
    """
    if not requested:
        return _choose_features(other_roles, table, why_not)
    seen: set[str] = set()
    derived_features.check_count(requested)
    for index, feature in enumerate(requested):
        pointer = f"/features/{index}"
        if not isinstance(feature, str):
            _check_derived(DerivedFeature.from_json(feature), pointer, seen, other_roles, table, why_not)
            continue
        name = feature
        check_known(name, table.columns, pointer)
        if name in other_roles or name in seen:
            role = other_roles.get(name, "listed before")
            raise errors.Invalid(f"{name!r} is {role}: leave it out here", pointer=pointer)
        seen.add(name)
        if unfit := why_not(table.columns[name], table.rows):
            detail = f"the feature {name!r} {unfit.sentence}: leave it out"
            raise unfit.error(detail, problems=[Problem(pointer, unfit.sentence)])
    return Features(list(requested), warnings=derived_features.missing_logarithms(requested, table))


def _check_derived(
    feature: DerivedFeature,
    pointer: str,
    seen: set[str],
    other_roles: Mapping[str, str],
    table: TableDescription,
    why_not: Callable[[ColumnInfo, int], WhyNot | None],
) -> None:
    for name in feature.columns:
        check_known(name, table.columns, pointer)
    derived_features.check(feature, pointer, other_roles, table, why_not)
    if (same := str((feature.operation, sorted(feature.columns)))) in seen:
        raise errors.Invalid(f"{feature.name} is listed before: leave it out here", pointer=pointer)
    seen.add(same)


def _choose_features(
    other_roles: Mapping[str, str], table: TableDescription, why_not: Callable[[ColumnInfo, int], WhyNot | None]
) -> Features:
    others = [info for name, info in table.columns.items() if name not in other_roles]
    unfit = {info.name: why for info in others if (why := why_not(info, table.rows))}
    identifiers = find_identifiers(list(table.columns.values()), table.rows)
    usable = [info.name for info in others if info.name not in unfit]
    found = [name for name in usable if name not in identifiers]
    if not usable:
        detail = "no column is left to learn from: each is a target, free text, empty or constant"
        raise errors.UnusableColumn(detail, pointer="/features")
    warnings = []
    if not found:
        found = usable
        detail = (
            f"only identifiers are left to learn from ({', '.join(usable[:MAX_LISTED])}): add columns that describe"
        )
        warnings.append(JobWarning("only_identifiers", "/features", f"{detail} the rows"))
    chosen = set(found)
    left_out = [_left_out(info, unfit.get(info.name), identifiers) for info in others if info.name not in chosen]
    return Features([*found], left_out, warnings)


def _left_out(info: ColumnInfo, unfit: WhyNot | None, identifiers: Mapping[str, str]) -> LeftOut:
    example = example_of(info)
    such_as = "" if example is None else f", such as {example[:MAX_EXAMPLE_CHARACTERS]!r}"
    if unfit and (unfit.reason != "text" or info.name not in identifiers):
        return LeftOut(info.name, unfit.reason, f"{unfit.sentence}{such_as}")
    advice = "" if unfit else ": name it in features to learn from it"
    return LeftOut(info.name, "identifier", f"{identifiers[info.name]}{such_as}{advice}")


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


def labels_of(info: ColumnInfo) -> set[str] | None:
    """The labels of a column of words; None for numbers, whose values the description does not list."""
    return {level["value"] for level in info.statistics["levels"]} if "levels" in info.statistics else None


def check_validation_table(spec: FeedforwardSpec, columns: Columns, others: Columns) -> None:
    """Raises `errors.Invalid` where a validation dataset lacks a column, or has one that does not fit."""
    names, pointer = [*spec.columns, *spec.target], "/training/validation_dataset_id"
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
    return other == kind or (kind == "category" and other in ("boolean", "text"))


def check_known_classes(known: set[str] | None, other: ColumnInfo, pointer: str) -> None:
    """Raises `errors.Invalid` for a class of `other` that is not `known`, where both lists are known."""
    found = labels_of(other)
    if known is None or found is None:
        return
    target = TargetEncoder([other.name], sorted(known), [], [])  # which knows the other spellings of a boolean
    if new := sorted(label for label in found if target.label_of(label) not in known):
        detail = f"the target {other.name!r} holds {new[0]!r}, which is not one of the training classes"
        raise errors.Invalid(detail, pointer=pointer)
