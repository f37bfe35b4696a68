-- The statements of claims, leases and the fair queue.
--
-- ":name" is a parameter. "{name}" stands for another section of this file, or for one of the expressions that
-- SQLite and PostgreSQL spell differently (backpropd/store/sql/statements.py):
--   {now}          the wall clock, in microseconds since 1970
--   {steady}       microseconds of the clock that leases are measured with
--   {skip_locked}  locks the selected rows, except those that another transaction has locked
--   {key_share}    locks the rows of `datasets` against deletion
-- or for one of the constants of backpropd/store/sizes.py: {epoch_bytes}, {transition_bytes}, {max_epochs}.
--
-- A status is a literal everywhere: behind a parameter the planner would not see the partial index of that status.


-- ── claims ──────────────────────────────────────────────────────────────────────────────────────────────────────

-- name: claim_next
-- Claims the first job of the first waiting tenant: no row if there is none, or if all its jobs are locked.
UPDATE jobs SET {new_lease}
WHERE number = (
    SELECT number FROM jobs
    WHERE status = 'queued' AND tenant = ({waiting_tenants} LIMIT 1)
    ORDER BY rank, queued_at, number
    LIMIT 1 {skip_locked}
)
RETURNING {claimed_job}

-- name: claim_from_tenant
-- Claims the first job of one tenant. The tenant is read from `turns`: if PostgreSQL knew the name while it plans, it
-- would expect a tenant without statistics to have no jobs, and read and sort them all.
UPDATE jobs SET {new_lease}
WHERE number = (
    SELECT number FROM jobs
    WHERE status = 'queued' AND tenant = (SELECT tenant FROM turns WHERE tenant = :tenant)
    ORDER BY rank, queued_at, number
    LIMIT 1 {skip_locked}
)
RETURNING {claimed_job}

-- name: new_lease
status = 'running',
token = token + 1,
attempts = attempts + 1,
worker = :worker,
lease_expires_at = {steady} + :lease_microseconds,
started_at = coalesce(started_at, {now}),
own_bytes = own_bytes + {transition_bytes},
stored_bytes = stored_bytes + {transition_bytes}

-- name: claimed_job
-- What the worker needs of the job and its dataset, and what decides whether the tenant's turn is recorded.
number, id AS job_id, tenant, name, dataset_id, token AS fencing_token, attempts AS attempt, -rank AS priority,
seconds AS training_seconds, spec, validation_dataset_id, warm_start_model_id, traceparent, parent_job_id,
(SELECT datasets.sha256 FROM datasets WHERE datasets.id = jobs.dataset_id) AS dataset_sha256,
(SELECT datasets.columns FROM datasets WHERE datasets.id = jobs.dataset_id) AS columns,
(SELECT {due} FROM turns WHERE turns.tenant = jobs.tenant) AS due,
(SELECT max(virtual_time + stride) FROM turns WHERE turns.tenant <> jobs.tenant) AS due_of_others,
{virtual_now} AS virtual_now

-- name: return_to_checkpoint
-- Sets a job's progress back to its last checkpoint, or to the beginning if it has none.
UPDATE jobs SET epoch = coalesce((SELECT checkpoints.epoch FROM checkpoints WHERE job_number = :number), 0)
WHERE number = :number
RETURNING epoch, EXISTS (SELECT 1 FROM checkpoints WHERE job_number = :number) AS checkpointed

-- name: delete_later_epochs
-- Deletes the epochs after the last checkpoint, which the job will train again.
DELETE FROM epochs
WHERE job_number = :number
  AND epoch > coalesce((SELECT checkpoints.epoch FROM checkpoints WHERE job_number = :number), 0)


-- ── leases ──────────────────────────────────────────────────────────────────────────────────────────────────────

-- name: leased
-- The job is still leased with this fencing token: every write of a worker has this condition.
number = :number AND token = :fencing_token AND status = 'running'

-- name: curve_bytes
-- What the job's epochs count, which are thinned when there are many. Those of a fork follow its parent's.
{epoch_bytes} * CASE WHEN {own_epochs} < {max_epochs} THEN {own_epochs} ELSE {max_epochs} END

-- name: own_epochs
(coalesce(:epoch, epoch) - coalesce(parent_epoch, 0))

-- name: renew
UPDATE jobs SET
    lease_expires_at = {steady} + :lease_microseconds,
    seconds = :training_seconds,
    epoch = coalesce(:epoch, epoch),
    losses = CASE WHEN CAST(:checkpoint_bytes AS BIGINT) IS NULL THEN losses ELSE 0 END,
    stored_bytes = coalesce(own_bytes + snapshot_bytes + {curve_bytes} + CAST(:checkpoint_bytes AS BIGINT), stored_bytes)
WHERE {leased}
RETURNING request

-- name: stop_request
SELECT request FROM jobs WHERE {leased}

-- name: succeed
-- Ends the job unless a client has requested a pause or a cancellation.
UPDATE jobs SET
    status = 'succeeded',
    model_id = :model_id,
    stop_reason = :stop_reason,
    epoch = coalesce(:epoch, epoch),
    seconds = coalesce(:training_seconds, seconds),
    finished_at = {now},
    lease_expires_at = NULL,
    worker = NULL,
    own_bytes = own_bytes + {transition_bytes},
    stored_bytes = own_bytes + snapshot_bytes + {transition_bytes} + {curve_bytes}
WHERE {leased} AND request IS NULL
RETURNING number


-- ── the fair queue ──────────────────────────────────────────────────────────────────────────────────────────────

-- Start-time fair queueing (Goyal, Vin and Cheng 1996) on a virtual clock that the turns themselves move on: a tenant
-- is due one stride after its last turn, and the tenant that is due first is served. Twice the weight is half the stride,
-- and twice as many turns. Priorities order the jobs of one tenant, and play no part between tenants.

