"""Text in every common encoding is read, or refused by name."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from backpropd.errors import NotATable
from backpropd.tabular import ReadOptions, preview_rows
from backpropd.tabular.delimited.text_encoding import open_text
from backpropd.tabular.warnings import WarningLog
from tests.tabular.reading import levels, read

TOWNS = {
    "windows-1252": "München Köln Düsseldorf Nürnberg Orléans Besançon Nîmes Cádiz Coruña Göteborg Malmö",
    "cp1250": "Łódź Kraków Gdańsk Poznań Białystok Częstochowa Świdnica Plzeň Děčín Třinec Přerov",
    "cp1251": "Москва Новосибирск Казань Самара Омск Челябинск Уфа Пермь Воронеж",
    "koi8_r": "Москва Новосибирск Казань Самара Омск Челябинск Уфа Пермь Воронеж",
    "cp1253": "Αθήνα Θεσσαλονίκη Πάτρα Ηράκλειο Λάρισα Βόλος Ιωάννινα Χανιά",
    "cp1254": "İstanbul İzmir Eskişehir Diyarbakır Şanlıurfa Muğla Çanakkale Aydın",
    "mac_roman": "München Köln Düsseldorf Nürnberg Orléans Besançon Nîmes Málaga",
    "cp850": "München Köln Düsseldorf Nürnberg Lübeck Saarbrücken Orléans Besançon",
    "cp932": "東京 大阪 名古屋 横浜 札幌 神戸 京都 福岡 カワサキ 広島 仙台",
    "euc_jp": "東京 大阪 名古屋 横浜 札幌 神戸 京都 福岡 カワサキ さいたま 広島 仙台",
    "gb18030": "北京 上海 广州 深圳 天津 重庆 成都 武汉 西安 南京 杭州 苏州",
    "big5": "臺北 高雄 臺中 臺南 新竹 嘉義 基隆 花蓮 城市 人口",
    "cp949": "서울 부산 대구 인천 광주 대전 울산 수원 창원 성남",
}

OTHER_WORDS = [
    ("cp932", "りんご みかん ぶどう メロン 青森県 長野県 愛媛県"),
    ("euc_jp", "りんご みかん ぶどう メロン 青森県 長野県 愛媛県"),
    ("cp1255", "משה רחל דוד חיפה ירושלים תפוח"),
    ("cp874", "สมชาย สมหญิง กรุงเทพ เชียงใหม่"),
    ("iso8859_2", "Łukasz Małgorzata Święcicki Łódź Gdańsk źródło"),
    ("windows-1252", "¿Qué ¡Hola España Perú niño 1º"),
    ("windows-1252", "Größe Müller 5m³ £5 20°C Fuß"),
]


@pytest.mark.parametrize("encoding", [
    "utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be",
])  # fmt: skip
def test_letters_survive_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    _, path = read(tmp_path, "größe,n\nä,1\n".encode(encoding))
    assert preview_rows(path, 5) == [{"größe": "ä", "n": 1}]


@pytest.mark.parametrize(("encoding", "words"), [*TOWNS.items(), *OTHER_WORDS])
def test_an_older_encoding_is_told_by_its_letters(tmp_path: Path, encoding: str, words: str) -> None:
    towns = words.split()
    text = "n,town\n" + "".join(f"{n},{town}\n" for n, town in enumerate(towns))
    info, path = read(tmp_path, text.encode(encoding))
    assert info.dialect is not None
    assert info.dialect["encoding"] == encoding
    assert pq.read_table(path)["town"].to_pylist() == towns
    assert [each.code for each in info.warnings if each.code == "encoding_guessed"] == (
        [] if encoding == "windows-1252" else ["encoding_guessed"]
    )


def test_a_byte_between_80_and_9f_is_windows_1252(tmp_path: Path) -> None:
    _, path = read(tmp_path, "Preis (€),n\n“x” – y,1\n".encode("cp1252"))
    assert preview_rows(path, 5) == [{"Preis (€)": "“x” – y", "n": 1}]


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le", "utf-32-be"])
@pytest.mark.parametrize("rows", [60, 200_000])
def test_no_row_is_lost_when_a_file_grows_as_it_is_transcoded(tmp_path: Path, encoding: str, rows: int) -> None:
    info, path = read(tmp_path, ("town,n\n" + "".join(f"Köln Süd,{n}\n" for n in range(rows))).encode(encoding))
    assert info.rows == rows
    assert pq.read_table(path)["n"].to_pylist() == list(range(rows))


def test_a_late_byte_that_is_not_utf8_makes_the_file_windows_1252(tmp_path: Path) -> None:
    info, path = read(tmp_path, b"a,b\n" + b"x,1\n" * 100_000 + "ä,2\n".encode("latin-1"))
    assert info.rows == 100_001
    assert "ä" in levels(path)


MIXED = "town,n\nKöln,1\n".encode() + "Lübeck,2\n".encode("latin-1")


def test_a_mixture_of_utf8_and_windows_1252_is_read_with_a_warning(tmp_path: Path) -> None:
    info, path = read(tmp_path, MIXED)
    assert pq.read_table(path)["town"].to_pylist() == ["Köln", "Lübeck"]
    found = [(each.code, each.count, each.examples[0].line) for each in info.warnings]
    assert found == [("mixed_encodings", 1, 3)]
    with pytest.raises(NotATable, match="line 2 contains a letter encoded as UTF-8"):
        read(tmp_path, MIXED, ReadOptions(strict=True))


@pytest.mark.parametrize("encoding", ["cp1250", "latin2", "ISO-8859-2", "utf-16", "utf-8"])
def test_a_given_encoding_is_taken(tmp_path: Path, encoding: str) -> None:
    data = "town,n\nŁódź,1\n".encode(encoding)
    _, path = read(tmp_path, data, ReadOptions(encoding=encoding))
    assert preview_rows(path, 1) == [{"town": "Łódź", "n": 1}]


@pytest.mark.parametrize(
    ("encoding", "message"),
    [("klingon", "no encoding 'klingon'"), ("rot13", "no encoding"), ("utf-8", "is not valid UTF-8")],
)
def test_an_encoding_that_does_not_fit_is_refused(tmp_path: Path, encoding: str, message: str) -> None:
    with pytest.raises(NotATable, match=message):
        read(tmp_path, "größe,n\n1,2\n".encode("latin-1"), ReadOptions(encoding=encoding))


@pytest.mark.parametrize("size", ["utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["-le", "-be"])
@pytest.mark.parametrize("text", ["größe,n\nä,1\nö,2\n", '[{"größe": "ä", "n": 1}]'])
def test_a_given_encoding_without_its_mark_is_read_in_the_order_of_its_bytes(
    tmp_path: Path, size: str, order: str, text: str
) -> None:
    _, path = read(tmp_path, text.encode(size + order), ReadOptions(encoding=size))
    assert preview_rows(path, 1) == [{"größe": "ä", "n": 1}]


def test_a_given_encoding_of_wide_characters_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotATable, match="is not valid UTF-32"):
        read(tmp_path, "größe,n\n1,2\n", ReadOptions(encoding="utf-32"))


def test_a_line_without_an_end_is_refused_before_the_rest_is_read(tmp_path: Path) -> None:
    source = tmp_path / "giant.csv"
    with source.open("wb") as file:
        file.write(b"a,b\n1," + b"x" * 17 * 2**20)
        file.write(b"\0")  # is not reached
    with pytest.raises(NotATable, match="line 2 is longer than 16 MiB"):
        open_text(source, None, False, WarningLog())
