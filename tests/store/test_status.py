"""The moves between statuses, and the drawing of them in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

from backpropd.store.status import ALLOWED_TRANSITIONS, TERMINAL, Status

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text()


def test_the_drawing_has_the_moves_of_the_code_and_no_others() -> None:
    drawn = re.findall(r"^    (\S+) --> (\S+)$", PAGE, re.MULTILINE)
    moves = [(before, after) for before, all_after in ALLOWED_TRANSITIONS.items() for after in all_after]
    ends = [("[*]", Status.QUEUED), *((status, "[*]") for status in TERMINAL)]
    assert sorted(drawn) == sorted([*moves, *ends])


def test_from_an_end_there_is_no_way_on_and_from_everything_else_there_is_a_way_to_one() -> None:
    assert ALLOWED_TRANSITIONS.keys() == set(Status)
    assert all(bool(ALLOWED_TRANSITIONS[status]) == (status not in TERMINAL) for status in Status)


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:tests/\S+/)?(?:test_\w+|chaos)\.py)`", PAGE))
    assert len(named) > 10
    for name in named:
        path = ROOT / name if "/" in name else ROOT / "tests" / "acceptance" / "faults" / name
        assert path.exists(), name
