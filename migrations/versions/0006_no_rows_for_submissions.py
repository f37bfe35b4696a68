"""A job's submission has no row among the transitions: the job's own row says the same."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM transitions WHERE status = 'queued' AND reason = 'submitted'")


def downgrade() -> None:
    op.execute(  # negative numbers: transitions are ordered by number, and submissions come first
        "INSERT INTO transitions (number, job_number, tenant, status, at, reason) "
        "SELECT -number, number, tenant, 'queued', created_at, 'submitted' FROM jobs"
    )
