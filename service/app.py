"""The Flask app, made from settings."""

import gc
import sys
from functools import partial

from flask import Flask

from backpropd import logs, tracing
from backpropd.config import Settings, from_environment
from service import operator_metrics
from service.auth.access_control import PUBLIC, AccessControl
from service.costly import processes
from service.http import back, errors, openapi, request_hooks, routing
from service.model_cache import ModelCache
from service.routes import (
    datasets,
    explanations,
    exports,
    health,
    homework,
    inference,
    inspection,
    jobs,
    keys,
    limits_and_usage,
    metrics,
    models,
    plots,
    snapshots,
)
from service.server.request_body import MinRate
from service.server.wsgi_bridge import MinRates, WsgiBridge
from service.services import Services

GARBAGE_THRESHOLD = 50_000  # objects: at most a few MB of cyclic garbage wait for the collector
MODULES = (
    health,
    metrics,
    datasets,
    jobs,
    snapshots,
    models,
    exports,
    inspection,
    plots,
    explanations,
    homework,
    inference,
    keys,
    limits_and_usage,
)
FRONT_SHARE = 8  # the part of the models' cache that small models have in the front, beside that of the costly process
SWITCH_SECONDS = 0.0002  # between two threads that compute: the event loop, one of them, must not wait long
ROUTES = [route for module in MODULES for route in module.routes.routes]

PAGES = {openapi.PAGE_ENDPOINT, *(route.endpoint for route in ROUTES if "text/html" in route.answers.values())}


def create_app(settings: Settings) -> Flask:
    """The app for these settings; it connects to nothing before the first request."""
    app = Flask("service", static_folder=None)
    app.extensions["backpropd"] = services = Services(settings)
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    errors.register(app)
    request_hooks.register(app)
    scopes = {route.endpoint: route.required_scope for route in ROUTES} | dict.fromkeys(openapi.ENDPOINTS, PUBLIC)
    access = services.authenticator, services.rate_limiter, services.bodies
    AccessControl(settings.mode, *access, scopes, PAGES).register(app)
    routing.register(app, ROUTES)
    openapi.register(app, ROUTES, keys=settings.mode == "keys", path_prefix=settings.path_prefix)
    return app


def from_env() -> WsgiBridge:
    """The app for the settings in the environment, as the server calls it."""
    settings = from_environment()
    logs.set_up(settings)
    sys.setswitchinterval(SWITCH_SECONDS)
    app = create_app(settings)
    services: Services = app.extensions["backpropd"]
    _collect_garbage_rarely()
    services.costly = processes.start(partial(back.answer, app), services.memory.share_with)
    services.model_cache = ModelCache(services.database, settings.model_cache_bytes // FRONT_SHARE)
    operator_metrics.serve(services)
    tracing.set_up(settings, "api")  # not before the processes above are forked
    rates = MinRates(
        MinRate(settings.body_bytes_per_second, settings.body_grace_seconds),
        MinRate(settings.answer_bytes_per_second, settings.answer_grace_seconds),
    )
    return WsgiBridge(
        app.wsgi_app,
        services.admission,
        rates,
        settings.threads,
        partial(request_hooks.rejection, app),
        immediate=request_hooks.LIVENESS,
        probes=request_hooks.READINESS,
    )


def _collect_garbage_rarely() -> None:
    """Look for cyclic garbage less often, and never among the objects of the program itself.

    The collector stops every thread, and by default looks after each 700 new objects: reading the JSON of a million
    arrays would take ten times as long.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
