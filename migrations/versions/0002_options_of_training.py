"""What options of training need: a second dataset, a model to go on from, and what a model keeps of its training"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("validation_dataset_id", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("warm_start_model_id", sa.Text(), nullable=True))
        batch_op.create_index("ix_jobs_validation_dataset", ["validation_dataset_id"], unique=False)
        batch_op.create_index("ix_jobs_warm_start_model", ["warm_start_model_id"], unique=False)

    with op.batch_alter_table("models", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "report",
                sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql"),
                nullable=True,
            )
        )
        batch_op.add_column(sa.Column("path", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("training_state", sa.LargeBinary(), nullable=True))


def downgrade() -> None:

    with op.batch_alter_table("models", schema=None) as batch_op:
        batch_op.drop_column("training_state")
        batch_op.drop_column("path")
        batch_op.drop_column("report")

    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index("ix_jobs_warm_start_model")
        batch_op.drop_index("ix_jobs_validation_dataset")
        batch_op.drop_column("warm_start_model_id")
        batch_op.drop_column("validation_dataset_id")
