"""The bytes that datasets, jobs and models count in the storage quota."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# What is in the rows that there are: texts are counted in characters.
COUNTED = {
    "datasets": "UPDATE datasets SET stored_bytes = 1000 + bytes + length(CAST(columns AS text))",
    "models": "UPDATE models SET stored_bytes = 1000 + bytes + length(CAST(encoders AS text))",
    "jobs": "UPDATE jobs SET stored_bytes = own_bytes + 220 * epoch",
}


def upgrade() -> None:
    op.add_column("jobs", sa.Column("own_bytes", INTEGER, nullable=False, server_default="0"))
    op.execute("UPDATE jobs SET own_bytes = 1000 + length(CAST(spec AS text))")
    for table, count in COUNTED.items():
        op.add_column(table, sa.Column("stored_bytes", INTEGER, nullable=False, server_default="0"))
        op.execute(count)
    op.drop_index("ix_datasets_usage", "datasets")
    op.drop_index("ix_models_usage", "models")
    op.create_index("ix_datasets_usage", "datasets", ["tenant", "stored_bytes", "rows"])
    op.create_index("ix_models_usage", "models", ["tenant", "stored_bytes"])
    op.create_index("ix_jobs_usage", "jobs", ["tenant", "stored_bytes"])


def downgrade() -> None:
    op.drop_index("ix_jobs_usage", "jobs")
    op.drop_index("ix_models_usage", "models")
    op.drop_index("ix_datasets_usage", "datasets")
    for table in COUNTED:
        op.drop_column(table, "stored_bytes")
    op.drop_column("jobs", "own_bytes")
    op.create_index("ix_models_usage", "models", ["tenant", "bytes"])
    op.create_index("ix_datasets_usage", "datasets", ["tenant", "bytes", "rows"])
