"""Folders that only their owner may enter: they hold tenants' data."""

from pathlib import Path

PRIVATE = 0o700


def make(folder: Path) -> None:
    """Create the folder, and its parents, for this user alone; one that exists keeps its mode."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=PRIVATE, exist_ok=True)
