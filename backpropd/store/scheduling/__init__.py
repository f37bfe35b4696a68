"""The life of a queued job between workers: claims, leases, the fair queue, rescue of lost jobs.

What a job's owner does with it is in `store.jobs`.
"""
