"""What was recognized in an uploaded text file, and the warnings of reading it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")


def upgrade() -> None:
    op.add_column("datasets", sa.Column("dialect", JSON, nullable=True))
    op.add_column("datasets", sa.Column("warnings", JSON, nullable=True))


def downgrade() -> None:
    op.drop_column("datasets", "warnings")
    op.drop_column("datasets", "dialect")
