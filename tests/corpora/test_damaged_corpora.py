"""Eight kinds of damage, in every layout: each gives its own line, and nothing is copied or changed.

A line is an error where the labels cannot be trusted, and a note where a part of the corpus can be used.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import pytest

from src.corpora import LAYOUTS, Listing
from src.experiments.corpus.catalogue import generate_tables
from src.utils.dataset import FILES_TABLE
from src.utils.registry import lookup
from tests.corpora.stand_ins import MAKERS, StandIn


def listed(corpus: StandIn, dataset: Path | None = None) -> Listing:
    return lookup(LAYOUTS, corpus.layout, "layout")(dataset or corpus.dataset)


def double_the_first(corpus: StandIn) -> None:
    corpus.write_rows([*corpus.rows(), corpus.rows()[0]])


def spoil_a_label(corpus: StandIn) -> None:
    rows = corpus.rows()
    rows[2][corpus.label] = "maybe"
    corpus.write_rows(rows)


def lengthen_a_row(corpus: StandIn) -> None:
    rows = corpus.rows()
    rows[1].append("more")
    corpus.write_rows(rows)


def shorten_a_row(corpus: StandIn) -> None:
    rows = corpus.rows()
    rows[1].pop()
    corpus.write_rows(rows)


def separate_otherwise(corpus: StandIn) -> None:
    corpus.write_rows(corpus.rows(), ";")


def empty(corpus: StandIn) -> None:
    corpus.protocol.write_text("\n")


REFUSED: dict[str, tuple[Callable[[StandIn], None], str]] = {
    "double id": (double_the_first, r"line \d+: .* is listed on line 1 already; keep one of the two\."),
    "bad label": (spoil_a_label, "line 3: 'maybe' is not a label: use bona-fide"),
    "a field too many": (lengthen_a_row, r"line 2: \d+ fields instead of \d+ \("),
    "a field too few": (shorten_a_row, r"line 2: \d+ fields instead of \d+ \("),
    "wrong separator": (separate_otherwise, "line 1: 1 field .*; its fields are separated by semicolons, not by"),
    "empty protocol": (empty, "is empty: put the published protocol in its place"),
}


@pytest.mark.parametrize("damage", REFUSED)
@pytest.mark.parametrize("name", MAKERS)
def test_a_protocol_that_cannot_be_trusted_is_refused(name: str, damage: str, tmp_path: Path) -> None:
    corpus = MAKERS[name](tmp_path / "corpus")
    spoil, words = REFUSED[damage]
    spoil(corpus)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=words) as error:
        generate_tables(corpus.dataset, corpus.layout)
    assert str(corpus.protocol) in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", MAKERS)
def test_missing_and_extra_recordings_are_passed_over_and_told(name: str, tmp_path: Path) -> None:
    corpus = MAKERS[name](tmp_path / "corpus")
    complete = listed(corpus)
    gone, *_ = sorted(corpus.folder.iterdir())
    gone.unlink()
    (corpus.folder / f"007{corpus.suffix}").write_bytes(b"sound")
    for hidden in (".DS_Store", f"._{gone.name}", "Thumbs.db", "desktop.ini"):
        (corpus.folder / hidden).write_bytes(b"hidden")
    damaged = listed(corpus)
    assert len(damaged.files) == len(complete.files) - 1
    told = [note for note in damaged.notes if note not in complete.notes]
    place = corpus.folder.relative_to(corpus.dataset).as_posix()
    row = f"Rows of {corpus.protocol.name} without a recording, passed over: 1 ("
    assert told[0].startswith(row)
    assert gone.stem in told[0]
    extra = f"Recordings that {corpus.protocol.name} does not list, passed over: 1 ({place}/007{corpus.suffix})."
    assert told[1:] == [extra]
    assert generate_tables(corpus.dataset, corpus.layout).n_clips == len(damaged.files)


@pytest.mark.parametrize("name", MAKERS)
def test_the_wrong_folder_is_told_what_it_should_hold(name: str, tmp_path: Path) -> None:
    corpus = MAKERS[name](tmp_path / "corpus")
    (tmp_path / "elsewhere").mkdir()
    for wrong in (tmp_path / "elsewhere", corpus.folder):
        with pytest.raises(
            FileNotFoundError, match=r"does not hold ASVspoof \d.* as published, such as .*/: give the fo"
        ):
            listed(corpus, wrong)
    shutil.rmtree(corpus.folder)
    corpus.folder.mkdir()
    for other in MAKERS[name](tmp_path / "again").dataset.rglob(f"*{corpus.suffix}"):
        (corpus.dataset / other.relative_to(tmp_path / "again")).unlink(missing_ok=True)
    with pytest.raises(ValueError, match=r"None of the 24 rows of the protocols of .* has a recording in "):
        listed(corpus)
    assert not (corpus.dataset / FILES_TABLE).exists()


@pytest.mark.parametrize("name", MAKERS)
def test_how_a_protocol_was_saved_changes_no_table(name: str, tmp_path: Path) -> None:
    corpus = MAKERS[name](tmp_path / "corpus")
    expected = listed(corpus).files
    text = corpus.protocol.read_text()
    for saved in ("\ufeff" + text, text.replace("\n", "\r\n"), text + "\n\n", text.rstrip()):
        corpus.protocol.write_bytes(saved.encode())
        assert listed(corpus).files.equals(expected)


@pytest.mark.parametrize("name", MAKERS)
def test_awkward_names_of_recordings_and_people_are_kept(name: str, tmp_path: Path) -> None:
    """A name such as 007 or NA stays text, and a name matches its file in either Unicode form."""
    corpus = MAKERS[name](tmp_path / "corpus")
    rows = corpus.rows()
    old = sorted(corpus.folder.iterdir())[:3]
    for path, awkward in zip(old, ("007", "NA", 'João,"1"'), strict=True):
        places = ((row, place) for row in rows for place in range(len(row)))
        row, place = next((row, place) for row, place in places if row[place].removesuffix(".wav") == path.stem)
        row[place] = row[place].replace(path.stem, normalize("NFD", awkward))
        path.rename(path.with_stem(normalize("NFC", awkward)))
    corpus.write_rows(rows)
    before = listed(corpus).files
    assert len(before) == 24
    assert {"007", "NA", 'João,"1"'} <= {Path(file).stem for file in before["file"]}
    generate_tables(corpus.dataset, corpus.layout)


@pytest.mark.parametrize("name", MAKERS)
def test_links_out_of_the_corpus_are_told_and_left_alone(name: str, tmp_path: Path) -> None:
    corpus = MAKERS[name](tmp_path / "corpus")
    notes = listed(corpus).notes
    shutil.move(corpus.folder, tmp_path / "elsewhere")
    corpus.folder.symlink_to(tmp_path / "elsewhere")
    linked = listed(corpus)
    assert len(linked.files) == 24
    place = corpus.folder.relative_to(corpus.dataset).as_posix()
    assert set(linked.notes) - set(notes) == {f"Links that lead out of the corpus: 1 ({place}/)."}
    assert corpus.folder.is_symlink()
