"""The kinds of damage of `test_damaged_corpora.py` in other layouts with a protocol: a line of its own each."""

import shutil
from pathlib import Path
from unicodedata import normalize

import pytest

from src.corpora import Finding, Listing
from src.corpora.reading import read_corpus
from src.experiments.corpus.catalogue import generate_tables
from src.utils.dataset import FILES_TABLE
from tests.corpora.more_stand_ins import WITH_PROTOCOL, Written


def listed(corpus: Written, dataset: Path | None = None) -> Listing:
    return read_corpus(dataset or corpus.dataset, corpus.layout, corpus.options)


def double_the_first(corpus: Written, rows: list[list[str]]) -> None:
    corpus.write_rows([*rows, rows[corpus.header]])


def spoil_a_label(corpus: Written, rows: list[list[str]]) -> None:
    rows[2][corpus.label] = "maybe"
    corpus.write_rows(rows)


def lengthen_a_row(corpus: Written, rows: list[list[str]]) -> None:
    rows[1].append("more")
    corpus.write_rows(rows)


def shorten_a_row(corpus: Written, rows: list[list[str]]) -> None:
    rows[1].pop()
    corpus.write_rows(rows)


def separate_otherwise(corpus: Written, rows: list[list[str]]) -> None:
    corpus.write_rows(rows, ";")


def empty(corpus: Written, rows: list[list[str]]) -> None:
    corpus.write_rows(rows[: corpus.header])


REFUSED = {
    "double id": (double_the_first, r"line \d+: .* is listed on line [12] already; keep one of the two\."),
    "bad label": (spoil_a_label, r"line 3: 'maybe' is not a label: use bona-fide"),
    "a field too many": (lengthen_a_row, r"line 2: \d+ fields instead of \d+ \("),
    "a field too few": (shorten_a_row, r"line 2: \d+ fields instead of \d+ \("),
    "wrong separator": (separate_otherwise, r"line 1: .*; its fields are separated by semicolons, not by"),
    "empty protocol": (empty, r"is empty: "),
}
IMPOSSIBLE = {
    ("mlaad", "bad label"): "it has no labels",
    ("generic", "wrong separator"): "it takes the separator that there is",
}


@pytest.mark.parametrize("damage", REFUSED)
@pytest.mark.parametrize("name", WITH_PROTOCOL)
def test_a_protocol_that_cannot_be_trusted_is_refused(name: str, damage: str, tmp_path: Path) -> None:
    corpus = WITH_PROTOCOL[name](tmp_path / "corpus")
    spoil, words = REFUSED[damage]
    before = listed(corpus).files
    if (name, damage) in IMPOSSIBLE:
        if damage == "wrong separator":
            spoil(corpus, corpus.rows())
            assert listed(corpus).files.equals(before), IMPOSSIBLE[name, damage]
        return
    spoil(corpus, corpus.rows())
    files = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=words) as error:
        generate_tables(corpus.dataset, corpus.layout, corpus.options)
    assert str(corpus.protocol) in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == files


@pytest.mark.parametrize("name", WITH_PROTOCOL)
def test_missing_and_extra_recordings_are_passed_over_and_told(name: str, tmp_path: Path) -> None:
    corpus = WITH_PROTOCOL[name](tmp_path / "corpus")
    complete = listed(corpus)
    gone, *_ = sorted(corpus.folder.glob("*.wav"))
    gone.unlink()
    (corpus.folder / "007.wav").write_bytes(b"sound")
    for hidden in (".DS_Store", f"._{gone.name}", "Thumbs.db", "desktop.ini"):
        (corpus.folder / hidden).write_bytes(b"hidden")
    damaged = listed(corpus)
    assert len(damaged.files) == len(complete.files) - 1
    told = [note for note in damaged.notes if note not in complete.notes]
    assert all(isinstance(note, Finding) for note in told)
    place = corpus.folder.relative_to(corpus.dataset).as_posix()
    table = f"{place}/meta.csv" if name == "mlaad" else corpus.protocol.name
    assert len(told) == 2
    assert told[0].startswith(f"Rows of {table} without a recording, passed over: 1 (")
    assert gone.stem in told[0]
    assert told[1] == f"Recordings that {table} does not list, passed over: 1 ({place}/007.wav)."
    made = generate_tables(corpus.dataset, corpus.layout, corpus.options)
    assert made.n_clips == len(damaged.files)


