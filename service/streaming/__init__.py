"""Server-Sent Events of jobs: one watcher and one feed for all open streams.

The route that opens a stream is in `service.routes.jobs`.
"""
