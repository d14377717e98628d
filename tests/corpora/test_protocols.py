"""A protocol is read as it stands, or refused with the file, the line and what is wrong there."""

from pathlib import Path
from unicodedata import normalize

import pandas as pd
import pytest

from src.corpora.protocols import Form, read_protocol

BLANK = Form(("speaker", "utterance", "system", "key"), id="utterance", label="key")
COMMA = Form(("file", "speaker", "label"), id="file", label="label", separator=",", header=True, quotes=True)
BAR = Form(("path", "model"), id="path", separator="|", header=True)
GOOD = "LA_1 LA_T_1 - bonafide\nLA_1 LA_T_2 A01 spoof\n"


def protocol(folder: Path, text: str | bytes) -> Path:
    path = folder / "protocol.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def cells(table: pd.DataFrame) -> list[list[str]]:
    assert table.index.tolist() == list(range(len(table)))
    return table.to_numpy().tolist()


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.rstrip("\n"),
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.replace(" ", "\t"),
        GOOD.replace(" ", "  "),
        GOOD.replace("\n", " \n"),
        "\n\n" + GOOD.replace("\n", "\n \n\n"),
        GOOD.replace("bonafide", "Genuine"),
    ],
)
def test_how_the_lines_are_laid_out_changes_nothing(text: str, tmp_path: Path) -> None:
    assert cells(read_protocol(protocol(tmp_path, text), BLANK)) == [
        ["LA_1", "LA_T_1", "-", "bona-fide"],
        ["LA_1", "LA_T_2", "A01", "spoof"],
    ]


def test_what_looks_like_a_number_or_nothing_stays_text(tmp_path: Path) -> None:
    text = 'NA 007 nan spoof\nnull 1e5 "A bonafide\nTRUE NaN #1 spoof\n'
    assert cells(read_protocol(protocol(tmp_path, text), BLANK)) == [
        ["NA", "007", "nan", "spoof"],
        ["null", "1e5", '"A', "bona-fide"],
        ["TRUE", "NaN", "#1", "spoof"],
    ]


def test_quotation_marks_hold_commas_together_where_the_form_says_so(tmp_path: Path) -> None:
    text = '\ufefflabel, file,speaker,more\nspoof,007.wav,"King, Martin ""Luther""",\n\nbona-fide, 1.wav,NA,x\n'
    table = read_protocol(protocol(tmp_path, text), COMMA)
    assert list(table.columns) == ["label", "file", "speaker", "more"]
    assert cells(table) == [["spoof", "007.wav", 'King, Martin "Luther"', ""], ["bona-fide", "1.wav", "NA", "x"]]


def test_a_quotation_mark_within_a_field_is_text(tmp_path: Path) -> None:
    text = 'file,speaker,label\n1.wav,"Weird Al" Y,spoof\n2.wav,7" single,spoof\n'
    assert read_protocol(protocol(tmp_path, text), COMMA)["speaker"].tolist() == ["Weird Al Y", '7" single']


@pytest.mark.parametrize(
    "text",
    [
        ",file,speaker,label\n0,1.wav,Ana,spoof\n1,2.wav,,bona-fide\n",
        "file,speaker,label,\n1.wav,Ana,spoof,\n2.wav,,bona-fide,\n",
        "file,speaker,label,\n1.wav,Ana,spoof\n2.wav,,bona-fide\n",
        ",file,, speaker,label, \n7,1.wav,x,Ana,spoof,\n8,2.wav,,,bona-fide,y\n",
    ],
)
def test_columns_without_a_name_are_left_out(text: str, tmp_path: Path) -> None:
    table = read_protocol(protocol(tmp_path, text), COMMA)
    assert list(table.columns) == ["file", "speaker", "label"]
    assert cells(table) == [["1.wav", "Ana", "spoof"], ["2.wav", "", "bona-fide"]]


def test_quotation_marks_are_text_elsewhere(tmp_path: Path) -> None:
    text = 'path|model|transcript\n1.wav|vits|"No", he said\n2.wav|"x|\n'
    assert cells(read_protocol(protocol(tmp_path, text), BAR)) == [
        ["1.wav", "vits", '"No", he said'],
        ["2.wav", '"x', ""],
    ]


def test_ids_are_composed_so_that_they_match_files(tmp_path: Path) -> None:
    text = f"S {normalize('NFD', 'João')} - spoof\n"
    assert read_protocol(protocol(tmp_path, text), BLANK)["utterance"].tolist() == [normalize("NFC", "João")]


def test_two_unicode_forms_of_an_id_are_one_id(tmp_path: Path) -> None:
    text = "".join(f"S {normalize(form, 'João')} - spoof\n" for form in ("NFC", "NFD"))
    with pytest.raises(ValueError, match="line 2: João is listed on line 1 already"):
        read_protocol(protocol(tmp_path, text), BLANK)