@pytest.mark.parametrize("name", WITH_PROTOCOL)
def test_the_wrong_folder_is_told_what_it_should_hold(name: str, tmp_path: Path) -> None:
    corpus = WITH_PROTOCOL[name](tmp_path / "corpus")
    (tmp_path / "elsewhere").mkdir()
    named = {
        "in_the_wild": "does not hold In-the-Wild as published, such as meta.csv and 0.wav: give the folder",
        "partialspoof": "does not hold PartialSpoof as published, such as protocols/.* and train/con_wav/: give the",
        "mlaad": "does not hold MLAAD as published, such as fake/<language>/<model>/meta.csv and recordings",
        "generic": r"None of the 8 rows of .*list\.csv has a recording in .*elsewhere \(first: clips/0\.wav\): its",
    }
    with pytest.raises((FileNotFoundError, ValueError), match=named[name]):
        listed(corpus, tmp_path / "elsewhere")
    for clip in (corpus.dataset).rglob("*.wav"):
        clip.unlink()
    with pytest.raises(ValueError, match=r"None of the \d+ rows of .* has a recording (in|beside) "):
        listed(corpus)
    assert not (corpus.dataset / FILES_TABLE).exists()


@pytest.mark.parametrize("name", WITH_PROTOCOL)
def test_how_a_protocol_was_saved_changes_no_table(name: str, tmp_path: Path) -> None:
    corpus = WITH_PROTOCOL[name](tmp_path / "corpus")
    expected = listed(corpus).files
    text = corpus.protocol.read_text()
    for saved in ("\ufeff" + text, text.replace("\n", "\r\n"), text + "\n\n", text.rstrip()):
        corpus.protocol.write_bytes(saved.encode())
        assert listed(corpus).files.equals(expected)


@pytest.mark.parametrize("name", WITH_PROTOCOL)
def test_awkward_names_are_kept_and_match_in_either_unicode_form(name: str, tmp_path: Path) -> None:
    corpus = WITH_PROTOCOL[name](tmp_path / "corpus")
    n_clips, rows = len(listed(corpus).files), corpus.rows()
    awkward = ["007", "NA", "João's"] if name != "mlaad" else ["007", 'NA "']
    for row, new in zip(rows[corpus.header :], awkward, strict=False):
        old = Path(row[corpus.name]).stem
        row[corpus.name] = row[corpus.name].replace(old, normalize("NFD", new)) if name != "partialspoof" else new
        (corpus.folder / f"{old}.wav").rename(corpus.folder / f"{normalize('NFC', new)}.wav")
    corpus.write_rows(rows)
    files = listed(corpus).files
    assert len(files) == n_clips
    assert set(awkward) <= {Path(file).stem for file in files["file"]}
    assert generate_tables(corpus.dataset, corpus.layout, corpus.options).n_clips == n_clips


@pytest.mark.parametrize("name", ["in_the_wild", "generic"])
def test_quotation_marks_hold_a_comma_together(name: str, tmp_path: Path) -> None:
    corpus = WITH_PROTOCOL[name](tmp_path / "corpus")
    text = corpus.protocol.read_text()
    first = next(corpus.folder.glob("0.wav"))
    first.rename(first.with_name('a, "b".wav'))
    cell = text.splitlines()[1].split(",")[0]
    quoted = '"' + cell.replace("0.wav", 'a, ""b"".wav') + '"'
    corpus.protocol.write_text(text.replace(f"{cell},", f"{quoted},", 1))
    assert 'a, "b".wav' in {Path(file).name for file in listed(corpus).files["file"]}
    generate_tables(corpus.dataset, corpus.layout, corpus.options)


@pytest.mark.parametrize("name", WITH_PROTOCOL)
def test_links_out_of_the_corpus_are_told_and_left_alone(name: str, tmp_path: Path) -> None:
    corpus = WITH_PROTOCOL[name](tmp_path / "corpus")
    before = listed(corpus)
    clip = sorted(corpus.folder.glob("*.wav"))[0]
    shutil.move(clip, tmp_path / "elsewhere.wav")
    clip.symlink_to(tmp_path / "elsewhere.wav")
    linked = listed(corpus)
    assert linked.files.equals(before.files)
    place = clip.relative_to(corpus.dataset).as_posix()
    assert set(linked.notes) - set(before.notes) == {f"Links that lead out of the corpus: 1 ({place})."}
