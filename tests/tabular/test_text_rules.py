"""Rules that every reader of text shares: the encodings, and the kinds whose cells it keeps."""

from pathlib import Path

import pytest

from backpropd.errors import NotATable
from backpropd.tabular import ReadOptions, codec_of, ingest


@pytest.mark.parametrize(
    "encoding", ["idna", "unicode_escape", "undefined", "utf-7", "hex", "no-such", "a\0b", "punycode"]
)
@pytest.mark.parametrize("data", ["a,b\n1,2\n", '[{"a": 1, "b": 2}]'], ids=["csv", "json"])
def test_an_encoding_that_is_none_of_text_is_refused_by_every_reader(tmp_path: Path, encoding: str, data: str) -> None:
    (tmp_path / "source").write_text(data)
    with pytest.raises(NotATable, match="there is no encoding"):
        ingest(tmp_path / "source", tmp_path / "target", options=ReadOptions(encoding=encoding))


def test_an_encoding_has_many_names_and_one_codec() -> None:
    names = ["UTF8", "utf_8", "Latin-1", "windows-1252", "UTF-16LE", "shift-jis"]
    assert [codec_of(name) for name in names] == ["utf-8", "utf-8", "iso8859_1", "cp1252", "utf-16-le", "shift_jis"]
