"""Partial indexes of the jobs of one status, and indexes for pages."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_jobs_queue", "jobs")
    op.drop_index("ix_jobs_tenant", "jobs")
    op.drop_index("ix_jobs_dataset", "jobs")
    _create_index_of("queued", "ix_jobs_queue", ["tenant", "rank", "queued_at", "number"])
    _create_index_of("running", "ix_jobs_running", ["tenant"])
    op.create_index("ix_jobs_tenant", "jobs", ["tenant", "id"])
    op.create_index("ix_jobs_status", "jobs", ["tenant", "status", "id"])
    op.create_index("ix_jobs_dataset", "jobs", ["tenant", "dataset_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_jobs_dataset", "jobs")
    op.drop_index("ix_jobs_status", "jobs")
    op.drop_index("ix_jobs_tenant", "jobs")
    op.drop_index("ix_jobs_running", "jobs")
    op.drop_index("ix_jobs_queue", "jobs")
    op.create_index("ix_jobs_dataset", "jobs", ["dataset_id"])
    op.create_index("ix_jobs_tenant", "jobs", ["tenant", "number"])
    op.create_index("ix_jobs_queue", "jobs", ["status", "tenant", "rank", "queued_at", "number"])


def _create_index_of(status: str, name: str, columns: list[str]) -> None:
    where = sa.text(f"status = '{status}'")
    op.create_index(name, "jobs", columns, sqlite_where=where, postgresql_where=where)
