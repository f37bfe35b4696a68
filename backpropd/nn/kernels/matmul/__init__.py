"""Matrix products of flat arrays as machine code, built like GotoBLAS and BLIS: see `docs/matrix-products.md`.

Callers use `gemm.gemm` and `packing.transpose_rows_into_lanes`. Nothing here knows networks, and nothing else in
the project emits LLVM IR.
"""
