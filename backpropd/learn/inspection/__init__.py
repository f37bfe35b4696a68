"""A trained model looked at from inside, in the table's own columns: response curves, loss surfaces, traces.

What only needs arrays belongs to `backpropd.nn.inspection`; routes and pictures belong to the service.
"""
