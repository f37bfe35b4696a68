"""Text in every common encoding is read, or refused by name."""

import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from backpropd.errors import NotATable
from backpropd.tabular import ReadOptions, preview_rows
from backpropd.tabular.delimited.text_encoding import CHUNK_BYTES, DECODED_BYTES, open_text
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
    ("cp1251", "Київ Харків Одеса Дніпро Запоріжжя Львів Їжакевич Ґалаґан"),
    ("koi8_u", "Київ Харків Одеса Дніпро Запоріжжя Львів Їжакевич Ґалаґан"),
    ("iso8859_5", "Москва Новосибирск Казань Самара Омск Челябинск Уфа Пермь Воронеж"),
    ("cp866", "Москва Новосибирск Казань Самара Омск Челябинск Уфа Пермь Воронеж"),
    ("mac_cyrillic", "Москва Новосибирск Казань Самара Омск Челябинск Уфа Пермь Воронеж"),
    ("cp852", "Łódź Kraków Gdańsk Poznań Białystok Częstochowa Świdnica Toruń"),
    ("cp737", "Αθήνα Θεσσαλονίκη Πάτρα Ηράκλειο Λάρισα Βόλος Ιωάννινα Χανιά"),
    ("cp862", "משה רחל דוד חיפה ירושלים תפוח"),
    ("cp1256", "القاهرة الرياض بغداد دمشق بيروت تونس"),
    ("cp1257", "Šiauliai Panevėžys Mažeikiai Kėdainiai Telšiai Tauragė Ukmergė"),
    ("cp857", "İstanbul İzmir Eskişehir Diyarbakır Şanlıurfa Muğla Çanakkale Aydın"),
    ("cp1250", "Šibenik Čakovec Požega Đakovo Županja Križevci Petrović Đurđica"),
    ("iso2022_jp", "東京 大阪 名古屋 横浜 札幌 神戸 京都"),
    ("iso2022_kr", "서울 부산 대구 인천 광주"),
    ("windows-1252", "Málaga Córdoba Cádiz León Logroño Muñoz Núñez González mañana"),
    ("windows-1252", "Forlì Cantù Nardò città perché università Niccolò virtù"),
    ("windows-1252", "¿Qué ¡Hola España Perú niño 1º"),
    ("windows-1252", "Größe Müller 5m³ £5 20°C Fuß"),
    ("windows-1252", "Córdoba Núñez Málaga niño Logroño Andrés Cádiz José Peña Pérez"),
    ("windows-1252", "Reykjavík Þórður Guðrún Ísafjörður Sigurðsson"),
    ("cp1254", "İstanbul Ankara İzmir"),
    ("cp1254", "Ağrı Niğde Aydın"),
    ("cp1250", "Šibenik Čakovec Đakovo"),
    ("cp850", "Müller Größe Straße"),
    ("mac_roman", "Café Hélène"),
    ("cp1251", "Москва"),
]
SURE_WORDS = [
    "Straße",
    "señor Hélène Québec Málaga",
    "Müller Größe",
    "20°C £5 5m³ €9",
    "“x” y–z l’eau",
    "mg/l µg/l",
    "size_µm",
    "Calle_Nº Plaza_Nº",
    "Mª José",
    "London–Paris Paris–Rome",
    "3cm×5cm",
    "kW·h",
    "Smith†",
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


@pytest.mark.parametrize("words", SURE_WORDS)
def test_a_few_western_words_are_windows_1252_without_a_warning(tmp_path: Path, words: str) -> None:
    info, _ = read(tmp_path, ("word,n\n" + "".join(f"{word},1\n" for word in words.split())).encode("cp1252"))
    assert info.dialect is not None
    assert info.dialect["encoding"] == "windows-1252"
    assert "encoding_guessed" not in [each.code for each in info.warnings]


def test_where_the_letters_hardly_tell_a_warning_shows_both_readings(tmp_path: Path) -> None:
    info, _ = read(tmp_path, "name,n\nGyőr,1\n".encode("cp1250"))
    assert info.dialect is not None
    assert info.dialect["encoding"] == "windows-1252"
    (detail,) = [each.detail for each in info.warnings if each.code == "encoding_guessed"]
    assert "'Gyõr', which is 'Győr' in cp1250" in detail


def test_the_letters_of_the_last_rows_count_too(tmp_path: Path) -> None:
    rows = [*(f"Müller {n},DE" for n in range(700)), *(f"Łódź {n},PL" for n in range(700))]
    info, _ = read(tmp_path, "\n".join(["name,country", *rows]).encode("cp1250"))
    assert info.dialect is not None
    assert info.dialect["encoding"] == "cp1250"


@pytest.mark.parametrize("word", ["Москва", "Αθήνα", "北京", "東京", "서울", "दिल्ली", "חיפה"])
def test_one_broken_byte_in_unicode_is_one_broken_line(tmp_path: Path, word: str) -> None:
    info, path = read(tmp_path, b"town,n\n" + f"{word},1\n".encode() * 20 + b"x\xa0y,99\n")
    assert info.dialect is not None
    assert (info.dialect["encoding"], preview_rows(path, 1)[0]["town"]) == ("utf-8", word)
    assert [each.code for each in info.warnings] == ["mixed_encodings"]


def test_long_words_of_no_language_are_told_in_little_time(tmp_path: Path) -> None:
    started = time.process_time()
    read(tmp_path, b"a,b\n" + b"\xe4\xf6x" * 100_000 + b",1\n" + b"x\xff,2\n" * 1000)
    read(tmp_path, b"a,b\n" + b"\xe9a " * 85_000 + b",1\nx,2\n")
    assert time.process_time() - started < 10


@pytest.mark.parametrize("encoding", ["cp037", "cp500", "cp1140"])
def test_text_of_a_mainframe_is_refused_by_name(tmp_path: Path, encoding: str) -> None:
    text = "branch,balance\n" + "".join(f"north {n},{n * 17}\n" for n in range(20))
    with pytest.raises(NotATable, match="EBCDIC"):
        read(tmp_path, text.encode(encoding))


def test_bytes_that_would_be_half_of_a_surrogate_pair_are_letters_in_another_encoding(tmp_path: Path) -> None:
    towns = ["مسقط", "الدوحة", "بغداد", "بيروت", "الرياض"]
    _, path = read(tmp_path, ("n,a\n" + "".join(f"{n},{town}\n" for n, town in enumerate(towns * 2))).encode("cp720"))
    assert sorted(levels(path)) == sorted(towns)


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


def test_words_of_no_language_are_windows_1252(tmp_path: Path) -> None:
    table, _ = read(tmp_path, ("a,b\n" + "".join(f"{n},w{'ß' * (n % 5)}\n" for n in range(20))).encode("latin-1"))
    assert table.dialect is not None
    assert table.dialect["encoding"] == "windows-1252"


@pytest.mark.parametrize(
    "cell", ["Hi ~{name~} of ~{city~}", "~{ab~} ~{cd~} ~q", "\x1b(Jx0", "\x1b(Iab", "\x1b$Bx", "\x1b$)C\x0ea"]
)
def test_ascii_text_with_signs_of_a_7_bit_encoding_is_read_as_it_is(tmp_path: Path, cell: str) -> None:
    info, path = read(tmp_path, f"text,n\n{cell},1\n")
    assert pq.read_table(path)["text"].to_pylist() == [cell]
    assert "encoding_guessed" not in [each.code for each in info.warnings]


def test_hz_is_read_where_it_is_named(tmp_path: Path) -> None:
    _, path = read(tmp_path, "town,n\n北京,1\n".encode("hz"), ReadOptions(encoding="hz"))
    assert pq.read_table(path)["town"].to_pylist() == ["北京"]


@pytest.mark.parametrize("offset", range(-3, 4))
@pytest.mark.parametrize("size", [DECODED_BYTES, CHUNK_BYTES])
def test_a_character_is_found_wherever_a_piece_of_the_file_ends(tmp_path: Path, size: int, offset: int) -> None:
    start = b"name,n\n" + b"abc,1\n" * (size // 6 + 10)
    cut = start[: size + offset - 1]
    whole = cut + "é".encode() + b"y,1\n" + b"abc,1\n" * 100 + b"caf\xe9,3\n"
    (tmp_path / "mixed").write_bytes(whole)
    with pytest.raises(NotATable, match="contains a letter encoded as UTF-8"):
        open_text(tmp_path / "mixed", None, True, WarningLog())
    assert open_text(tmp_path / "mixed", None, False, WarningLog()).encoding == "utf-8"
    (tmp_path / "half").write_bytes(cut + b"\xed\xa0\xbdy,1\n" + b"abc,1\n")
    with pytest.raises(NotATable, match="half of a surrogate pair"):
        open_text(tmp_path / "half", None, False, WarningLog())
