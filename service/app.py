"""The Flask app, made from settings."""

from __future__ import annotations

import logging

from flask import Flask

from backpropd import tabular
from backpropd.config import Settings, from_environment
from service import account, datasets, errors, health, inspection, jobs, keys, models, openapi, routing
from service.world import make_world

ROUTES = [
    route for module in (health, datasets, jobs, models, inspection, keys, account) for route in module.routes.routes
]


def create_app(settings: Settings) -> Flask:
    """The app over these settings; it connects to nothing before the first request."""
    app = Flask("service", static_folder=None)
    app.extensions["backpropd"] = make_world(settings)
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    errors.register(app)
    routing.register(app, ROUTES)
    openapi.register(app, ROUTES, keys=settings.mode == "keys")
    return app


def from_env() -> Flask:
    """The app as the environment sets it: what the WSGI server calls."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    tabular.warm_up()
    return create_app(from_environment())
