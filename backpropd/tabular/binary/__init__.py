"""Readers of binary formats, whose columns have types: Parquet, Arrow, NumPy and spreadsheets.

Every reader turns its file into Arrow's record batches; `typed_reader` turns those into blocks of a table.
"""
