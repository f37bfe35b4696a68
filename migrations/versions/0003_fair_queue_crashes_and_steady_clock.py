"""The fair queue's rounds, the count of crashes, and leases on the steady clock."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Leases and heartbeats change their clock: all leases expire, and workers send new heartbeats.
    op.execute("DELETE FROM workers")
    op.execute("UPDATE jobs SET lease_expires_at = 0 WHERE status = 'running'")
    op.create_table(
        "turns",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("round", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("tenant"),
    )
    op.execute("INSERT INTO turns (tenant, round) SELECT DISTINCT tenant, 0 FROM jobs")
    # Without batch mode, which recreates the table on SQLite: foreign keys would delete all epochs and checkpoints.
    op.add_column("jobs", sa.Column("losses", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("seconds", sa.Float(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("queued_at", sa.BigInteger(), nullable=False, server_default="0"))
    op.drop_column("jobs", "recoveries")
    op.drop_column("jobs", "rung_at")
    op.drop_index("ix_jobs_queue", "jobs")
    op.execute("ALTER TABLE jobs RENAME COLUMN priority TO rank")
    op.execute("UPDATE jobs SET queued_at = created_at, rank = -rank")
    op.create_index("ix_jobs_queue", "jobs", ["status", "tenant", "rank", "queued_at", "number"])
    op.create_index("ix_jobs_finished", "jobs", ["finished_at"])


def downgrade() -> None:
    op.drop_index("ix_jobs_finished", "jobs")
    op.drop_index("ix_jobs_queue", "jobs")
    op.execute("ALTER TABLE jobs RENAME COLUMN rank TO priority")
    op.execute("UPDATE jobs SET priority = -priority")
    op.create_index("ix_jobs_queue", "jobs", ["status", "priority", "number"])
    op.add_column("jobs", sa.Column("rung_at", sa.BigInteger(), nullable=True))
    op.add_column("jobs", sa.Column("recoveries", sa.Integer(), nullable=False, server_default="0"))
    op.drop_column("jobs", "queued_at")
    op.drop_column("jobs", "seconds")
    op.drop_column("jobs", "losses")
    op.drop_table("turns")
