"""Models that no job made, because they were imported."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("models") as models:
        models.alter_column("job_id", existing_type=sa.Text(), nullable=True)


def downgrade() -> None:
    op.execute("UPDATE models SET job_id = '' WHERE job_id IS NULL")
    with op.batch_alter_table("models") as models:
        models.alter_column("job_id", existing_type=sa.Text(), nullable=False)
