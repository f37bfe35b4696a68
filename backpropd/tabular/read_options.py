"""How a file is to be read, where the uploader knows better than the reader's guess."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from backpropd.tabular.column_names import respelled

UNUSED = "unused"  # the known kind of a column that is only taken along


@dataclass(frozen=True)
class ReadOptions:
    """Corrections of what is guessed; None is a guess.

    `encoding, delimiter, quote, decimal, thousands, comment` and `skip_lines` are those of a text file; `header` says
    whether it has one. `missing` are the cells that stand for a missing value, instead of the usual markers. `kinds`
    are the kinds of columns by name; `text` keeps the cells as they stand, trimmed. `sheet` is the name of a
    spreadsheet's sheet. `strict`: a row that does not fit refuses the file. `known_kinds` are the kinds of columns that
    the file may lack, where they are text: a first row of these names is a header, and cells that cannot be of their
    kind stay as they stand. `is_cut`: the file is the beginning of a text, whose last row may be cut.
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

    def for_columns(self, names: Collection[str], *, named: bool = True) -> ReadOptions:
        """The options for a file with these columns of text, whose header names them if `named`.

        Then `kinds` has the known kinds of those that it has, too, and `known_kinds` those that nobody stated. Where
        some are known, any other column is `UNUSED`, and read as text.
        """
        other = respelled(names, self.known_kinds)
        if not self.known_kinds or not (named or other or any(name in self.known_kinds for name in names)):
            return replace(self, known_kinds={})
        own = {name: self.known_kinds.get(other.get(name, name), UNUSED) for name in names}
        known = {name: kind for name, kind in own.items() if name not in self.kinds}
        kinds = {name: "text" if kind == UNUSED else kind for name, kind in known.items()}
        return replace(self, kinds={**kinds, **self.kinds}, known_kinds=known)

    def to_json(self) -> dict[str, Any]:
        """The options for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ReadOptions:
        """The options whose `to_json` this is."""
        missing = data["missing"]
        return cls(**{**data, "missing": None if missing is None else tuple(missing)})
