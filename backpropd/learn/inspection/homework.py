"""A student's own numbers of one forward and backward pass, compared with those of the trace, step by step."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from backpropd import errors
from backpropd.errors import Problem, pointer
from backpropd.learn.inspection.nested_lists import nested_lists
from backpropd.learn.inspection.steps import steps
from backpropd.learn.inspection.student_answers import Answer, Path, read_answers
from backpropd.learn.inspection.trace import trace
from backpropd.learn.inspection.trace_step import SYMBOLS, Step, Symbols
from backpropd.learn.model import Model
from backpropd.nn.layout import Array

LOSS: Path = ("loss",)  # the only step that is one number: with a target every trace has it
OF_ONE_ROW = {"/rows/0": "/row", "/rows": "/row", "/targets/0": "/target", "/targets": "/target"}


def homework(
    model: Model,
    row: Any,
    target: Any,
    answers: Mapping[str, Any],
    *,
    tolerance: float,
    reveal: bool,
    learning_rate: float | None,
    max_numbers: int,
) -> dict[str, Any]:
    """`{"correct", "checked", "first_wrong"}`: whether all answers are right, else the first step that is wrong.

    `answers` are named and shaped as in `trace`, for one row; what is left out, or None, is not checked. `updated` may
    have the parameters after the update by name. A number is right if it differs from the trace's by at most
    `tolerance` times the larger of 1 and its size. `checked` is the number of values that were given. `first_wrong`
    has the `step`, the `pointer` of its first wrong number in the request, the `rule` in words and the `formula` in
    LaTeX; with `reveal` also `expected`, the right value of the whole step.

    Raises `errors.Invalid` with the pointers of everything that is wrong with the request, such as a shape, and of
    answers whose right value is not finite.
    """
    traced = _trace(model, row, target, learning_rate, max_numbers)
    right = {step: found for step in steps(model) if (found := _at(traced, step.path)) is not None}
    right |= _updated(model, traced)
    given = read_answers(answers, {step.path: found.shape for step, found in right.items()})
    _check_finite(given, right)
    for step, value in right.items():
        if step.path in given and (wrong := _first_wrong(given[step.path], value, tolerance)):
            told = {"step": step.name, "pointer": wrong, "rule": step.rule, "formula": step.formula}
            first_wrong = {**told, "expected": nested_lists(value)} if reveal else told
            return {"correct": False, "checked": len(given), "first_wrong": first_wrong}
    return {"correct": True, "checked": len(given), "first_wrong": None}


def _trace(model: Model, row: Any, target: Any, learning_rate: float | None, max_numbers: int) -> dict[str, Any]:
    """The trace of one row; errors have the pointers of `row` and `target`."""
    try:
        return trace(model, [row], [target], learning_rate, max_numbers=max_numbers)
    except errors.Invalid as error:
        if not error.problems:
            raise
        raise error.from_problems(Problem(_moved(each.pointer), each.detail) for each in error.problems) from error


def _moved(pointer: str) -> str:
    start = next((each for each in OF_ONE_ROW if pointer.startswith(each)), "")
    return OF_ONE_ROW.get(start, "") + pointer.removeprefix(start)


def _at(traced: Any, path: Path) -> Array | None:
    """The value of a step, with NaN for what is not finite; None if the trace does not have it."""
    for name in path:
        traced = traced.get(name) if isinstance(traced, dict) else traced[name]
        if traced is None:  # a number that is not finite, or a part that the trace does not have
            return np.array(np.nan) if path == LOSS else None
    return np.array(traced, np.float64)


def _updated(model: Model, traced: Mapping[str, Any]) -> dict[Step, Array]:
    """The parameters after the update."""
    found: dict[Step, Array] = {}
    for name, change in (traced["update"] or {}).items():
        if name == "learning_rate":
            continue
        _, index, noun = name.split(".")
        symbol, words = Symbols(int(index) + 1).of(noun), SYMBOLS[noun].words
        rule = f"add the change of the {words} to the {words} of the model"
        step = Step(("updated", name), rf"{symbol} \leftarrow {symbol} + \Delta {symbol}", rule)
        found[step] = model.theta[name].astype(np.float64) + np.array(change, np.float64)
    return found


def _check_finite(given: Mapping[Path, Answer], right: Mapping[Step, Array]) -> None:
    """Raise `errors.Invalid` for answers that cannot be judged: their step overflows for this row, or divides by 0."""
    unknown = [step for step, value in right.items() if step.path in given and not np.isfinite(value).all()]
    if unknown:
        detail = "the right value of {} is not finite for this row: leave it out"
        problems = (Problem(given[step.path].pointer, detail.format(step.name)) for step in unknown)
        raise errors.Invalid.from_problems(problems)


def _first_wrong(answer: Answer, right: Array, tolerance: float) -> str | None:
    """The pointer of the first number that is too far from the right one, or missing."""
    allowed = tolerance * np.maximum(1.0, abs(right))
    wrong = np.argwhere(~(abs(answer.numbers - right) <= allowed))
    return answer.pointer + pointer(*wrong[0].tolist()) if len(wrong) else None
