"""Text that holds no table of columns is refused by name, and tables that begin like it are read."""

import time
from pathlib import Path

import pytest

from backpropd.errors import NotATable
from backpropd.tabular.file_signatures import reject_other_formats
from tests.tabular.formats.reading import read

REFUSED = {
    "SQL": "-- MySQL dump\n/*!40101 SET NAMES utf8 */;\nDROP TABLE IF EXISTS `t`;\nINSERT INTO `t` VALUES (1,'a');\n",
    "SQL ": "INSERT INTO cars (id, price) VALUES\n(1, 0.5),\n(2, 1.5);\n",
    "SQL of PostgreSQL": "SET client_encoding = 'UTF8';\nCOPY public.t (id, name) FROM stdin;\n1\ta\n\\.\n",
    "JSON": 'var rows = [{"a": 1}];\n',
    "JSON ": 'show({"rows": [{"a": 1, "b": 2}]});\n',
    "JSON behind a guard": ")]}',\n" + '[{"a": 1}]\n',
    "JSON behind a comment": '// exported\n[{"a": 1}]\n',
    "JSON in a log": '2023-05-01 INFO {"a": 1, "b": 2}\n2023-05-02 INFO {"a": 2, "b": 3}\n',
    "LaTeX": "% results\n\\begin{tabular}{lr}\n\\toprule\nMethod & Time \\\\\n\\midrule\nA & 1 \\\\\n\\end{tabular}\n",
    "LaTeX ": "Method & Time \\\\ \\hline\nA & 1 \\\\\nB & 2 \\\\\n",
    "wiki": '{| class="wikitable"\n! Rank !! Town\n|-\n| 1 || [[Corby]]\n|}\n',
    "Stata": "     +----------+\n     | make mpg |\n     |----------|\n  1. | AMC   22 |\n     +----------+\n",
    "ARFF": "% weather\n@RELATION weather\n\n@ATTRIBUTE outlook {sunny, rainy}\n@DATA\nsunny\nrainy\n",
    "LIBSVM": "+1 1:0.5 3:0.25\n-1 2:1 3:1e-3\n",
    "YAML": "- name: a\n  size: 1\n- name: b\n  size: 2\n",
}
READ = {
    "a table with the columns begin and end": "begin;end;n\n1;2;3\n2;3;4\n",
    "cells with & at their ends": "a & b,n\nx & y,1\nz & y,2\n",
    "clock times after numbers": "1 10:30 11:45\n2 11:45 12:00\n3 12:15 13:30\n",
    "a drawn table": "+---+---+\n| a | b |\n+---+---+\n| 1 | 2 |\n| 3 | 4 |\n+---+---+\n",
    "cells of several lines with LaTeX and a wiki's table": (
        'n,text\n1,"see\n\\begin{array}\nx & y \\\\\n"\n2,"see\n{| class=x\n|-\n|}"\n'
    ),
    "a header with a bracket": "size(m),n\nx = [1],2\nx = [3],4\n",
    "cells of JSON": 'n,meta\n1,"{""a"": 1}"\n2,"{""a"": 2}"\n',
    "a list of words": "- a: 1,2\n- b: 3,4\n- c: 5,6\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_text_in_another_notation_is_refused_by_name_with_advice(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotATable, match=rf"^this is .*{name.split()[0]}.*, which is not supported: \w+"):
        read(tmp_path, REFUSED[name])


@pytest.mark.parametrize("name", READ)
def test_a_table_that_looks_a_little_like_it_is_read(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, READ[name])[0].rows >= 2


@pytest.mark.parametrize("unit", ["\n", " ", "/*", "--\n", "{|", "a&", "+1 1:1", "+-", "\\begin", "- a: ", "%\n", "@"])
def test_recognition_takes_no_long_time_whatever_the_text_is(unit: str) -> None:
    start = time.process_time()
    reject_other_formats((unit * 65536).encode()[:65536])
    assert time.process_time() - start < 1
