"""The tests mirror the packages; `servers` starts a real Redis and a real PostgreSQL.

Tests run in parallel processes, so BLAS gets one thread, before NumPy is imported.
"""

from backpropd import blas

blas.use_one_thread()
