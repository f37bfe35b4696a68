"""The columns that a job leaves out, and its warnings."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("left_out", JSON, nullable=True))
    op.add_column("jobs", sa.Column("warnings", JSON, nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "warnings")
    op.drop_column("jobs", "left_out")
