"""The statements of `queries.sql`, which explains each."""

from pathlib import Path

from backpropd.store import sizes
from backpropd.store.curve_buckets import MAX_EPOCHS
from backpropd.store.sql.column_types import Instant, Json
from backpropd.store.sql.statements import QueryFile

FILE = QueryFile(
    Path(__file__).with_name("queries.sql"),
    transition_bytes=sizes.TRANSITION,
    epoch_bytes=sizes.EPOCH,
    max_epochs=MAX_EPOCHS,
)

CLAIM_NEXT = FILE.query("claim_next", spec=Json, columns=Json)
CLAIM_FROM_TENANT = FILE.query("claim_from_tenant", spec=Json, columns=Json)
RETURN_TO_CHECKPOINT = FILE.query("return_to_checkpoint")
DELETE_LATER_EPOCHS = FILE.query("delete_later_epochs")
RENEW = FILE.query("renew")
STOP_REQUEST = FILE.query("stop_request")
SUCCEED = FILE.query("succeed")
WAITING_TENANTS = FILE.query("waiting_tenants")
RECORD_TURN = FILE.query("record_turn")
MUST_YIELD = FILE.query("must_yield")
QUEUE_OF_JOB = FILE.query("queue_of_job", queued_at=Instant, read_at=Instant)
QUEUE_OF_NEW_JOB = FILE.query("queue_of_new_job", read_at=Instant)
