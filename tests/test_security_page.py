"""`SECURITY.md` names settings that exist, and every limit of what a key may cost."""

import re
from pathlib import Path

from backpropd.config import Settings
from backpropd.store.keys import SCOPES

PAGE = (Path(__file__).parent.parent / "SECURITY.md").read_text()
NO_FIELDS = {"BACKPROPD_SECRETS_DIR"}  # where fields are read from
NO_COSTS = {  # limits of what a request may say, which bound the others
    "columns", "rows", "cells", "category_levels", "epochs", "parameters", "prediction_rows", "trace_rows",
    "json_bytes", "job_bytes", "answer_cells", "preview_cells", "body_bytes_per_second", "answer_bytes_per_second",
    "gradient_check_parameters",
}  # fmt: skip


def settings_in(text: str) -> set[str]:
    """The names of settings in a text."""
    return set(re.findall(r"BACKPROPD_[A-Z_]+", text))


def test_every_setting_on_the_page_exists() -> None:
    existing = {f"BACKPROPD_{name.upper()}" for name in Settings.model_fields}
    assert settings_in(PAGE) <= existing | NO_FIELDS


def test_the_table_of_costs_has_every_kind_of_key_and_every_limit() -> None:
    section = PAGE.partition("## What each kind of key may cost")[2].partition("\n## ")[0]
    head = next(line for line in section.splitlines() if line.startswith("|"))
    assert re.findall(r"`(\w+)`", head) == list(SCOPES)
    public = {
        name: field.json_schema_extra["public_name"]
        for name, field in Settings.model_fields.items()
        if isinstance(field.json_schema_extra, dict)
    }
    limits = {f"BACKPROPD_{name.upper()}" for name, public_name in public.items() if public_name not in NO_COSTS}
    assert limits <= settings_in(section)
