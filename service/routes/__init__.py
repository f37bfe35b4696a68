"""One file for the routes of each resource: a view parses, calls, commits, answers.

Shapes are in `service.schemas`; SQL is in `backpropd.store`.
"""
