"""The one-command stack: a supervisor that starts our programs and a Redis, and imports none of them.

How processes are started, watched and stopped belongs here; what they do belongs in `service` and `worker`.
"""
