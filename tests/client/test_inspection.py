"""Traces and loss surfaces."""

from backpropd.client import Client
from tests.client.stand_in import StandIn


def test_a_trace_request_contains_only_the_given_arguments(stand_in: StandIn, service: Client) -> None:
    assert service.models.trace("model_1", [(1, 2)], ["fern"], learning_rate=0.5)["loss"] == 0.5
    assert service.models.trace("model_1", [{"height": 1, "width": 2}])["input"] == [{"height": 1, "width": 2}]
    assert stand_in.bodies == [
        {"rows": [[1, 2]], "targets": ["fern"], "learning_rate": 0.5},
        {"rows": [{"height": 1, "width": 2}]},
    ]


def test_a_surface_is_returned_as_numbers_or_as_an_image(stand_in: StandIn, service: Client) -> None:
    assert service.models.surface("model_1", points=3, seed=1)["x"] == [-1, 0, 1]
    assert service.models.surface_picture("model_1", directions="path") == b"a picture"
    assert stand_in.bodies == [{"points": "3", "seed": "1"}, {"directions": "path", "format": "png"}]


def test_explanations_send_their_arguments(stand_in: StandIn, service: Client) -> None:
    assert service.models.explain("model_1", [(1, 2)])["explanations"][0]["class"] == "fern"
    service.models.explain("model_1", [{"height": 1}], "moss", {"height": 2})
    assert service.models.importance("model_1")["importance"][0]["column"] == "width"
    service.models.importance("model_1", "ds_1", repeats=7, seed=3)
    assert service.models.partial_dependence("model_1", "height")["mean"] == [0.25, 0.75]
    service.models.partial_dependence("model_1", "height", "fern", "ds_1", points=3, rows=2)
    assert stand_in.bodies == [
        {"rows": [[1, 2]], "class": None, "baseline": "mean"},
        {"rows": [{"height": 1}], "class": "moss", "baseline": {"height": 2}},
        {"dataset_id": None, "repeats": 5, "seed": 0},
        {"dataset_id": "ds_1", "repeats": 7, "seed": 3},
        {"feature": "height", "class": None, "dataset_id": None, "points": 50, "rows": 50},
        {"feature": "height", "class": "fern", "dataset_id": "ds_1", "points": 3, "rows": 2},
    ]


def test_a_gradient_check_and_homework_send_what_is_given(stand_in: StandIn, service: Client) -> None:
    assert service.models.gradient_check("model_1", [(1, 2)], ["fern"])["loss"] == 0.5
    service.models.gradient_check("model_1", [(1, 2)], ["fern"], epsilon=0.001)
    assert service.models.homework("model_1", [1, 2], "fern", {"loss": 1})["correct"]
    wrong = service.models.homework("model_1", {"height": 1}, "fern", {"loss": 2}, reveal=True)["first_wrong"]
    assert wrong is not None
    assert wrong["expected"] == 1
    rows: dict[str, object] = {"rows": [[1, 2]], "targets": ["fern"]}
    assert stand_in.bodies == [
        rows,
        {**rows, "epsilon": 0.001},
        {"row": [1, 2], "target": "fern", "answers": {"loss": 1}},
        {"row": {"height": 1}, "target": "fern", "answers": {"loss": 2}, "reveal": True},
    ]


def test_jobs_are_compared_by_their_ids(stand_in: StandIn, service: Client) -> None:
    found = service.jobs.compare(["job_1", "job_2"], points=5)
    assert found["differences"] == {"/training/seed": [1, None]}
    service.jobs.compare(["job_1", "job_2"])
    assert stand_in.bodies == [{"ids": "job_1,job_2", "points": "5"}, {"ids": "job_1,job_2"}]
