"""The routes that check gradients: by finite differences, and a student's own numbers."""

from backpropd import learn
from service.auth.principal import tenant
from service.http.routing import Answer, Routes
from service.http.strict_json import MAX_VALUES
from service.schemas.homework import GradientCheck, GradientCheckRequest, Homework, HomeworkRequest
from service.services import services

routes = Routes("models")


@routes(
    "POST",
    "/v1/models/{model_id}/gradient-check",
    answers={200: GradientCheck},
    body=GradientCheckRequest,
    problems=(404, 409),
    costly=True,
    max_values=MAX_VALUES,
)
def gradient_check(model_id: str, body: GradientCheckRequest) -> Answer:
    """Compare the gradient of backpropagation with finite differences, parameter by parameter."""
    settings = services().settings
    body.check_rows(settings.max_trace_rows)
    return learn.gradient_check(
        services().model_cache.get(tenant(), model_id),
        body.rows,
        body.targets,
        body.epsilon,
        max_parameters=settings.max_gradient_check_parameters,
        max_operations=settings.max_gradient_check_operations,
    )


@routes(
    "POST",
    "/v1/models/{model_id}/homework",
    answers={200: Homework},
    body=HomeworkRequest,
    problems=(404,),
    costly=True,
    max_values=MAX_VALUES,
)
def homework(model_id: str, body: HomeworkRequest) -> Answer:
    """Check a student's numbers of a forward and backward pass: the first wrong step, and the rule for it."""
    return learn.homework(
        services().model_cache.get(tenant(), model_id),
        body.row,
        body.target,
        body.answers,
        tolerance=body.tolerance,
        reveal=body.reveal,
        learning_rate=body.learning_rate,
        max_numbers=services().settings.max_trace_numbers,
    )
