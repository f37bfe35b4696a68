"""Uploaded files to typed columns, columns to encoded arrays and back, and the bundled samples.

Networks, specs, HTTP and SQL do not belong here.
"""

from backpropd.tabular.cells import convert_cells
from backpropd.tabular.columns import ColumnInfo
from backpropd.tabular.derived import DerivedFeature, Feature, derived_in, feature_names, input_columns, plan_features
from backpropd.tabular.encodings import codec_of
from backpropd.tabular.feature_encoder import FeatureEncoder, max_width
from backpropd.tabular.identifiers import find_identifiers
from backpropd.tabular.ingest import IngestedTable, ingest
from backpropd.tabular.inputs.json_rows import table_from_json_rows
from backpropd.tabular.kinds import example_of, with_kind, with_kinds
from backpropd.tabular.limits import SandboxLimits, TableLimits
from backpropd.tabular.read_options import ReadOptions
from backpropd.tabular.samples import list_samples, write_sample
from backpropd.tabular.sandbox.client import SandboxedReader, connect_to_sandbox
from backpropd.tabular.split import is_validation_value, split_by_column, train_validation_split
from backpropd.tabular.table import Table, preview_rows
from backpropd.tabular.target_encoder import TargetEncoder, boolean_labels

__all__ = [
    "ColumnInfo",
    "DerivedFeature",
    "Feature",
    "FeatureEncoder",
    "IngestedTable",
    "ReadOptions",
    "SandboxLimits",
    "SandboxedReader",
    "Table",
    "TableLimits",
    "TargetEncoder",
    "boolean_labels",
    "codec_of",
    "connect_to_sandbox",
    "convert_cells",
    "derived_in",
    "example_of",
    "feature_names",
    "find_identifiers",
    "ingest",
    "input_columns",
    "is_validation_value",
    "list_samples",
    "max_width",
    "plan_features",
    "preview_rows",
    "split_by_column",
    "table_from_json_rows",
    "train_validation_split",
    "with_kind",
    "with_kinds",
    "write_sample",
]
