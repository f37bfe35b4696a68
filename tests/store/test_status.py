"""The transitions between statuses, and their drawing in the documentation."""

import re
from pathlib import Path

from backpropd.store.scheduling import queries
from backpropd.store.status import ALLOWED_TRANSITIONS, TERMINAL, Status

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "reliability.md").read_text()


def test_the_drawing_has_the_transitions_of_the_code_and_no_others() -> None:
    drawn = re.findall(r"^    (\S+) --> (\S+)$", PAGE, re.MULTILINE)
    allowed = [(before, after) for before, all_after in ALLOWED_TRANSITIONS.items() for after in all_after]
    ends = [("[*]", Status.QUEUED), *((status, "[*]") for status in TERMINAL)]
    assert sorted(drawn) == sorted([*allowed, *ends])


def test_every_status_has_its_transitions_and_leads_to_a_terminal_one() -> None:
    assert ALLOWED_TRANSITIONS.keys() == set(Status)
    assert {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED} == TERMINAL
    assert all(ALLOWED_TRANSITIONS[status] & TERMINAL for status in Status if status not in TERMINAL)


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`((?:tests/\S+/)?(?:test_\w+|chaos)\.py)`", PAGE))
    assert len(named) > 10
    for name in named:
        path = ROOT / name if "/" in name else ROOT / "tests" / "acceptance" / "faults" / name
        assert path.exists(), name


def test_the_statements_of_the_work_queue_name_only_statuses_that_exist() -> None:
    named = re.findall(r"status = '(\w+)'", " ".join(queries.FILE.sections.values()))
    assert {"queued", "running", "succeeded"} <= set(named) <= set(Status)
