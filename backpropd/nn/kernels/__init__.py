"""Compiled training and prediction over the same theta as the NumPy code, which the tests compare it with.

Each module mirrors one of `feedforward`, `optimization`, `training` or `neurons`. What runs only in Python belongs
there. Numba is imported with them: other packages import them where they train.
"""
