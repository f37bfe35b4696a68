"""Models leave by the command as files, and come back."""

from pathlib import Path

from backpropd.export.formats import EXPORT_FORMATS
from tests.cli.conftest import Run
from tests.client.stand_in import StandIn


def test_a_model_is_exported_in_every_format(stand_in: StandIn, run: Run, tmp_path: Path) -> None:
    for format, files in EXPORT_FORMATS.items():
        for file in files:
            target = tmp_path / f"mine.{file.extension}"
            assert run("models", "export", "model_1", "--format", format, "-o", target).code == 0
            assert target.read_bytes() == b"a file"
            assert stand_in.bodies[-1] == {"format": format}
            assert stand_in.headers("/v1/models/model_1/export", "Accept")[-1] == file.media_type


def test_an_unknown_format_is_a_wrong_command_line(stand_in: StandIn, run: Run) -> None:
    assert run("models", "export", "model_1", "--format", "pickle").code == 2
    assert not stand_in.requests


def test_a_file_is_imported_with_its_media_type(stand_in: StandIn, run: Run, tmp_path: Path) -> None:
    for name, media_type in (("a.json", "application/json"), ("a.safetensors", "application/octet-stream")):
        (tmp_path / name).write_bytes(b"content")
        assert run("models", "import", tmp_path / name).code == 0
        assert stand_in.bodies[-1] == b"content"
        assert stand_in.headers("/v1/models", "Content-Type")[-1] == media_type
