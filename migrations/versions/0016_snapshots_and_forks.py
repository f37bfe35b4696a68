"""Snapshots of jobs in training, and jobs that continue from one."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COLUMNS = ("parent_epoch", "parent_job_id", "snapshot_bytes")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("snapshot_bytes", INTEGER, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("parent_job_id", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("parent_epoch", sa.Integer(), nullable=True))
    op.create_table(
        "snapshots",
        sa.Column("job_number", INTEGER, sa.ForeignKey("jobs.number", ondelete="CASCADE"), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("bytes", INTEGER, nullable=False),
        sa.Column("weights", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("job_number", "epoch"),
    )


def downgrade() -> None:
    op.drop_table("snapshots")
    for column in COLUMNS:
        op.drop_column("jobs", column)
