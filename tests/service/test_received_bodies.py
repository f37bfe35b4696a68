"""A body that the front received gets a name without a copy where the system allows it."""

import os
import tempfile
from io import BytesIO
from pathlib import Path

from service.http.front import _nameless_file
from service.uploads import _give_name


def test_a_nameless_file_gets_a_name_through_another_descriptor_and_keeps_what_it_holds(tmp_path: Path) -> None:
    with _nameless_file(tmp_path) as file:
        file.write(b"a,b\n1,2\n")
        file.flush()
        assert not any(tmp_path.iterdir())
        with os.fdopen(os.dup(file.fileno()), "rb") as received:
            assert _give_name(received, tmp_path / "upload")
    assert (tmp_path / "upload").read_bytes() == b"a,b\n1,2\n"
    assert (tmp_path / "upload").stat().st_mode & 0o777 == 0o600


def test_any_other_body_has_to_be_copied(tmp_path: Path) -> None:
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        assert not _give_name(file, tmp_path / "upload")
    assert not _give_name(BytesIO(b"a"), tmp_path / "upload")
    assert not any(tmp_path.iterdir())
