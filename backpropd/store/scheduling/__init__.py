"""The work queue: submission, the fair queue, claims, leases, the ends of jobs, and the rescue of lost ones.

What clients do with their jobs is in `store.jobs`. Nothing below this package imports it.
"""
