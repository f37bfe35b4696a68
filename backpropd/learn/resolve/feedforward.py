"""Resolve a request for a feed-forward network."""

from __future__ import annotations

from dataclasses import replace

from backpropd.learn.kinds.feedforward import FeedforwardSpec
from backpropd.learn.request import JobRequest
from backpropd.learn.resolve import columns, cost, network, training, warm_start
from backpropd.learn.resolve.plan import Context, Plan
from backpropd.learn.resolve.rules import check_combinations
from backpropd.learn.resolve.split import resolve_split


def resolve_feedforward(request: JobRequest, context: Context) -> Plan:
    """Raises `errors.Invalid` and its subclasses, each with the pointer of what is wrong in the request."""
    table, other = context.table, context.validation_table
    before = warm_start.PreviousModel.from_json(context.warm_start) if context.warm_start else None
    if before is not None:
        request = warm_start.fill_in(request, before)
    options = request.training
    target = columns.resolve_target(request.target, table)
    targets = [table.columns[name] for name in target]
    columns.check_sample_weight(options.sample_weight, table.columns, target)
    features = columns.resolve_features(request.features, columns.other_roles(target, options), table)
    task = columns.resolve_task(request.task, targets)
    outputs = before.outputs if before else columns.output_count(task, targets)
    split = resolve_split(options, table, target, other)
    layers, loss = network.resolve_network(request.network, options.loss, task, target, outputs)
    spec = FeedforwardSpec(
        target, features, task, layers, training.resolve_training(options, loss, split, context.limits)
    )
    network.check_counts(spec, targets)
    check_combinations(spec)
    training.check_class_weight(spec, targets, before.classes if before else None)
    if other is not None:
        columns.check_validation_table(spec, table.columns, other.columns)
    if before is not None:
        warm_start.check(spec, table.columns, before)
    width = before.encoder.width if before else columns.max_width(table.columns, features)
    spec.build(width)  # rejects an architecture that cannot mean anything
    training.check_optimizer(spec, width, split)
    if options.metrics_every == "auto":
        every = cost.metrics_every(spec, width, split)
        spec = replace(spec, training=replace(spec.training, metrics_every=every))
    return Plan(spec, cost.estimate(spec, width, split, table.rows, context.limits))
