"""The API program: HTTP in, HTTP out. `app` puts it together; a view in `routes` parses, calls, commits, answers.

What can be learned, stored or read without HTTP belongs in `backpropd`; training belongs in `worker`.
"""
