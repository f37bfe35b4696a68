"""The schemas of requests agree with what `learn` declares: the defaults of training, and the kinds of network."""

from dataclasses import fields
from typing import get_args

from backpropd.learn import TrainingRequest
from backpropd.learn.network_kinds.registry import KINDS
from service.schemas.network import AnyNetwork
from service.schemas.training import Training


def test_the_schema_and_learn_have_the_same_fields_of_training_with_the_same_defaults() -> None:
    assert {each.name for each in fields(TrainingRequest)} == set(Training.model_fields)
    assert TrainingRequest.from_json(Training().model_dump()) == TrainingRequest()


def test_every_kind_of_network_can_be_requested() -> None:
    schemas = get_args(get_args(AnyNetwork)[0])
    assert {get_args(schema.model_fields["kind"].annotation)[0] for schema in schemas} == set(KINDS)
