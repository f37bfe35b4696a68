"""The kinds of network by name: how a stored spec of each is read, and how a request for it is resolved."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from backpropd import errors
from backpropd.learn.network_kinds.base import ResolvedSpec
from backpropd.learn.network_kinds.feedforward import FeedforwardNetwork, FeedforwardSpec
from backpropd.learn.network_kinds.threshold import NETWORKS, ThresholdSpec
from backpropd.learn.request import JobRequest
from backpropd.learn.resolve.feedforward import resolve_feedforward
from backpropd.learn.resolve.plan import Context, Plan
from backpropd.learn.resolve.threshold import resolve_threshold


class NetworkKind(NamedTuple):
    """The class of the resolved specs of a kind, and the function that resolves a request for it."""

    spec: type[ResolvedSpec]
    resolve: Callable[[JobRequest, Context], Plan]


KINDS: Mapping[str, NetworkKind] = {
    FeedforwardNetwork.kind: NetworkKind(FeedforwardSpec, resolve_feedforward),
    **dict.fromkeys(NETWORKS, NetworkKind(ThresholdSpec, resolve_threshold)),
}


def spec_from_json(data: Mapping[str, Any]) -> ResolvedSpec:
    """A stored spec, of this version or an older one."""
    return KINDS[data["network"]["kind"]].spec.from_json(data)


def resolve(request: JobRequest, context: Context) -> Plan:
    """The resolved spec of a request, and its cost.

    Raises `errors.Invalid` and its subclasses, each with the pointer of what is wrong in the request.
    """
    if context.table.rows == 0:
        detail = "the dataset has a header and no rows: there is nothing to learn from. Upload one with rows"
        raise errors.EmptyDataset(detail, pointer="/dataset_id")
    before = context.warm_start["spec"].get("kinds", {}) if context.warm_start else {}
    kinds = {**{name: kind for name, kind in before.items() if name in context.table.columns}, **request.kinds}
    plan = KINDS[request.network["kind"]].resolve(request, context.with_kinds(kinds))
    return plan._replace(spec=replace(plan.spec, kinds=kinds))
