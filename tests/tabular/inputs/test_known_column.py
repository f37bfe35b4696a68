"""What a model knows of its columns, also one that an older version stored."""

from backpropd.tabular import FeatureEncoder
from backpropd.tabular.inputs.json_rows import JsonRows, parse_columns
from backpropd.tabular.inputs.known_column import known_columns

OLD = {
    "dtype": "float32",
    "columns": [
        {"column": {"name": "size", "kind": "number"}, "encoder": {"mean": 3.0, "std": 2.0, "indicator": False}},
        {"column": {"name": "damp", "kind": "boolean"}, "encoder": {"mean": 0.0, "std": 1.0, "indicator": True}},
        {"column": {"name": "town", "kind": "category"}, "encoder": {"levels": ["Aston", "Corby"]}},
    ],
}


def test_an_encoder_of_an_older_version_takes_rows_as_before() -> None:
    encoder = FeatureEncoder.from_json(OLD)
    rows = [[5, True, "Corby"], ["7", None, "Derby"], [None, "no", None]]
    table = parse_columns(JsonRows(rows, ["size", "damp", "town"]), known_columns(encoder))
    assert encoder.transform(table).tolist() == [
        [1, 1, 0, 0, 1, 0],
        [2, 0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 1],
    ]
    found = encoder.findings(table)
    assert found["town"].unseen.tolist() == [False, True, False]
    assert not found["size"].out_of_range.any()


def test_only_categories_have_levels() -> None:
    columns = known_columns(FeatureEncoder.from_json(OLD))
    assert {name: column.levels and column.levels.to_pylist() for name, column in columns.items()} == {
        "size": None, "damp": None, "town": ["Aston", "Corby"],
    }  # fmt: skip
