"""The root of the errors, and the mistakes that one of them lists."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a request: where (a JSON pointer, RFC 6901) and how to fix it."""

    pointer: str
    detail: str


def pointer(*path: str | int) -> str:
    """The JSON pointer (RFC 6901) of the value under these names and indices."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


class BackpropdError(Exception):
    """The root. `code` is stable and for programs; the message says how to fix the input."""

    code = "internal_error"

    def __init__(self, detail: str, *, pointer: str | None = None, problems: Iterable[Problem] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = tuple(problems)
        if pointer is not None:
            self.problems = (Problem(pointer, detail), *self.problems)


class Misconfigured(BackpropdError):
    """A setting is invalid, or two contradict each other: the program does not start."""

    code = "misconfigured"
