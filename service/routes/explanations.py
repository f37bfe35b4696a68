"""The routes that explain a model: what its columns contribute, what they matter, and how it depends on one."""

from backpropd import learn
from service.auth.principal import tenant
from service.http.routing import Answer, Routes
from service.http.sending import hold_memory
from service.http.strict_json import MAX_VALUES
from service.schemas.explanations import ExplanationRequest, Explanations
from service.services import services

routes = Routes("models")
FLOAT64_BYTES = 8


@routes(
    "POST",
    "/v1/models/{model_id}/explain",
    answers={200: Explanations},
    body=ExplanationRequest,
    problems=(404, 409),
    costly=True,
    max_values=MAX_VALUES,
)
def explain(model_id: str, body: ExplanationRequest) -> Answer:
    """Explain rows by integrated gradients: what each column contributes to an output, compared with a baseline."""
    settings = services().settings
    body.check_rows(settings.max_trace_rows)
    model = services().model_cache.get(tenant(), model_id)
    hold_memory(FLOAT64_BYTES * sum(each.size for each in model.theta.values()))
    limits = {"max_operations": settings.max_surface_operations, "max_numbers": settings.max_answer_cells}
    return {"explanations": learn.explain(model, body.rows, body.label, body.baseline, **limits)}
