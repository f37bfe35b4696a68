"""Compiled training and prediction over the same theta as the NumPy code, which the tests compare it with.

Each module mirrors one of `feedforward`, `optimization` or `training`. What runs only in Python belongs there.
"""
