"""Whether a target means classification or regression, and the warning where it could mean the other."""

from collections.abc import Sequence

from backpropd import errors
from backpropd.learn.resolve.plan import JobWarning
from backpropd.learn.tables import is_boolean
from backpropd.tabular import ColumnInfo

FEW_CLASSES = 5  # different whole numbers, at most, that are classes though each is found in few rows
SOME_CLASSES = 10  # different whole numbers, at most, that are classes if each is found in some rows
MAX_CLASS_NUMBERS = 20  # different whole numbers, at most, that are classes if all are found equally often
MIN_REPEATS_OF_FEW, MIN_REPEATS = 3, 10  # rows for each different number, on average
MIN_ROWS_OF_RAREST = 5
MAX_UNEVENNESS = 1.5  # the rows of the most frequent number for each of the rarest
MAX_CLASSES = 1000
MAX_LISTED = 5  # classes named in a message


def resolve_task(
    requested: str, targets: Sequence[ColumnInfo], rows: int, *, scales: bool = True
) -> tuple[str, list[JobWarning]]:
    """Classification or regression for targets of a table of `rows` rows, and what there is to say about the choice.

    Without `scales` targets are used as they are, and the target of a regression may be a constant. Raises
    `errors.Invalid` and its subclasses for targets that do not fit.
    """
    chosen, warnings = requested, []
    if requested == "auto":
        chosen = "classification" if looks_like_classes(targets, rows) else "regression"
        warnings = [warning] if (warning := _borderline(targets, rows, chosen)) else []
    if chosen == "regression":
        _check_numbers(targets, scales=scales)
        return chosen, warnings
    _check_classes(targets)
    return chosen, warnings + _single_rows(targets, rows)


def looks_like_classes(targets: Sequence[ColumnInfo], rows: int) -> bool:
    """Whether `auto` means classification: one target of words or of repeated whole numbers, or booleans alone."""
    if len(targets) > 1:
        return all(info.kind == "boolean" for info in targets)
    (info,) = targets
    return info.kind != "number" or _repeats_enough(info, rows)


def holds_few_numbers(info: ColumnInfo) -> bool:
    """Whether a column of numbers holds whole ones alone, and few different ones."""
    few = info.distinct is not None and info.distinct <= MAX_CLASS_NUMBERS
    return few and bool(info.statistics.get("whole"))


def _repeats_enough(info: ColumnInfo, rows: int) -> bool:
    """Whether a column has few different whole numbers, each in many rows: then they are more likely classes."""
    if not holds_few_numbers(info) or not info.distinct:
        return False
    repeats, counts = _repeats(info, rows), [each["count"] for each in info.statistics.get("values", [])]
    if info.distinct <= 2:
        return True
    if info.distinct <= FEW_CLASSES:
        return repeats >= MIN_REPEATS_OF_FEW
    if repeats < MIN_REPEATS or (counts and min(counts) < MIN_ROWS_OF_RAREST):
        return False
    return info.distinct <= SOME_CLASSES or bool(counts and max(counts) <= MAX_UNEVENNESS * min(counts))


def _repeats(info: ColumnInfo, rows: int) -> float:
    """How many rows have the same value, on average."""
    return (rows - info.missing) / max(info.distinct or 0, 1)


def _borderline(targets: Sequence[ColumnInfo], rows: int, chosen: str) -> JobWarning | None:
    """The warning that names the other task, where one target of whole numbers could mean both."""
    info = targets[0]
    if len(targets) > 1 or info.kind != "number" or not holds_few_numbers(info) or not info.distinct:
        return None
    repeats = _repeats(info, rows)
    if chosen == "classification" and info.distinct < FEW_CLASSES and (info.distinct <= 2 or repeats >= MIN_REPEATS):
        return None
    if chosen == "regression" and repeats < MIN_REPEATS_OF_FEW:
        return None
    holds = f"the target {info.name!r} holds {info.distinct} different whole numbers in {rows - info.missing} rows"
    meant, other = {
        "classification": ("classes", 'an amount, a count or a grade, request "task": "regression"'),
        "regression": ("amounts", 'classes, request "task": "classification"'),
    }[chosen]
    return JobWarning("task_is_a_guess", "/task", f"{holds}, which are taken for {meant}: if they are {other}")


def _single_rows(targets: Sequence[ColumnInfo], rows: int) -> list[JobWarning]:
    """A warning of classes with a single row, which no network can learn, unless the table is as small as that."""
    if len(targets) > 1 or rows < MIN_REPEATS:
        return []
    listed = targets[0].statistics.get("levels") or targets[0].statistics.get("values") or []
    single = [each["value"] for each in listed if each["count"] == 1]
    if not single:
        return []
    named = ", ".join(map(repr, single[:MAX_LISTED])) + (", …" if len(single) > MAX_LISTED else "")
    detail = f"{len(single)} of {len(listed)} classes of {targets[0].name!r} have a single row ({named}): "
    return [JobWarning("rare_classes", "/target", detail + "they cannot be learned from it; group them, or add rows")]


def _check_numbers(targets: Sequence[ColumnInfo], *, scales: bool) -> None:
    for info in targets:
        if info.kind != "number":
            detail = f"{info.name!r} is of kind {info.kind}, and regression needs numbers: request a classification"
            raise errors.UnusableColumn(detail, pointer="/target")
        if info.distinct == 1 and scales:
            detail = f'{info.name!r} has the same value in every row: choose another, or set target_scaling to "none"'
            raise errors.ConstantColumn(detail, pointer="/target")


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
