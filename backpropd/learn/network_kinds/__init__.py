"""The kinds of network: one module for each family, with its resolved spec and how it is trained.

`registry` lists them: no other module asks for the kind of a network. Requests for them
are resolved in `resolve`.
"""
