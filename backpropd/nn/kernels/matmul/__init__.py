"""Products of matrices as machine code: a micro-kernel in LLVM IR and the loops around it.

Nothing here knows networks; the layers' kernels call it.
"""
