"""Predictions as JSON, JSON lines and CSV."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import orjson
import pyarrow as pa

from backpropd.learn.predictions import Output
from backpropd.learn.predictor import Block
from service.renderers.predictions.block_columns import all_columns, kept_columns
from service.renderers.predictions.cell_text import CsvText, JsonText, join_rows

Part: TypeAlias = "str | pa.Array"


def render_json(blocks: Iterable[Block], warnings: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """`{"predictions": [...], "warnings": [...]}`."""
    yield b'{"predictions":['
    for number, block in enumerate(blocks):
        objects = block.objects
        rows = join_rows([*_members(block), "},"], JsonText())[:-1] if objects is None else orjson.dumps(objects)[1:-1]
        yield (b"," if number else b"") + rows
    yield b'],"warnings":' + orjson.dumps(warnings) + b"}"


def render_json_lines(blocks: Iterable[Block], _: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """A flat object for each row, with the names of the columns."""
    for block in blocks:
        parts = [part for name, values in all_columns(block).items() for part in (f",{_quoted(name)}:", values)]
        yield join_rows([*_opened(parts), "}\n"], JsonText())


def render_csv(blocks: Iterable[Block], _: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    """A header and a line for each row; no cell is a formula."""
    text = CsvText()
    for number, block in enumerate(blocks):
        columns = all_columns(block)
        if number == 0:
            yield (",".join(map(text.word, columns)) + "\n").encode()
        parts: list[Part] = [part for values in columns.values() for part in (",", values)]
        yield join_rows([*parts[1:], "\n"], text)


def _members(block: Block) -> list[Part]:
    """The members of a row's object, without the brace that closes it."""
    parts = [part for name, values in kept_columns(block).items() for part in (f",{_quoted(name)}:", values)]
    for member, outputs in itertools.groupby(block.outputs, key=lambda output: output.member):
        parts += _member(member, list(outputs))
    return _opened(parts)


def _member(member: str, outputs: Sequence[Output]) -> list[Part]:
    if outputs[0].key is None:
        return [f",{_quoted(member)}:", outputs[0].values]
    parts = [part for output in outputs for part in (f",{_quoted(str(output.key))}:", output.values)]
    return [f",{_quoted(member)}:", *_opened(parts), "}"]


def _opened(parts: Sequence[Part]) -> list[Part]:
    """Parts that begin with a comma, with a brace instead."""
    return ["{" + str(parts[0])[1:], *parts[1:]]


def _quoted(name: str) -> str:
    return orjson.dumps(name).decode()
