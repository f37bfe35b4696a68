"""Limits that keep one client from taking everything: request rate, concurrency, long polls.

Sizes of requests are checked where they are read; their values are settings.
"""
