"""What lists show of datasets and jobs, so that they need not read columns and specs, which can have megabytes."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

FILL_IN = {
    "sqlite": (
        "UPDATE datasets SET width = json_array_length(columns)",
        "UPDATE jobs SET task = json_extract(spec, '$.task'), target = json_extract(spec, '$.target')",
    ),
    "postgresql": (
        "UPDATE datasets SET width = jsonb_array_length(columns)",
        "UPDATE jobs SET task = spec ->> 'task', target = spec -> 'target'",
    ),
}


def upgrade() -> None:
    json = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), "postgresql")
    op.add_column("datasets", sa.Column("width", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("task", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("target", json, nullable=True))
    for statement in FILL_IN[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    op.drop_column("datasets", "width")
    for column in ("target", "task"):
        op.drop_column("jobs", column)
