"""Bytes of no format are read as text or refused, whatever they are."""

from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from backpropd.errors import Invalid
from backpropd.tabular import TableLimits
from tests.tabular.formats.reading import read

TURKISH = "".join(f"{n},İstanbul şehri çok güzel ığdır,{n}\n" for n in range(200)).encode("cp1254")
LIMITS = TableLimits(rows=1000, columns=100, cells=10_000, upload_bytes=100_000)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200),
    st.sampled_from([b"", b"PAR1", b"ARROW1\0\0", b"\x93NUMPY", b"PK\x03\x04", b"[", b"\x1f\x8b\x08"]),
)
@example(TURKISH + b"\x8d\x81,1,2\n", b"a,b,c\n")
def test_any_bytes_are_a_table_or_a_clear_error(tmp_path: Path, data: bytes, head: bytes) -> None:
    try:
        read(tmp_path, head + data, limits=LIMITS)
    except Invalid as error:
        if not error.detail.isprintable():
            raise
