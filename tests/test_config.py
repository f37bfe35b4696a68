"""Settings come from the environment, or from files that only some may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from backpropd.config import from_environment
from backpropd.errors import Misconfigured


def test_a_secret_may_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backpropd_database_url").write_text("postgresql+psycopg://us:secret@db/ours\n")
    monkeypatch.setenv("BACKPROPD_SECRETS_DIR", str(tmp_path))
    assert from_environment().database_url == "postgresql+psycopg://us:secret@db/ours"
    monkeypatch.setenv("BACKPROPD_DATABASE_URL", "sqlite://")
    assert from_environment().database_url == "sqlite://"


@pytest.mark.parametrize(
    ("name", "value"), [("MODE", "open"), ("MODE", ""), ("PORT", "eighty"), ("LOG_FORMAT", "xml"), ("MAX_ROWS", "0")]
)
def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"BACKPROPD_{name}", value)
    with pytest.raises(Misconfigured, match=f"BACKPROPD_{name}: "):
        from_environment()


def test_what_one_key_may_do_at_a_time_is_all_for_one_user_and_a_part_for_each_of_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = from_environment()
    monkeypatch.setenv("BACKPROPD_MODE", "keys")
    one_of_many = from_environment()
    assert alone.max_event_streams_per_key == alone.max_event_streams > one_of_many.max_event_streams_per_key
    assert alone.max_bodies_per_key == alone.max_bodies > one_of_many.max_bodies_per_key
    assert alone.max_looks_per_key == alone.max_looks > one_of_many.max_looks_per_key >= 1
    assert alone.max_requests_per_minute > one_of_many.max_requests_per_minute > 1000
    monkeypatch.setenv("BACKPROPD_MAX_REQUESTS_PER_MINUTE", "7")
    assert from_environment().max_requests_per_minute == 7
