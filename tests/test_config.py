"""Settings are read from the environment or from secret files."""

from pathlib import Path

import pytest

from backpropd import learn
from backpropd.config import Settings, from_environment
from backpropd.errors import Misconfigured


def test_a_secret_may_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backpropd_database_url").write_text("postgresql+psycopg://us:secret@db/ours\n")
    monkeypatch.setenv("BACKPROPD_SECRETS_DIR", str(tmp_path))
    assert from_environment().database_url == "postgresql+psycopg://us:secret@db/ours"
    monkeypatch.setenv("BACKPROPD_DATABASE_URL", "sqlite://")
    assert from_environment().database_url == "sqlite://"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODE", "open"),
        ("MODE", ""),
        ("PORT", "eighty"),
        ("LOG_FORMAT", "xml"),
        ("MAX_ROWS", "0"),
        ("DATABASE_URL", "mysql://x"),
        ("BROKER_URL", "foo"),
    ],
)
def test_an_invalid_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"BACKPROPD_{name}", value)
    with pytest.raises(Misconfigured, match=f"BACKPROPD_{name}: "):
        from_environment()


def test_a_key_has_the_whole_capacity_in_the_mode_local_and_a_share_in_the_mode_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    local = from_environment()
    monkeypatch.setenv("BACKPROPD_MODE", "keys")
    keys = from_environment()
    assert local.max_event_streams_per_key == local.max_event_streams > keys.max_event_streams_per_key
    assert local.max_bodies_per_key == local.max_bodies > keys.max_bodies_per_key
    assert local.max_looks_per_key == local.max_looks > keys.max_looks_per_key >= 1
    assert local.max_requests_per_minute > keys.max_requests_per_minute > 1000
    monkeypatch.setenv("BACKPROPD_MAX_REQUESTS_PER_MINUTE", "7")
    assert from_environment().max_requests_per_minute == 7


def test_the_limits_of_a_job_are_the_settings_of_their_names_also_where_one_is_zero() -> None:
    limits = Settings(max_epochs=0, max_parameters=7, worker_memory_bytes=9).limits(learn.Limits)
    assert limits == learn.Limits(epochs=0, parameters=7, worker_memory_bytes=9)
