"""Tables: files to typed columns, columns to encoded arrays. It knows no network and no database."""

from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.encoders import FeatureEncoder, TargetEncoder, width_of
from backpropd.tabular.ingest import TableInfo, ingest
from backpropd.tabular.limits import Confinement, TableLimits
from backpropd.tabular.samples import SampleInfo, list_samples, write_sample
from backpropd.tabular.sandbox.client import Reader, warm_up
from backpropd.tabular.split import is_held_out, split_by_column, train_validation_split
from backpropd.tabular.table import Table, first_rows

__all__ = [
    "ColumnInfo",
    "Confinement",
    "FeatureEncoder",
    "Reader",
    "SampleInfo",
    "Table",
    "TableInfo",
    "TableLimits",
    "TargetEncoder",
    "first_rows",
    "ingest",
    "is_held_out",
    "list_samples",
    "split_by_column",
    "train_validation_split",
    "warm_up",
    "width_of",
    "write_sample",
]
