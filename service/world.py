"""What the views need of the world around them, made once when the app is."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from celery import Celery
from flask import current_app

from backpropd import queue
from backpropd.config import Settings
from backpropd.store.blobs import Blobs
from backpropd.store.database import Database

TENANT = "local"


@dataclass
class World:
    """Settings, the database, the blobs, the doorbell, and the places for event streams."""

    settings: Settings
    database: Database
    blobs: Blobs
    celery: Celery
    streams: threading.BoundedSemaphore = field(init=False)

    def __post_init__(self) -> None:
        self.streams = threading.BoundedSemaphore(self.settings.max_event_streams)


def make_world(settings: Settings) -> World:
    """A world from settings; nothing is connected before it is used."""
    return World(
        settings,
        Database(settings.database_url),
        Blobs(settings.blobs_url, settings.data_dir / "scratch"),
        queue.make_app(settings, impatient=True),
    )


def world() -> World:
    """The world of the app that answers this request."""
    found: World = current_app.extensions["backpropd"]
    return found
