"""CreateSpoofs copies the bona fide clips that any corpus lists, whatever its folders and whoever speaks."""

from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pytest

from src.audio.io import load_waveform, save_waveform
from src.corpora.sources import read_originals
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.spoofing import create_spoofs
from src.utils.copies import AUGMENTATION
from src.utils.dataset import FILES_TABLE, read_files, read_people, read_rejected


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    with joblib.parallel_config(backend="sequential"):
        yield


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Return a corpus by a table of its own: two bona fide clips of Ana, one of Ben, and a spoof of Ben."""
    dataset = tmp_path / "listed"
    rows = [
        "a/1.wav,real,Ana,,train",
        "a/1_fake.wav,real,Ana,,train",
        "b/1.wav,real,B/en,F,test",
        "b/2.wav,fake,B/en,F,",
    ]
    for number, row in enumerate(rows):
        path = (dataset / row.partition(",")[0]).with_suffix(".flac")
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = 0.1 * np.random.default_rng(number).standard_normal(4000)
        save_waveform(path, sound.astype(np.float32))
    table = dataset / "list.csv"
    table.write_text("\n".join(["file,label,speaker,gender,official", *rows]) + "\n", encoding="utf-8")
    generate_tables(dataset, "generic", {"table": str(table)})
    return dataset


def test_each_bona_fide_clip_of_any_layout_has_a_spoof_by_each_vocoder(listed: Path) -> None:
    made = create_spoofs(listed, vocoder="lpc,amrnb")
    files = read_files(made.folder).set_index("file")
    originals = read_originals(made.folder)
    assert made.n_clips == len(files) == 9
    assert files["label"].value_counts().to_dict() == {"spoof": 6, "bona-fide": 3}
    assert sorted(originals) == sorted(files.index[files["label"] == "spoof"])
    for spoof, original in originals.items():
        assert files.loc[spoof, "system"] in spoof
        for column in ("speaker", "gender", "official"):
            assert files.loc[spoof, column] == files.loc[original, column]
        heard, copied = (load_waveform(made.folder / name) for name in (original, spoof))
        assert np.std(copied) == pytest.approx(np.std(heard), rel=0.01)
    people = read_people(made.folder).set_index("person")
    assert people["spoof_count"].to_dict() == {"Ana_U000": 4, "B/en_F000": 2}
    assert "fake_voices/a/1_fake_lpc.flac" in files.index


def test_it_can_be_repeated_and_leaves_out_what_cannot_be_used_and_augmented_copies(listed: Path) -> None:
    files = read_files(listed)
    files[AUGMENTATION] = ["", "[]", "", ""]
    files.to_csv(listed / FILES_TABLE, index=False)
    (listed / "b/1.flac").write_text("no sound", encoding="utf-8")
    made = create_spoofs(listed, vocoder="lpc")
    before = {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()}
    assert sorted(read_files(made.folder)["file"]) == ["a/1.flac", "fake_voices/a/1_fake.flac"]
    assert sorted(read_rejected(made.folder)) == ["b/1.flac", "fake_voices/b/1_fake.flac"]
    create_spoofs(listed, vocoder="lpc")
    assert {path: path.read_bytes() for path in made.folder.rglob("*") if path.is_file()} == before


def test_a_corpus_that_lists_no_bona_fide_clip_is_refused(listed: Path) -> None:
    files = read_files(listed)
    files[files["label"] == "spoof"].to_csv(listed / FILES_TABLE, index=False)
    with pytest.raises(ValueError, match=r"files-metadata\.csv holds no recording to copy"):
        create_spoofs(listed, vocoder="lpc")
    (listed / FILES_TABLE).unlink()
    with pytest.raises(FileNotFoundError, match=r"has neither real_voices/ nor .*: make .* fab GenerateDatasetCSV"):
        create_spoofs(listed, vocoder="lpc")
