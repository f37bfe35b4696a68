"""How a file is to be read, where the uploader knows better than the reader's guess."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class ReadOptions:
    """Corrections of what is guessed; None is a guess.

    `encoding, delimiter, quote, decimal, thousands, comment` and `skip_lines` are those of a text file; `header` says
    whether it has one. `missing` are the cells that stand for a missing value, instead of the usual markers. `kinds`
    are the kinds of columns by name; `text` keeps the cells as they stand, trimmed. `sheet` is the name of a
    spreadsheet's sheet. `strict`: a row that does not fit refuses the file. `known_kinds` are the kinds of columns that
    the file may lack, where they are text. `is_cut`: the file is the beginning of a text, whose last row may be cut.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    header: bool | None = None
    skip_lines: int | None = None
    comment: str | None = None
    missing: tuple[str, ...] | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    sheet: str | None = None
    strict: bool = False
    known_kinds: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False

    def for_columns(self, names: Collection[str]) -> ReadOptions:
        """The options for a file with these columns of text: `kinds` alone has the kinds of those that it has."""
        known = {name: kind for name, kind in self.known_kinds.items() if name in names}
        return replace(self, kinds={**known, **self.kinds}, known_kinds={})

    def to_json(self) -> dict[str, Any]:
        """The options for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ReadOptions:
        """The options whose `to_json` this is."""
        missing = data["missing"]
        return cls(**{**data, "missing": None if missing is None else tuple(missing)})
