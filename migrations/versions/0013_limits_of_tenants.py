"""Limits of single tenants, which an operator sets; null where the service's limit holds."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LIMITS = ("max_stored_bytes", "max_queued_jobs", "max_running_jobs")


def upgrade() -> None:
    for name in LIMITS:
        op.add_column("turns", sa.Column(name, INTEGER, nullable=True))


def downgrade() -> None:
    for name in LIMITS:
        op.drop_column("turns", name)
