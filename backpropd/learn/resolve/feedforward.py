"""Resolve a request for a feed-forward network."""

from dataclasses import replace

from backpropd.learn.network_kinds.feedforward import FeedforwardSpec
from backpropd.learn.request import JobRequest
from backpropd.learn.resolve import columns, cost, network, presets, training, warm_start
from backpropd.learn.resolve.plan import Context, Plan
from backpropd.learn.resolve.rules import check_combinations
from backpropd.learn.resolve.split import Split, resolve_split
from backpropd.learn.resolve.task import resolve_task
from backpropd.learn.resolve.warm_start import PreviousModel
from backpropd.tabular import max_width


def resolve_feedforward(request: JobRequest, context: Context) -> Plan:
    """Raises `errors.Invalid` and its subclasses, each with the pointer of what is wrong in the request."""
    before = PreviousModel.from_json(context.warm_start) if context.warm_start else None
    features = request.features
    if before is not None:
        request = warm_start.fill_in(request, before)
    spec, split, notes = _resolve(request, context, before)
    if before is not None and features is None:
        notes = notes._replace(left_out=warm_start.left_out(spec, context.table.columns))
    _check(spec, context, before)
    width = before.encoder.width if before else max_width([context.table.columns[name] for name in spec.features])
    spec.build(width)  # raises for an invalid architecture
    training.check_optimizer(spec, width, split)
    if request.training.metrics_every == "auto":
        every = cost.metrics_every(spec, width, split)
        spec = replace(spec, training=replace(spec.training, metrics_every=every))
    return Plan(spec, cost.estimate(spec, width, split, context), notes.left_out, notes.warnings)


def _resolve(
    request: JobRequest, context: Context, before: PreviousModel | None
) -> tuple[FeedforwardSpec, Split, columns.Features]:
    """The spec but for `metrics_every`, how the rows are split, and the features with all warnings."""
    table, options = context.table, request.training
    target = columns.resolve_target(request.target, table)
    targets = [table.columns[name] for name in target]
    columns.check_sample_weight(options.sample_weight, table.columns, target)
    features = columns.resolve_features(request.features, columns.other_roles(target, options), table)
    task, warnings = resolve_task(request.task, targets, table.rows)
    outputs = targets[0].level_count if task == "classification" and len(target) == 1 else len(target)
    if before is not None:
        outputs = before.outputs
    split = resolve_split(options, table, target, context.validation_table)
    request = presets.fill_in(request, task, split, len(features.names))
    layers, loss = network.resolve_network(request.network, options.loss, task, target, outputs)
    resolved = training.resolve_training(request.training, loss, task, split, context.limits)
    warnings = [*warnings, *columns.missing_targets(target, table), *features.warnings]
    return FeedforwardSpec(target, features.names, task, layers, resolved), split, features._replace(warnings=warnings)


def _check(spec: FeedforwardSpec, context: Context, before: PreviousModel | None) -> None:
    """Raises `errors.Invalid` and its subclasses for choices that do not go together, or with the tables."""
    known = context.table.columns
    targets = [known[name] for name in spec.target]
    network.check_counts(spec, targets)
    check_combinations(spec)
    training.check_class_weight(spec, targets, before.classes if before else None)
    if context.validation_table is not None:
        columns.check_validation_table(spec, known, context.validation_table.columns)
    if before is not None:
        warm_start.check(spec, known, before)
