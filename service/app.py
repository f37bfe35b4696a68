"""The Flask app, made from settings."""

from __future__ import annotations

from flask import Flask

from backpropd import logs, tabular
from backpropd.config import Settings, from_environment
from service import (
    account,
    datasets,
    envelope,
    errors,
    health,
    inspection,
    jobs,
    keys,
    metrics,
    models,
    openapi,
    routing,
)
from service.body import Pace
from service.bridge import Bridge
from service.world import make_world

ROUTES = [
    route
    for module in (health, metrics, datasets, jobs, models, inspection, keys, account)
    for route in module.routes.routes
]


def create_app(settings: Settings) -> Flask:
    """The app over these settings; it connects to nothing before the first request."""
    app = Flask("service", static_folder=None)
    app.extensions["backpropd"] = make_world(settings)
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    errors.register(app)
    envelope.register(app)
    routing.register(app, ROUTES)
    openapi.register(app, ROUTES, keys=settings.mode == "keys")
    return app


def from_env() -> Bridge:
    """The app as the environment sets it: what the server calls."""
    settings = from_environment()
    logs.set_up(settings)
    tabular.warm_up()
    pace = Pace(settings.body_bytes_per_second, settings.body_grace_seconds)
    return Bridge(create_app(settings).wsgi_app, settings.threads, pace)
