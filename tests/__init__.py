"""The tests: they mirror the packages; `servers.py` starts a real Redis and a real PostgreSQL.

Several run at a time, where BLAS's threads would wait for each other: they are told so before NumPy loads.
"""

from backpropd import blas

blas.use_one_thread()