WRONG = {
    "empty": (BLANK, "", "is empty: put the published"),
    "blank": (BLANK, " \n\n", "is empty: put the published"),
    "only a header": (COMMA, "file,speaker,label\n", "is empty: it has a header and no rows"),
    "too few fields": (BLANK, GOOD + "\nLA_1 LA_T_3 spoof\n", r"line 4: 3 fields instead of 4 \(speaker utterance"),
    "one field more": (BLANK, GOOD + "LA_1 LA_T_3 - A01 spoof\n", "line 3: 5 fields instead of 4"),
    "many fields more": (BLANK, GOOD + "a b c d e f g h\n", "line 3: 8 fields instead of 4"),
    "all rows longer": (BLANK, GOOD.replace("-", "- - -").replace("A01", "A01 - -"), "line 1: 6 fields instead of 4"),
    "one more in all": (BLANK, GOOD.replace("-", "- -").replace("A01", "A01 -"), "line 1: 5 fields instead of 4"),
    "commas": (BLANK, GOOD.replace(" ", ","), "line 1: 1 field .*; its fields are separated by commas, not by blanks"),
    "bars": (BLANK, GOOD.replace(" ", "|"), "line 1: 1 field .*separated by vertical bars, not by blanks"),
    "blanks": (COMMA, "file speaker label\n1 a spoof\n", "line 1: no column .*separated by blanks, not by commas"),
    "no column": (COMMA, "file,who,label\n1,a,spoof\n", "line 1: no column speaker in the header, which has file, who"),
    "row of a table too long": (COMMA, "file,speaker,label\n1,a,spoof\n2,a,spoof,x\n", "line 3: 4 fields instead of 3"),
    "row of a table too short": (COMMA, "file,speaker,label\n1,a,spoof\n2,a\n", "line 3: 2 fields instead of 3"),
    "a quote without end": (
        COMMA,
        'file,speaker,label\n1,"a,spoof\n2,a,spoof\n',
        "line 2: a quotation mark is not closed",
    ),
    "a quote that the next one ends": (
        COMMA,
        '\nfile,speaker,label\n1,a,spoof\n2,"b,spoof\n3,c,bona-fide\n4,"d" e,spoof\n',
        "line 4: a quotation mark is not closed on its line",
    ),
    "a quote in each last field": (
        COMMA,
        'file,speaker,label,text\r1,a,spoof,"open\r2,b,spoof,"open\r',
        "line 2: a quotation mark is not closed",
    ),
    "a quote in the header": (COMMA, 'file,speaker,label,"text\n1,a,spoof,"\n', "line 1: a quotation mark is not"),
    "one name twice": (COMMA, "\nfile,label,speaker,label\n1,spoof,a,x\n", "line 2: two columns are called label"),
    "a field more than names": (COMMA, "file,speaker,label,\n1,a,spoof,\n2,a,spoof,,x\n", "line 3: 5 fields instead"),
    "names alone": (BLANK, "LA_T_1\nLA_T_2\n", "holds names without labels: a protocol or key has 4 fields"),
    "a label": (BLANK, GOOD + "\n\nLA_1 LA_T_3 - maybe\n", "line 5: 'maybe' is not a label: use bona-fide"),
    "a label of a table": (COMMA, "\nfile,speaker,label\n1,a,spoof\n\n2,b,1\n", "line 5: '1' is not a label"),
    "a header too many": (BLANK, "speaker utterance system key\n" + GOOD, "line 1: 'key' is not a label"),
    "double id": (BLANK, GOOD + "\nLA_2 LA_T_1 A01 spoof\n", "line 4: LA_T_1 is listed on line 1 already; keep one"),
    "double of a table": (COMMA, "file,speaker,label\n1,a,spoof\n2,a,spoof\n1,b,spoof\n", "line 4: 1 is listed on l"),
    "bytes": (BLANK, b"LA_1 caf\xe9 - spoof\n", "is not a text file in UTF-8"),
    "UTF-16": (BLANK, GOOD.encode("utf-16"), "is not a text file in UTF-8"),
}


@pytest.mark.parametrize(("form", "text", "words"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_in_one_line(form: Form, text: str | bytes, words: str, tmp_path: Path) -> None:
    path = protocol(tmp_path, text)
    with pytest.raises(ValueError, match=words) as error:
        read_protocol(path, form)
    assert str(path) in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_a_protocol_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"There is no protocol {tmp_path / 'absent.txt'}"):
        read_protocol(tmp_path / "absent.txt", BLANK)
