"""A check finds each kind of fault by name, tells what is wrong from what is worth knowing, and writes nothing."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from unicodedata import normalize

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile

from src.corpora import LAYOUTS, Finding, Listing
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.checking import check_corpus
from src.utils.dataset import REJECTED_TABLE, read_files
from tests.corpora.more_stand_ins import WITH_PROTOCOL
from tests.corpora.stand_ins import MAKERS
from tests.tasks.test_command_line import fab

MakeCorpus = Callable[..., Path]
CLIP = "real_voices/Person00_F000/F000-0000.flac"


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    with joblib.parallel_config(backend="sequential"):
        yield


@pytest.fixture
def corpus(make_corpus: MakeCorpus) -> Path:
    return make_corpus(people=2, clips=2, without_spoofs=0)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_sound_corpus_is_clean_by_layout_and_by_table(corpus: Path) -> None:
    by_layout = check_corpus(corpus, "audios")
    assert by_layout.is_clean
    assert str(by_layout) == f"8 clips in {corpus}: nothing is wrong."
    assert not list(corpus.glob("*.csv"))
    generate_tables(corpus)
    assert check_corpus(corpus).is_clean


def damage_and_expect(corpus: Path) -> tuple[str, ...]:
    """Spoil a corpus in every way; return the findings that tell it."""
    other = CLIP.replace("0000", "0001")
    (corpus / other).unlink()
    (corpus / "fake_voices" / "Person00_F000_Fake" / "0_fake.flac").write_bytes(b"no sound " * 100)
    shutil.copy(corpus / CLIP, corpus / "extra.flac")
    soundfile.write(corpus / "fake_voices" / "Person01_M001_Fake" / "1_fake.flac", np.zeros(800), 16_000)
    return (
        "Recordings that no table lists, and which so have no label: 1 (extra.flac).",
        f"Recordings that are listed and missing: 1 ({other}).",
        "Recordings that cannot be used: 2 (",
    )


def test_each_fault_is_found_and_nothing_is_changed(corpus: Path) -> None:
    generate_tables(corpus)
    expected = damage_and_expect(corpus)
    before = contents(corpus)
    check = check_corpus(corpus)
    assert len(check.findings) == len(expected)
    assert all(found.startswith(told) for found, told in zip(check.findings, expected, strict=True))
    assert "0_fake.flac: unreadable" in check.findings[2]
    assert "1_fake.flac: silent" in check.findings[2]
    assert contents(corpus) == before
    assert str(check).endswith(f"8 clips in {corpus}: 3 findings.")
    quick = check_corpus(corpus, listen=False)
    assert quick.findings == check.findings[:2]
    assert str(quick).endswith("2 findings (names and counts alone: no recording was read).")


def test_doubles_are_found_by_content_and_by_name(corpus: Path) -> None:
    (corpus / "fake_voices" / "Person00_F000_Fake" / "copy.flac").write_bytes((corpus / CLIP).read_bytes())
    for name in (normalize("NFD", "Jo\u00e3o.flac"), "JO\u00c3O.wav"):
        path = corpus / "real_voices" / "Person00_F000" / name
        soundfile.write(path, np.random.default_rng(len(name)).uniform(-0.5, 0.5, 800), 16_000)
    first, second = check_corpus(corpus, "audios").findings
    assert first.startswith("Recordings whose names differ in suffix, case or Unicode form alone: 1 (real_v")
    same = f"Recordings with the same content: 1 ({CLIP} = fake_voices/Person00_F000_Fake/copy.flac)."
    assert second == same


def test_what_an_earlier_step_left_out_is_told_again(corpus: Path) -> None:
    (corpus / CLIP).write_bytes(b"")
    generate_tables(corpus)
    assert (corpus / REJECTED_TABLE).is_file()
    assert check_corpus(corpus).findings == (
        f"Recordings that an earlier step found unusable: 1 ({CLIP}: empty (no bytes)).",
    )


def test_notes_inform_and_findings_count(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def layout(dataset: Path) -> Listing:
        generate_tables(dataset)
        files = read_files(dataset).assign(official="train")
        return Listing(files, ("A word.", Finding("A fault.")), published={"train": (4, 5), "": (4, 4)})

    monkeypatch.setattr("src.corpora.speech_commands.read_layout", layout)
    assert "speech_commands" in LAYOUTS
    check = check_corpus(corpus, "speech_commands", listen=False)
    assert check.notes == ("A word.",)
    assert check.findings == (
        "A fault.",
        "train: 4 + 4 clips (bona fide + spoof), where 4 + 5 were published.",
    )
    assert check.counts.to_numpy().tolist() == [["train", "4 + 5", "4 + 4"], ["all", "4 + 4", "4 + 4"]]
    assert str(check).splitlines()[0].split() == ["split", "published", "found"]


PUBLIC = {**MAKERS, **WITH_PROTOCOL}


@pytest.mark.parametrize("name", PUBLIC)
def test_of_a_small_stand_in_the_counts_alone_are_wrong(name: str, tmp_path: Path) -> None:
    corpus = PUBLIC[name](tmp_path / "corpus")
    options = getattr(corpus, "options", {})
    check = check_corpus(corpus.dataset, corpus.layout, options, listen=False)
    assert len(check.findings) == len(check.counts)
    assert all("clips (bona fide + spoof), where" in finding for finding in check.findings)
    (corpus.folder / f"007{corpus.suffix}").write_bytes(b"sound")
    more = check_corpus(corpus.dataset, corpus.layout, options, listen=False).findings
    assert set(check.findings) < set(more)
    assert "does not list, passed over: 1 (" in more[0]


def test_exit_codes_tell_clean_from_findings_from_errors(corpus: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from src.tasks.checks import check_dataset

    check = f"CheckDataset --dataset={corpus}"
    assert fab(f"{check} --layout=audios --jobs=1", check_dataset) == 0
    assert fab(check, check_dataset) == 2
    assert "has no files-metadata.csv: name its --layout, or make its tables" in capfd.readouterr().err
    generate_tables(corpus)
    (corpus / CLIP).unlink()
    assert fab(f"{check} --quick", check_dataset) == 3
    shown = capfd.readouterr()
    assert "Finding: Recordings that are listed and missing: 1" in shown.out
    assert not shown.err.strip()
    assert fab(f"{check} --layout=tapes", check_dataset) == 2
    assert pd.Series(capfd.readouterr().err).str.contains("Unknown layout 'tapes'").all()
