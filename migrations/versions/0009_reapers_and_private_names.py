"""Reapers beside workers, audit numbers of each tenant, and reasons without host names."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workers", sa.Column("role", sa.Text(), nullable=False, server_default="worker"))
    op.add_column("workers", sa.Column("failures", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("audit", sa.Column("entry", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(
        "UPDATE audit SET entry = counted.entry FROM (SELECT number, row_number() OVER (PARTITION BY tenant "
        "ORDER BY number) AS entry FROM audit) AS counted WHERE counted.number = audit.number"
    )
    op.drop_index("ix_audit_tenant", "audit")
    op.create_index("ix_audit_entry", "audit", ["tenant", "entry"], unique=True)
    _remove_host_names()


def _remove_host_names() -> None:
    """Remove the names of workers, which contain host names and process ids, from what tenants read."""
    position = sa.func.strpos if op.get_bind().dialect.name == "postgresql" else sa.func.instr
    reason, code, detail = sa.column("reason"), sa.column("error_code"), sa.column("error_detail")
    transitions, jobs = sa.table("transitions", reason), sa.table("jobs", code, detail)
    for pattern, beginning, rest in (
        ("claimed by %, attempt %", "claimed by a worker", ", attempt"),
        ("the lease of % ran out%", "its worker's lease", " ran out"),
        ("% died (crash %", "its worker", " died"),
    ):
        shortened = sa.literal(beginning).concat(sa.func.substr(reason, position(reason, rest)))
        op.execute(transitions.update().where(reason.like(pattern)).values(reason=shortened))
    lost = sa.and_(code == "worker_lost", detail.like("%, last on % at epoch %"))
    kept = sa.func.substr(detail, 1, position(detail, ", last on ") + len(", last") - 1)
    op.execute(
        jobs.update()
        .where(lost)
        .values(error_detail=kept.concat(sa.func.substr(detail, position(detail, " at epoch "))))
    )
    op.execute(jobs.update().where(code == "internal_error").values(error_detail="the worker failed unexpectedly"))


def downgrade() -> None:
    op.drop_index("ix_audit_entry", "audit")
    op.create_index("ix_audit_tenant", "audit", ["tenant", "number"])
    op.drop_column("audit", "entry")
    op.drop_column("workers", "failures")
    op.drop_column("workers", "role")
