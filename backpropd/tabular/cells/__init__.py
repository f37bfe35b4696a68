"""What the cells of a text column are as a whole: numbers in one notation, dates in one format, booleans or words.

A column is profiled block by block while its file is read (`profile`), then decided as a whole (`decide`), and
rewritten if it holds more than words (`rewrite`). Predictions convert their cells by the stored description
(`convert_cells`). Nothing here knows a file format.
"""

from backpropd.tabular.cells.convert import convert_cells

__all__ = ["convert_cells"]
