"""The routes of a tenant's limits and usage."""

from dataclasses import asdict

from backpropd.store import usage
from backpropd.store.scheduling import tenants
from service.auth.principal import tenant
from service.http.routing import Answer, Routes
from service.schemas.limits_and_usage import Limits, Usage
from service.services import services

routes = Routes("account")


@routes("GET", "/v1/limits", answers={200: Limits})
def limits() -> Answer:
    """The limits: a request that exceeds one is rejected with a code and the limit's number."""
    with services().database.read() as session:
        return services().settings.public_limits() | tenants.limits_of(session, tenant())


@routes("GET", "/v1/usage", answers={200: Usage})
def read_usage() -> Answer:
    """The totals of this tenant's datasets, jobs and models."""
    with services().database.read() as session:
        return asdict(usage.of(session, tenant()))
