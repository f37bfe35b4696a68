"""A model card: what the model was trained on and how, how good it is, its limits, and how to make it again."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from backpropd.export.exported_model import ExportedModel
from backpropd.tabular.column_encoders import OneHot, Scaled

SHOWN_LEVELS = 10
SHOWN_EPOCHS = 12
DERIVED = ("outputs", "output_initializer", "hidden_units")
"""What a resolved network has, and a request has not."""


def write_json(exported: ExportedModel) -> bytes:
    """The card as JSON."""
    return json.dumps(_card(exported)).encode()


def write_markdown(exported: ExportedModel) -> bytes:
    """The card as Markdown, in UTF-8."""
    return ("\n".join(_lines(_card(exported))) + "\n").encode()


def _card(exported: ExportedModel) -> dict[str, Any]:
    record, spec = exported.record, exported.model.spec.to_json()
    job, dataset = record["training_job"], record["dataset"]
    shown = ("id", "name", "sha256", "created_at", "task", "target", "classes", "parameters", "bytes")
    return {
        "model": {name: record.get(name) for name in shown},
        "data": dataset and {name: dataset[name] for name in ("id", "name", "rows", "sha256")},
        "features": _features(exported),
        "spec": spec,
        "training": job and {name: job[name] for name in ("id", "progress", "stop_reason", "warnings")},
        "curve": record["curve"],
        "metrics": record["metrics"],
        "validation_metrics": record["validation_metrics"],
        "report": record["report"],
        "limits": _limits(exported),
        "reproduce": _request(exported),
    }


def _features(exported: ExportedModel) -> list[dict[str, Any]]:
    """Each feature with what training saw of it: a range, or levels."""
    found = []
    for info, encoder in zip(exported.model.encoder.infos, exported.model.encoder.column_encoders, strict=True):
        saw: dict[str, Any] = {"levels": encoder.levels} if isinstance(encoder, OneHot) else {}
        if isinstance(encoder, Scaled) and info.kind == "number":
            saw = {"low": encoder.low, "high": encoder.high}
        found.append({"name": info.name, "kind": info.kind, "missing": info.missing, **saw})
    return found


def _limits(exported: ExportedModel) -> list[str]:
    """What the numbers here do not say."""
    record = exported.record
    found = [
        "Outside the ranges and levels that training saw, predictions are guesses: the service warns of such rows."
    ]
    if record["training_job"] is None:
        found.append("The job that trained this model is not known here: the metrics are those that came with it.")
    if record["validation_metrics"] is None:
        found.append("There were no validation rows: the metrics are those of the training rows, and too good.")
    else:
        found.append("The validation rows come from the same table: other data may differ from it.")
    if exported.model.classes is not None:
        found.append("Probabilities are not calibrated: compare them with the report before you act on them.")
    return found


def _request(exported: ExportedModel) -> dict[str, Any] | None:
    """The request that trains this model again, on the same version and kind of machine with the same bytes."""
    job, spec = exported.record["training_job"], exported.model.spec.to_json()
    if job is None:
        return None
    asked = {name: spec[name] for name in ("target", "features", "task", "kinds")}
    network = {name: value for name, value in spec["network"].items() if name not in DERIVED}
    return {"dataset_id": job["dataset_id"], **asked, "training": spec["training"], "network": network}


def _lines(card: Mapping[str, Any]) -> Iterator[str]:
    model, spec = card["model"], card["spec"]
    yield f"# {_text(model['name'] or model['id'])}"
    yield ""
    what = f"A {spec['network']['kind']} network for {model['task']} of {_text(model['target'])}"
    yield f"{what}, with {model['parameters']} parameters."
    yield from _section("Model", _table(("", ""), [(name, _text(value)) for name, value in model.items()]))
    yield from _section("Data", _data(card))
    yield from _section("Network and training", ["```json", json.dumps(spec, indent=2), "```"])
    yield from _section("Metrics", _metrics(card))
    yield from _section("Learning curve", _curve(card["curve"]))
    yield from _section("Limits", [f"- {limit}" for limit in card["limits"]])
    yield from _section("How to reproduce", _reproduce(card["reproduce"]))


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    yield from ("", f"## {title}", "", *lines)


def _data(card: Mapping[str, Any]) -> list[str]:
    data = card["data"]
    known = [f"{_text(data['name'])}: {data['rows']} rows, sha256 {data['sha256']}.", ""] if data else []
    rows = [(each["name"], each["kind"], each["missing"], _saw(each)) for each in card["features"]]
    return [
        *(known or ["The dataset is not known here, or was deleted.", ""]),
        *_table(("feature", "kind", "missing", "training saw"), rows),
    ]


def _saw(feature: Mapping[str, Any]) -> str:
    if "levels" in feature:
        more = len(feature["levels"]) - SHOWN_LEVELS
        return ", ".join(feature["levels"][:SHOWN_LEVELS]) + (f" and {more} more" if more > 0 else "")
    return "" if feature.get("low") is None else f"{feature['low']:g} to {feature['high']:g}"


def _metrics(card: Mapping[str, Any]) -> list[str]:
    validation = card["validation_metrics"] or {}
    rows = [(name, f"{value:.4g}", _number(validation.get(name))) for name, value in card["metrics"].items()]
    return _table(("metric", "training", "validation"), rows)


def _curve(curve: Sequence[Mapping[str, Any]] | None) -> list[str]:
    if not curve:
        return ["The epochs are not known here."]
    step = -(-len(curve) // SHOWN_EPOCHS)
    shown = [*curve[:-1:step], curve[-1]]
    rows = [(each["epoch"], _number(each["loss"]), _number(each["validation_loss"])) for each in shown]
    return _table(("epoch", "loss", "validation loss"), rows)


def _reproduce(request: Mapping[str, Any] | None) -> list[str]:
    if request is None:
        return ["The request that trained this model is not known here."]
    body = json.dumps(request, indent=2)
    return [
        "`POST /v1/jobs` with the same dataset, on the same version and kind of machine:",
        "",
        "```json",
        body,
        "```",
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    lines = (" | ".join(map(_text, row)) for row in (head, ["---"] * len(head), *rows))
    return [f"| {line} |" for line in lines]


def _text(value: Any) -> str:
    """A value within a line of Markdown, which no name can break or turn into markup."""
    shown = ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    plain = " ".join(shown.split())
    return "".join(f"\\{letter}" if letter in "\\|`*_[]<>#" else letter for letter in plain)
