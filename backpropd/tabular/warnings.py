"""Warnings of a table: what was read otherwise than it stands in the file, or is suspicious."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

MAX_EXAMPLES = 10
MAX_VALUE_CHARACTERS = 100
MAX_WARNINGS = 200


@dataclass(frozen=True)
class Example:
    """A value in the file with its line, from 1; in a format without lines it is the number of the row, from 1."""

    line: int
    value: str


@dataclass
class TableWarning:
    """A kind of finding (`code`) in one column, or in the whole table where that is None: how often, and examples."""

    code: str
    column: str | None
    count: int
    detail: str
    examples: list[Example]

    def to_json(self) -> dict[str, Any]:
        """The warning as the API shows it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TableWarning:
        """The warning whose `to_json` this is."""
        return cls(**{**data, "examples": [Example(**each) for each in data["examples"]]})


class WarningLog:
    """Collects warnings; those of the same code and column become one, with the first detail and examples."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str | None], TableWarning] = {}

    def add(
        self, code: str, column: str | None, detail: str, examples: Iterable[tuple[int, str]] = (), count: int = 1
    ) -> None:
        """Count a finding `count` times; `examples` are lines and values."""
        found = self._found.setdefault((code, column), TableWarning(code, column, 0, detail, []))
        found.count += count
        for line, value in examples:
            if len(found.examples) < MAX_EXAMPLES:
                found.examples.append(Example(line, value[:MAX_VALUE_CHARACTERS]))

    def extend(self, other: WarningLog) -> None:
        """Add the findings of another log."""
        for each in other._found.values():
            examples = ((example.line, example.value) for example in each.examples)
            self.add(each.code, each.column, each.detail, examples, each.count)

    def to_list(self) -> list[TableWarning]:
        """The warnings in the order in which they first occurred, at most MAX_WARNINGS."""
        return list(self._found.values())[:MAX_WARNINGS]
