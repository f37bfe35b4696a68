"""Options of training: a validation dataset, a model to start from, and what a model stores of its training."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("validation_dataset_id", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("warm_start_model_id", sa.Text(), nullable=True))
    op.create_index("ix_jobs_validation_dataset", "jobs", ["validation_dataset_id"])
    op.create_index("ix_jobs_warm_start_model", "jobs", ["warm_start_model_id"])
    json = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
    op.add_column("models", sa.Column("report", json, nullable=True))
    op.add_column("models", sa.Column("path", sa.LargeBinary(), nullable=True))
    op.add_column("models", sa.Column("training_state", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    for column in ("training_state", "path", "report"):
        op.drop_column("models", column)
    op.drop_index("ix_jobs_warm_start_model", "jobs")
    op.drop_index("ix_jobs_validation_dataset", "jobs")
    for column in ("warm_start_model_id", "validation_dataset_id"):
        op.drop_column("jobs", column)
