"""What keeps one client from taking everything: rate limits and concurrency limits.

Sizes of requests are checked where they are read; quotas of storage by the routes.
"""
