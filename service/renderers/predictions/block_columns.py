"""The columns of a block of predictions: those that are kept from the input first, under names that differ."""

from __future__ import annotations

import itertools
from collections.abc import Container

import pyarrow as pa

from backpropd.learn.predictor import Block


def kept_columns(block: Block) -> dict[str, pa.Array]:
    """The kept columns; one that is named like an output becomes `NAME_2`, as in a table with two such columns."""
    taken = {name for output in block.outputs for name in (output.member, output.column)}
    return {_free_name(name, taken, block.kept): values for name, values in block.kept.items()}


def _free_name(name: str, taken: Container[str], others: Container[str]) -> str:
    if name not in taken:
        return name
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    return next(each for each in numbered if each not in taken and each not in others)


def all_columns(block: Block) -> dict[str, pa.Array]:
    """The kept columns, and a column for each output: `label` or `value`, and the probabilities."""
    return kept_columns(block) | {output.column: output.values for output in block.outputs}
