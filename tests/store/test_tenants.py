"""Limits and the erasure of a tenant on every database, while its job runs."""

from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from backpropd import errors
from backpropd.store import tenant_erasure
from backpropd.store.blobs import Blobs
from backpropd.store.scheduling import leases, tenants
from backpropd.store.sql.database import Database
from backpropd.store.sql.schema import Base
from tests.store.conftest import a_job, an_epoch, claim_next, read, write, write_epochs


def count_rows(database: Database, tenant: str) -> dict[str, int]:
    """The number of the tenant's rows in every table that has some."""
    tables = [table for table in Base.metadata.tables.values() if "tenant" in table.columns]
    with database.read() as session:
        counts = {
            table.name: session.scalar(select(func.count()).where(table.c.tenant == tenant)) or 0 for table in tables
        }
    return {name: count for name, count in counts.items() if count}


def test_a_tenant_runs_no_more_jobs_than_its_own_limit(database: Database) -> None:
    for tenant in ("acme", "acme", "other", "other"):
        a_job(database, tenant=tenant)
    write(database, tenants.set_limits, "acme", {"running_jobs": 1})
    claimed = [claim_next(database) for _ in range(4)]
    assert sorted(claim.tenant for claim in claimed if claim) == ["acme", "other", "other"]
    write(database, tenants.set_limits, "acme", {"running_jobs": None})
    assert claim_next(database).tenant == "acme"
    assert read(database, tenants.limits_of, "acme") == {}


def test_an_erasure_takes_every_row_also_of_a_running_job_whose_worker_then_loses_its_lease(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_erasure, "BATCH", 3)
    for _ in range(tenant_erasure.BATCH + 1):
        a_job(database, tenant="acme")
    a_job(database, tenant="other")
    kept = count_rows(database, "other")
    claim = claim_next(database)
    assert claim.tenant == "acme"
    write_epochs(database, claim, [1, 2], checkpoint=(2, b"state"))
    deleted = tenant_erasure.erase(database, Blobs(str(tmp_path / "blobs"), tmp_path / "scratch"), "acme", "operator")
    assert deleted["jobs"] == deleted["datasets"] == tenant_erasure.BATCH + 1
    assert count_rows(database, "acme") == {"audit": 1}
    assert count_rows(database, "other") == kept
    with pytest.raises(errors.LeaseLost):
        write(database, leases.write_epochs, claim, [an_epoch(3)], 30, 1.0, None)
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM epochs")) == 0
