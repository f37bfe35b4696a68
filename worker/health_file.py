"""A file that a program touches while it is well, for health checks that cost nothing: is it younger than 15 s?"""

import logging

from backpropd.config import Settings

log = logging.getLogger(__name__)


def touch(settings: Settings) -> None:
    """Touch the file of the settings, if there is one: the database has just answered."""
    if settings.health_file is None:
        return
    try:
        settings.health_file.touch()
    except OSError as error:
        log.warning("the health file cannot be written: %s", error)
