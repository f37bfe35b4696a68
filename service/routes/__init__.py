"""One module for the routes of each resource: a view parses, calls, commits, answers.

Shapes are in `service.schemas`; SQL is in `backpropd.store`. A new module is added to the list in `service.app`.
"""
