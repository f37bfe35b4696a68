"""Leases: only the current fencing token writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backpropd import errors
from backpropd.store import epochs
from backpropd.store.scheduling import job_endings, leases
from backpropd.store.scheduling.claims import Claim
from backpropd.store.sql.database import Database
from tests.store.conftest import MODEL, a_job, an_epoch, claimed

Action = Callable[[Any, Claim], object]
ACTIONS: dict[str, Action] = {
    "renew": lambda session, claim: leases.renew(session, claim, 30, 1.0),
    "write_epochs": lambda session, claim: leases.write_epochs(session, claim, [an_epoch(1)], 30, 1.0),
    "stop_request": leases.stop_request,
    "succeed": lambda session, claim: job_endings.succeed(session, claim, "epochs", MODEL),
    "fail": lambda session, claim: job_endings.fail(session, claim, "diverged", "…"),
    "apply_request": job_endings.apply_request,
    "hand_back": lambda session, claim: job_endings.hand_back(session, claim, "…"),
}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_a_stale_token_writes_nothing(database: Database, action: Action) -> None:
    job = a_job(database)
    stale = claimed(database)
    with database.write() as session:
        job_endings.hand_back(session, stale, "test")
    claimed(database)
    with pytest.raises(errors.LeaseLost), database.write() as session:
        action(session, stale)
    with database.read() as session:
        assert epochs.after(session, job.number, 0, 10) == []


def test_epochs_that_are_written_twice_are_stored_once(database: Database) -> None:
    job = a_job(database)
    claim = claimed(database)
    for last in (3, 5):
        with database.write() as session:
            leases.write_epochs(session, claim, [an_epoch(n) for n in range(1, last + 1)], 30, 1.0)
    with database.read() as session:
        assert [row.epoch for row in epochs.after(session, job.number, 0, 10)] == [1, 2, 3, 4, 5]
