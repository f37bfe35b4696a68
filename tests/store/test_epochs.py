"""Epochs: written once, read back exactly, thinned."""

from __future__ import annotations

import struct

import pytest
from sqlalchemy.exc import StatementError

from backpropd.store import epochs
from backpropd.store.scheduling import leases
from backpropd.store.sql.database import Database
from tests.store.conftest import TENANT, a_job, an_epoch, claimed


def test_an_epoch_is_read_as_it_was_written(database: Database) -> None:
    job = a_job(database)
    claim = claimed(database)
    metrics = {"accuracy": 0.1, "r2": -1e-05, "whole": 3.0, "large": 1e300}
    written = [{**an_epoch(1), "metrics": metrics, "validation_loss": 0.5}, {**an_epoch(2), "validation_metrics": {}}]
    with database.write() as session:
        leases.write_epochs(session, claim, written, 30, 1.0)
    with database.read() as session:
        rows = epochs.after(session, job.number, 0, 10)
        assert [dict(zip(epochs.FIELDS, row, strict=True)) for row in rows] == written
        assert epochs.thinned(session, job.number, 10) == rows


def test_losses_are_stored_bit_for_bit_and_existing_epochs_stay(database: Database) -> None:
    job = a_job(database)
    losses = [5e-324, 2.2250738585072014e-308, 0.1, 2 / 3, 1e22, 1.7976931348623157e308]
    with database.write() as session:
        epochs.add(session, job.number, TENANT, [an_epoch(n, loss) for n, loss in enumerate(losses, 1)])
        epochs.add(session, job.number, TENANT, [an_epoch(2, 7.0)])
    with database.read() as session:
        found = [row.loss for row in epochs.after(session, job.number, 0, 10)]
    assert struct.pack("6d", *found) == struct.pack("6d", *losses)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_nan_and_infinity_are_rejected_and_not_stored_as_null(database: Database, number: float) -> None:
    job = a_job(database)
    with pytest.raises((ValueError, StatementError), match="JSON compliant"), database.write() as session:
        epochs.add(session, job.number, TENANT, [{**an_epoch(1), "metrics": {"accuracy": number}}])


def test_a_thinned_curve_contains_the_first_the_last_and_the_smallest_loss(database: Database) -> None:
    job = a_job(database)
    with database.write() as session:
        rows = [an_epoch(n, loss=0.1 if n == 777 else 1.0 + n) for n in range(1, 1001)]
        epochs.add(session, job.number, TENANT, rows)
    with database.read() as session:
        numbers = [row.epoch for row in epochs.thinned(session, job.number, 50)]
    assert numbers[0] == 1
    assert numbers[-1] == 1000
    assert 777 in numbers
    assert 45 <= len(numbers) <= 50
