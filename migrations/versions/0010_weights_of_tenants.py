"""The fair queue on a virtual clock, with a weight of each tenant."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE turns RENAME COLUMN round TO virtual_time")
    op.execute("UPDATE turns SET virtual_time = virtual_time * 1000000")  # a round is the stride of the weight 1
    stride = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("turns", sa.Column("stride", stride, nullable=False, server_default="1000000"))


def downgrade() -> None:
    op.drop_column("turns", "stride")
    op.execute("UPDATE turns SET virtual_time = virtual_time / 1000000")
    op.execute("ALTER TABLE turns RENAME COLUMN virtual_time TO round")
