"""The values of a JSON text, one after another, with their lines; only one of them is in memory at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from backpropd.errors import NotATable
from backpropd.tabular.column_names import first_repeated

CHUNK_CHARACTERS = 512 * 1024
MAX_VALUE_CHARACTERS = 16 * 1024 * 1024
SPACE = re.compile(r"[ \t\r\n]*")
MARGIN = 16  # an error this close to the end of what was read may be due to the end
CUT = re.compile(r"[ \t\r\n]*([a-zA-Z-]*|\\.*)")  # what an error is at if more could have followed
CONSTANT = re.compile(r"-?(NaN|Infinity)")


class Number(str):
    """A number as it is written."""


class ValueTooLong(NotATable):
    """A value has more characters than allowed."""


class _Refused(ValueError):
    """Valid for Python's decoder, but not here."""


def _refuse_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not a number in JSON: write null for a missing value")


def _unique(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        repeated = str(first_repeated(name for name, _ in members))
        raise _Refused(f"an object has the name {repeated[:100]!r} twice: remove one")
    return found


class JsonStream:
    """A JSON text that is read from its beginning. Numbers are strings, as they are written.

    With `exact` numbers they are `Number`, which tells them from strings. `line` is the line of the value that was
    read last, from 1.
    """

    def __init__(self, path: Path, encoding: str, *, exact: bool = False) -> None:
        number = Number if exact else str
        self._scan = json.JSONDecoder(
            parse_float=number, parse_int=number, parse_constant=_refuse_constant, object_pairs_hook=_unique
        ).scan_once  # type: ignore[attr-defined]  # it exists, and raises where it failed
        self._file = path.open(encoding=encoding, newline="")
        self._text, self._at = "", 0
        self._counted = 0  # line ends before this offset are in `line`
        self.line = 1

    def __enter__(self) -> JsonStream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._file.close()

    def peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            self._at = SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches anything
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_more():
                return ""

    def take(self, *expected: str) -> str:
        """Read one of these characters. Raises `NotATable` for another."""
        found = self.peek()
        self._count_lines()
        if found not in expected:
            wanted = " or ".join(map(repr, expected))
            self._fail(f"expected {wanted}, and found {repr(found) if found else 'the end of the file'}")
        self._at += 1
        return found

    def value(self, max_characters: int = MAX_VALUE_CHARACTERS) -> Any:
        """The next value. Raises `NotATable`, which names the line."""
        self.peek()
        self._count_lines()
        while True:
            try:
                value, end = self._scan(self._text, self._at)
            except StopIteration as error:
                self._extend("expected a value", int(error.value), max_characters)
            except json.JSONDecodeError as error:
                self._extend(error.msg, error.pos, max_characters)
            except RecursionError:
                self._fail("objects and lists are nested too deeply")
            except _Refused as error:
                self._count_lines(self._position_of_refused())
                self._fail(str(error))
            else:
                if end < len(self._text) or isinstance(value, dict | list) or not self._read_more():
                    self._at = end
                    return value

    def items(self) -> Iterator[Any]:
        """The items of the list that comes next."""
        self.take("[")
        while self.peek() != "]":
            yield self.value()
            if self.peek() != "]":
                self.take(",")
        self._at += 1

    def member_names(self) -> Iterator[str]:
        """The names of the members of the object that comes next; each value must be read before the next name."""
        self.take("{")
        while self.peek() == '"':
            name = str(self.value())
            self.take(":")
            yield name
            if self.peek() != "}":
                self.take(",")
        self.take("}")

    def expect_end(self) -> None:
        """Raise `NotATable` if anything follows."""
        if self.peek():
            self._count_lines()
            self._fail("more follows behind the end")

    def _extend(self, message: str, position: int, max_characters: int) -> None:
        """Read more of a value of which a part was read. Raises `NotATable` if that cannot help."""
        open_string = message.startswith("Unterminated string")
        if position < len(self._text) - MARGIN and not open_string:
            self._count_lines(position)
            self._fail(message[0].lower() + message[1:])
        if len(self._text) - self._at > max_characters:
            raise ValueTooLong(
                f"line {self.line}: a value is longer than {max_characters} characters, the maximum: is a quote not "
                "closed?"
            )
        if not self._read_more():
            if not open_string and not CUT.fullmatch(self._text, position):
                self._count_lines(position)
                self._fail(message[0].lower() + message[1:])
            self._fail("the file ends within the value that begins here: it was cut off")

    def _position_of_refused(self) -> int:
        found = CONSTANT.search(self._text, self._at)
        return found.start() if found else self._at

    def _count_lines(self, position: int | None = None) -> None:
        position = self._at if position is None else position
        self.line += self._text.count("\n", self._counted, position)
        self._counted = position

    def _read_more(self) -> bool:
        """Read on, and forget what was read before the current value. False at the end of the file."""
        try:
            more = self._file.read(max(CHUNK_CHARACTERS, len(self._text) - self._at))
        except UnicodeDecodeError as error:
            self._count_lines(len(self._text))
            self.line += bytes(error.object[: error.start]).count(b"\n")
            self._fail(f"the text is not valid {error.encoding.upper()}: save the file as UTF-8", "")
        if more:
            self._count_lines()
            self._text = self._text[self._at :] + more
            self._at = self._counted = 0
        return bool(more)

    def _fail(self, reason: str, what: str = "this is not valid JSON: ") -> NoReturn:
        raise NotATable(f"line {self.line}: {what}{reason}")
