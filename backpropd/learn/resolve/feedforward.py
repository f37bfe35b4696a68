"""Resolve a request for a feed-forward network."""

from dataclasses import replace

from backpropd.learn import initial_parameters
from backpropd.learn.network_kinds.feedforward import FeedforwardSpec
from backpropd.learn.request import JobRequest, TrainingRequest
from backpropd.learn.resolve import columns, cost, presets, snapshots, training, warm_start
from backpropd.learn.resolve import network as networks
from backpropd.learn.resolve.plan import Context, Plan
from backpropd.learn.resolve.rules import check_combinations
from backpropd.learn.resolve.split import Split, resolve_split
from backpropd.learn.resolve.task import resolve_task
from backpropd.learn.resolve.warm_start import PreviousModel
from backpropd.tabular import max_width, plan_features


def resolve_feedforward(request: JobRequest, context: Context) -> Plan:
    """Raises `errors.Invalid` and its subclasses, each with the pointer of what is wrong in the request."""
    before = PreviousModel.from_json(context.warm_start) if context.warm_start else None
    features = request.features
    if before is not None:
        request = warm_start.fill_in(request, before)
    spec, split, notes = _resolve(request, context, before)
    if before is not None and features is None:
        notes = notes._replace(left_out=warm_start.left_out(spec, context.table.columns))
    plan = complete(spec, request.training, split, context, before)
    return plan._replace(left_out=notes.left_out, warnings=notes.warnings)


def complete(
    spec: FeedforwardSpec, requested: TrainingRequest, split: Split, context: Context, before: PreviousModel | None
) -> Plan:
    """The plan of a spec but for what follows from sizes: the metrics, the snapshots, the cost.

    Raises `errors.Invalid` and its subclasses for choices that do not go together, or with the tables.
    """
    _check(spec, requested, context, before)
    spec = replace(spec, training=replace(spec.training, target_scaling=spec.target_scaling))
    width = before.encoder.width if before else max_width(plan_features(spec.features, context.table.columns).infos)
    network = spec.build(width)  # raises for an invalid architecture
    training.check_optimizer(spec, width, split)
    initial_parameters.check(network, spec.network.initial_parameters)
    if requested.metrics_every == "auto":
        every = cost.metrics_every(spec, width, split)
        spec = replace(spec, training=replace(spec.training, metrics_every=every))
    chosen = snapshots.resolve(requested.snapshots, spec.training.epochs, cost.snapshot_bytes(spec, network))
    spec = replace(spec, training=replace(spec.training, snapshots=chosen))
    return Plan(spec, cost.estimate(spec, width, split, context))


def _resolve(
    request: JobRequest, context: Context, before: PreviousModel | None
) -> tuple[FeedforwardSpec, Split, columns.Features]:
    """The spec but for `metrics_every`, how the rows are split, and the features with all warnings."""
    table, options = context.table, request.training
    target = columns.resolve_target(request.target, table)
    targets = [table.columns[name] for name in target]
    columns.check_sample_weight(options.sample_weight, table.columns, target)
    keeps_constants = options.feature_scaling == "none" and (bool(request.features) or table.rows == 1)
    why_not = columns.why_no_unscaled_feature if keeps_constants else columns.why_no_feature
    features = columns.resolve_features(request.features, columns.other_roles(target, options), table, why_not)
    task, warnings = resolve_task(request.task, targets, table.rows, scales=options.target_scaling != "none")
    outputs = targets[0].level_count if task == "classification" and len(target) == 1 else len(target)
    if before is not None:
        outputs = before.outputs
    split = resolve_split(options, table, target, context.validation_table)
    request = presets.fill_in(request, task, split, len(features.names))
    layers, loss = networks.resolve_network(request.network, options.loss, task, target, outputs)
    resolved = training.resolve_training(request.training, loss, task, split, context.limits)
    warnings = [*warnings, *columns.missing_targets(target, table), *features.warnings]
    spec = FeedforwardSpec(target, features.names, task, layers, resolved)
    return spec, split, features._replace(warnings=warnings)


def _check(spec: FeedforwardSpec, requested: TrainingRequest, context: Context, before: PreviousModel | None) -> None:
    """Raises `errors.Invalid` and its subclasses for choices that do not go together, or with the tables."""
    known = context.table.columns
    targets = [known[name] for name in spec.target]
    networks.check_counts(spec, targets)
    check_combinations(spec, requested)
    training.check_class_weight(spec, targets, before.classes if before else None)
    if context.validation_table is not None:
        columns.check_validation_table(spec, known, context.validation_table.columns)
    if before is not None:
        warm_start.check(spec, known, before)
