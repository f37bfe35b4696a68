"""Tables of text sent to a model's predictions are read by what the model knows of its columns."""

import io
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyarrow import csv as pa_csv

from backpropd.learn import predictor
from tests.service.requests import CSV, PLANTS, Work, train_model, upload
from tests.service.validation import Client

Train = Callable[..., Callable[..., Any]]


@pytest.fixture
def train(http: Client, work: Work) -> Train:
    """A function that trains a model and gives one that sends its predictions CSV, or rows of JSON."""

    def start(table: str, features: list[str]) -> Callable[..., Any]:
        path = f"/v1/models/{train_model(http, work, upload(http, table), 'y', features=features)}/predictions"
        return lambda body, query="": (
            http.post(path + query, data=body, headers=CSV)
            if isinstance(body, str | bytes)
            else http.post(path + query, json=body)
        )

    return start


def as_parquet(text: str) -> bytes:
    """The CSV as a Parquet file, its empty cells as null."""
    options = pa_csv.ConvertOptions(strings_can_be_null=True)
    sink = io.BytesIO()
    pq.write_table(pa_csv.read_csv(io.BytesIO(text.encode()), convert_options=options), sink)
    return sink.getvalue()


def predictions(answer: Any) -> Any:
    assert answer.status_code == 200, answer.json
    return answer.json["predictions"]


def test_a_table_of_one_known_column_of_words_is_predicted(train: Train) -> None:
    send = train("color,y\n" + "red,1\nblue car,2\n" * 20, ["color"])
    expected = predictions(send([["red"], ["blue car"], ["blue car"]]))
    assert predictions(send("color\nred\nblue car\nblue car\n")) == expected
    assert predictions(send("y,color\n,red\n,blue car\n,blue car\n")) == expected


def test_a_first_row_of_the_models_names_is_the_header_even_if_they_are_numbers(train: Train) -> None:
    send = train("2019,2020,y\n" + "".join(f"{2000 + n},{2010 - n},{n}\n" for n in range(40)), ["2019", "2020"])
    assert predictions(send("2019,2020\n2018,2017\n")) == predictions(send([[2018, 2017]]))
    assert predictions(send("2020,2019\n" + "2017,2018\n" * 5)) == predictions(send([[2018, 2017]] * 5))
    assert len(predictions(send("2018,2017\n2018,2017\n"))) == 2


def test_below_a_known_header_every_row_is_a_row(train: Train) -> None:
    send = train("a,b,y\n" + "".join(f"{n},{40 - n}.5,{n}\n" for n in range(40)), ["a", "b"])
    rows = [[n, n + 0.5] for n in range(12)]
    body = "a,b,y\nn/d,n/d,n/d\n" + "".join(f"{a},{b},1\n" for a, b in rows)
    assert predictions(send(body)) == predictions(send([["n/d", "n/d"], *rows]))


def test_a_number_column_alone_is_read_with_its_decimal_commas_and_markers(train: Train) -> None:
    send = train("x,y\n" + "".join(f"{n}.5,{n}\n" for n in range(40)), ["x"])
    assert predictions(send("x\n1,5\n")) == predictions(send([[1.5]]))
    assert predictions(send("x\n1,5\n2,25\n")) == predictions(send([[1.5], [2.25]]))
    for marker in ("-", "--", ".", "#N/A", "inf"):
        assert predictions(send(f"x\n{marker}\n{marker}\n")) == predictions(send([[marker], [marker]])), marker


@pytest.mark.parametrize("cell", ["tall", "5 kg", "$5", "5%"])
def test_wrong_cells_are_refused_without_a_pointer_to_an_option(train: Train, cell: str) -> None:
    send = train("x,y\n" + "".join(f"{n}.5,{n}\n" for n in range(40)), ["x"])
    answer = send(f"x\n{cell}\n{cell}\n")
    assert answer.status_code == send([[cell]]).status_code == 422
    assert "/kinds" not in answer.text
    stated = send(f"x\n{cell}\n", '?kinds={"x":"date"}')
    assert [each["pointer"] for each in stated.json["errors"]] == ["/kinds/x"]


def test_kept_columns_that_are_no_features_come_back_as_they_stand(train: Train) -> None:
    send = train(PLANTS.replace("price", "y"), ["height"])
    cells = {"version": "1.10", "phone": "+49301234", "date": "20200302", "share": "5%", "shade": "7.50", "id": "7"}
    body = f"height,{','.join(cells)}\n1.5,{','.join(cells.values())}\n"
    (found,) = predictions(send(body, "?keep=" + ",".join(cells)))
    del found["value"]
    assert found == {**cells, "date": 20200302, "id": 7}


@pytest.mark.parametrize(
    ("last", "code"),
    [("1,gray", "unseen_category"), ("1,", "missing_value"), ("99,red", "out_of_range"), ("1,red", "")],
)
@pytest.mark.parametrize("media_type", ["text/csv", "application/vnd.apache.parquet"])
def test_one_cell_unlike_training_is_found_in_a_long_table(
    train: Train, monkeypatch: pytest.MonkeyPatch, media_type: str, last: str, code: str
) -> None:
    monkeypatch.setattr(predictor, "BLOCK_CELLS", 2**12)  # several blocks
    send = train("x,color,y\n" + "1,red,1\n2,blue,2\n" * 20, ["x", "color"])
    text = "x,color\n" + "1,red\n2,blue\n" * 1_500 + last + "\n"
    answer = send(text if media_type == "text/csv" else as_parquet(text))
    assert len(predictions(answer)) == 3_001
    found = [(each["code"], each["count"], each["rows"]) for each in answer.json["warnings"]]
    assert found == ([(code, 1, [3_000])] if code else [])
