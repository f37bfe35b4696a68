"""The schemas of requests agree with what `learn` declares: the defaults of training, and the kinds of network."""

from typing import get_args

from backpropd.learn import TrainingRequest
from backpropd.learn.network_kinds.registry import KINDS
from service.schemas.network import AnyNetwork
from service.schemas.training import Training


def test_the_schema_and_learn_have_the_same_defaults_of_training() -> None:
    assert TrainingRequest.from_json(Training().model_dump()) == TrainingRequest()


def test_every_kind_of_network_can_be_requested() -> None:
    schemas = get_args(get_args(AnyNetwork)[0])
    assert {get_args(schema.model_fields["kind"].annotation)[0] for schema in schemas} == set(KINDS)
