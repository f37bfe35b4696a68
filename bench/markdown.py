"""Values and tables of the generated pages, in Markdown."""

from collections.abc import Sequence
from typing import Any


def judged(value: float, style: str, unit: str = "", *, minimum: Any = None, maximum: Any = None) -> str:
    """The value, with its target if there is one; bold if it misses that."""
    sign, target = ("≥", minimum) if maximum is None else ("≤", maximum)
    text = f"{value:{style}}{unit}"
    if target is None:
        return text
    met = value >= target if sign == "≥" else value <= target
    return f"{text if met else f'**{text}**'} ({sign} {target:{'.0%' if style.endswith('%') else 'g'}}{unit})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
