"""The table of docs/formats.md has every format, with its media type and its extensions."""

import re
from pathlib import Path

from backpropd.client.media_types import CSV, MEDIA_TYPES
from backpropd.tabular.formats import COMPRESSED_MEDIA_TYPES, FORMAT_OF_MEDIA_TYPE, FORMATS

PAGE = (Path(__file__).parents[1] / "docs" / "formats.md").read_text()
TABLE = PAGE.partition("\n## ")[0]
ROWS = [re.findall(r"`(\S+?)`", row) for row in TABLE.split("\n") if re.match(r"\| [^|]+ \| `", row)]


def test_every_format_has_a_row_with_its_first_media_type() -> None:
    assert [(name, media_type) for name, media_type, *_ in ROWS] == [
        (each.name, each.media_types[0]) for each in FORMATS.values()
    ]


def test_the_extensions_are_those_that_the_client_knows() -> None:
    listed = {extension: name for name, *others in ROWS for extension in others if extension.startswith(".")}
    known = {".csv": CSV, ".txt": CSV, **MEDIA_TYPES}
    assert listed == {
        extension: FORMAT_OF_MEDIA_TYPE[media_type]
        for extension, media_type in known.items()
        if media_type not in COMPRESSED_MEDIA_TYPES
    }
