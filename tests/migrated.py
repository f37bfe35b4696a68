"""Empty, migrated SQLites by the hundred: one is migrated, and the others are copies of it."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import make_url

from backpropd.config import Settings
from worker.migrate import run


def migrate(settings: Settings) -> None:
    """What `python -m worker migrate` does, sooner where a SQLite is not there yet."""
    place = _place(settings)
    if settings.database_url.startswith("sqlite") and not place.exists():
        sqlite(place)
    else:
        run(settings)


def sqlite(path: Path) -> str:
    """The URL of a new one."""
    path.write_bytes(_migrated())
    return f"sqlite:///{path}"


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder)).with_defaults()
        run(settings)
        return _place(settings).read_bytes()


def _place(settings: Settings) -> Path:
    return Path(make_url(settings.database_url).database or "")