-- name: virtual_now
-- The virtual time: that of the last turn of all.
(SELECT max(virtual_time) FROM turns)

-- name: due
-- When a tenant of `turns` is due. It is never due in the past: who has nothing queued saves no turns.
CASE WHEN turns.virtual_time + turns.stride > {virtual_now} THEN turns.virtual_time + turns.stride ELSE {virtual_now} END

-- name: waiting_tenants
-- The tenants that have a queued job and run fewer than :max_running, or than their own limit, in the order in which they
-- are served: those that are due first, then the longest wait.
-- Scalar subqueries read a few index entries for each tenant, however long the queue. A join would let PostgreSQL
-- choose, by its guess of the number of tenants, to read all jobs instead.
WITH heads AS MATERIALIZED (
    SELECT turns.tenant, coalesce(turns.max_running_jobs, :max_running) AS max_running, {due} AS due, (
        SELECT number FROM jobs WHERE status = 'queued' AND jobs.tenant = turns.tenant
        ORDER BY rank, queued_at, number LIMIT 1
    ) AS first_job
    FROM turns
)
SELECT tenant FROM heads
WHERE first_job IS NOT NULL
  AND (SELECT count(*) FROM jobs WHERE status = 'running' AND jobs.tenant = heads.tenant) < max_running
ORDER BY due, (SELECT queued_at FROM jobs WHERE number = first_job), first_job

-- name: record_turn
UPDATE turns SET virtual_time = :virtual_time WHERE tenant = :tenant

-- name: must_yield
-- A row if a job whose turn is over leaves its worker to another: to any of another tenant, or to one of its own tenant
-- of at least its priority. Each part reads one index entry.
SELECT 1 FROM (SELECT 1) AS one
WHERE EXISTS (SELECT 1 FROM jobs WHERE status = 'queued' AND tenant = :tenant AND rank <= :rank)
   OR EXISTS (SELECT 1 FROM jobs WHERE status = 'queued' AND tenant < :tenant)
   OR EXISTS (SELECT 1 FROM jobs WHERE status = 'queued' AND tenant > :tenant)

-- name: queue_of_job
-- The state of the queue that decides when a queued job starts.
SELECT {queue_state}
FROM (SELECT own.jobs, {due_of_job} AS due FROM (
    SELECT count(*) AS jobs FROM jobs
    WHERE status = 'queued' AND tenant = :tenant AND (rank, queued_at, number) < (:rank, :queued_at, :number)
) AS own) AS own_before

-- name: queue_of_new_job
-- The same for a job that the tenant is about to queue, younger than all others. No row if it has no such dataset.
SELECT {queue_state}, lengths.*
FROM datasets, ({queue_lengths}) AS lengths, (SELECT own.jobs, {due_of_job} AS due FROM (
    SELECT count(*) AS jobs FROM jobs WHERE status = 'queued' AND tenant = :tenant AND rank <= :rank
) AS own) AS own_before
WHERE datasets.tenant = :tenant AND datasets.id = :dataset_id
{key_share}

-- name: queue_lengths
-- To compare with the limits: counted up to :max_counted.
SELECT
    (SELECT count(*) FROM (
        SELECT 1 FROM jobs WHERE status = 'queued' AND tenant = :tenant LIMIT :max_counted
    ) AS own_queued) AS queued_by_tenant,
    (SELECT count(*) FROM (
        SELECT 1 FROM jobs WHERE status = 'queued' LIMIT :max_counted
    ) AS all_queued) AS queued_in_total,
    (SELECT max_queued_jobs FROM turns WHERE tenant = :tenant) AS limit_of_tenant

-- name: queue_state
{now} AS read_at,
own_before.jobs AS own_before,
{others_before} AS others_before,
(SELECT coalesce(sum(slots), 0) FROM workers WHERE seen_at > {steady} - :worker_timeout_microseconds) AS slots,
(SELECT count(*) FROM jobs WHERE status = 'running') AS running,
(SELECT avg(seconds) FROM (
    SELECT seconds FROM jobs WHERE finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 50
) AS last_finished) AS mean_seconds

-- name: others_before
-- The jobs of other tenants that start before this one. The k-th job of a tenant, from 0, is due at `due + k * stride`:
-- `lead` is how much earlier than this job the tenant's first one is due. Of two that are due at the same time the older
-- one starts first; `older` counts a tenant's jobs that are older than this one.
(SELECT coalesce(sum(CASE
    WHEN lead < 0 THEN 0
    WHEN lead % stride = 0 AND older > lead / stride THEN lead / stride + 1
    WHEN jobs < (lead + stride - 1) / stride THEN jobs
    ELSE (lead + stride - 1) / stride
 END), 0)
 FROM (
    SELECT theirs.jobs, theirs.older, turns.stride, own_before.due - {due} AS lead
    FROM turns, (
        SELECT tenant, count(*) AS jobs,
            sum(CASE WHEN (queued_at, number) < (:queued_at, :number) THEN 1 ELSE 0 END) AS older
        FROM jobs WHERE status = 'queued' AND tenant <> :tenant GROUP BY tenant
    ) AS theirs
    WHERE turns.tenant = theirs.tenant
 ) AS turns_before)

-- name: due_of_job
-- When the tenant's job behind `own.jobs` others is due; `turns` does not have the tenant before its first job.
coalesce(
    (SELECT {due} + own.jobs * turns.stride FROM turns WHERE turns.tenant = :tenant),
    (SELECT CASE WHEN max(virtual_time) > :new_stride THEN max(virtual_time) ELSE :new_stride END FROM turns)
)
