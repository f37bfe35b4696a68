"""The Flask app, made from settings."""

from __future__ import annotations

from flask import Flask

from backpropd import logs, tabular
from backpropd.config import Settings, from_environment
from service.http import errors, openapi, request_hooks, routing
from service.http.body import Pace
from service.http.wsgi_bridge import WsgiBridge
from service.routes import account, datasets, health, inspection, jobs, keys, metrics, models
from service.services import make_services

ROUTES = [
    route
    for module in (health, metrics, datasets, jobs, models, inspection, keys, account)
    for route in module.routes.routes
]


def create_app(settings: Settings) -> Flask:
    """The app over these settings; it connects to nothing before the first request."""
    app = Flask("service", static_folder=None)
    app.extensions["backpropd"] = make_services(settings)
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    errors.register(app)
    request_hooks.register(app)
    routing.register(app, ROUTES)
    openapi.register(app, ROUTES, keys=settings.mode == "keys")
    return app


def from_env() -> WsgiBridge:
    """The app as the environment sets it: what the server calls."""
    settings = from_environment()
    logs.set_up(settings)
    tabular.start_sandbox()
    pace = Pace(settings.body_bytes_per_second, settings.body_grace_seconds)
    return WsgiBridge(create_app(settings).wsgi_app, settings.threads, pace)
