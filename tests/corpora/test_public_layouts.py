"""Public corpora as they are published become correct tables: every recording once, with person, label and system."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from src.corpora import Finding, Listing
from src.corpora.reading import read_corpus
from src.experiments.corpus.catalogue import generate_tables
from src.utils.dataset import read_files, read_people
from tests.corpora.more_stand_ins import (
    WITH_PROTOCOL,
    Written,
    fake_or_real,
    in_the_wild,
    mlaad,
    partialspoof,
    wavefake,
)


def listed(corpus: Written) -> Listing:
    return read_corpus(corpus.dataset, corpus.layout, corpus.options)


def row(files: pd.DataFrame, file: str) -> dict[str, str]:
    (found,) = files[files["file"] == file].to_dict("records")
    return {name: cell for name, cell in found.items() if name != "file"}


@pytest.mark.parametrize("name", WITH_PROTOCOL)
def test_tables_are_written_and_read_back_and_the_corpus_is_only_read(name: str, tmp_path: Path) -> None:
    corpus = WITH_PROTOCOL[name](tmp_path / "corpus")
    before = {path: path.read_bytes() for path in corpus.dataset.rglob("*") if path.is_file()}
    listing = listed(corpus)
    made = generate_tables(corpus.dataset, corpus.layout, corpus.options)
    files = read_files(corpus.dataset)
    pd.testing.assert_frame_equal(files, listing.files, check_dtype=False)
    assert files["file"].is_monotonic_increasing
    assert files["file"].is_unique
    assert len(read_people(corpus.dataset)) == made.n_people == files["speaker"].nunique()
    assert {path: path.read_bytes() for path in before} == before
    assert not any(isinstance(note, Finding) for note in listing.notes)


def test_in_the_wild(tmp_path: Path) -> None:
    corpus = in_the_wild(tmp_path / "corpus")
    listing = listed(corpus)
    assert row(listing.files, "release_in_the_wild/2.wav") == {
        "speaker": "Alec Guinness_U000", "id": "U000", "gender": "U", "label": "spoof", "system": "",
    }  # fmt: skip
    assert listing.files.groupby(["speaker", "label"]).size().tolist() == [2] * 4
    assert listing.published == {"": (19963, 11816)}
    inside = read_corpus(corpus.folder, "in_the_wild").files
    assert ("release_in_the_wild/" + inside["file"]).tolist() == listing.files["file"].tolist()


def test_partialspoof_with_its_segments(tmp_path: Path) -> None:
    corpus = partialspoof(tmp_path / "corpus")
    listing = listed(corpus)
    assert row(listing.files, "train/con_wav/CON_T_0000002.wav") == {
        "speaker": "LA_01_U000", "id": "U000", "gender": "U", "label": "spoof", "system": "CON",
        "segments": "0.1-0.2;0.3-0.5", "official": "train",
    }  # fmt: skip
    genuine = row(listing.files, "eval/con_wav/LA_E_0000000.wav")
    assert (genuine["label"], genuine["segments"], genuine["official"]) == ("bona-fide", "", "test")
    assert listing.files["official"].value_counts().to_dict() == {"train": 8, "validation": 8, "test": 8}
    assert listing.published["test"] == (7355, 63882)
    shutil.move(corpus.dataset, tmp_path / "above" / "database")
    above = read_corpus(tmp_path / "above", "partialspoof").files
    assert above["file"].tolist() == [f"database/{file}" for file in listing.files["file"]]


def test_segments_that_contradict_the_protocol_are_told(tmp_path: Path) -> None:
    corpus = partialspoof(tmp_path / "corpus")
    path = corpus.dataset / "segment_labels" / "train_seglab_0.01.npy"
    labels = np.load(path, allow_pickle=True).item()
    labels["CON_T_0000002"] = np.ones(50, int)
    labels["LA_T_0000000"] = np.array([0, 1])
    np.save(path, labels, allow_pickle=True)
    listing = listed(corpus)
    told = "Clips whose segment labels contradict the protocol, which counts: 2 (LA_T_0000000, ...)."
    assert told in listing.notes
    cells = listing.files.set_index("file")[["label", "segments"]]
    assert cells.loc["train/con_wav/CON_T_0000002.wav"].tolist() == ["spoof", ""]
    assert cells.loc["train/con_wav/LA_T_0000000.wav"].tolist() == ["bona-fide", ""]


def test_coarser_labels_serve_where_the_finest_are_not_there(tmp_path: Path) -> None:
    corpus = partialspoof(tmp_path / "corpus")
    labels = corpus.dataset / "segment_labels"
    (labels / "train_seglab_0.01.npy").unlink()
    coarse = {"CON_T_0000002": np.array([1, 0, 0, 1]), "CON_T_0000003": np.array([1, 1, 1, 1])}
    np.save(labels / "train_seglab_0.04.npy", coarse, allow_pickle=True)
    (labels / "dev_seglab_0.01.npy").rename(labels / "dev_seglab_0.64.npy")
    listing = listed(corpus)
    cells = listing.files.set_index("file")["segments"]
    assert cells["train/con_wav/CON_T_0000002.wav"] == "0.04-0.12"
    assert (cells[cells.index.str.startswith("dev/")] == "").all()
    assert "No segment labels for dev (segment_labels/dev_seglab_0.01.npy)." in listing.notes
    assert any(note.startswith("Spoofs without segment labels: ") for note in listing.notes)
    coarse["CON_T_0000002"] = np.array(["1", "2"])
    np.save(labels / "train_seglab_0.04.npy", coarse, allow_pickle=True)
    with pytest.raises(
        ValueError, match=r"0\.04\.npy, CON_T_0000002: a segment's label must be 0 \(spoof\) or 1, not '2'"
    ):
        listed(corpus)


def test_mlaad_with_readers_beside_it(tmp_path: Path) -> None:
    corpus = mlaad(tmp_path / "corpus")
    files = listed(corpus).files
    assert row(files, "fake/de/vits--thorsten/a_1.wav") == {
        "speaker": "vits--thorsten-de_U000", "id": "U000", "gender": "U", "label": "spoof", "system": "tts/vits",
        "language": "de", "architecture": "vits",
    }  # fmt: skip
    assert row(files, "de_DE/by_book/female/eva_k/book/wavs/b_0.wav") == {
        "speaker": "eva_k_F000", "id": "F000", "gender": "F", "label": "bona-fide", "system": "", "language": "de",
        "architecture": "",
    }  # fmt: skip
    assert row(files, "de_DE/by_book/mix/tales/wavs/b_0.wav")["speaker"] == "de_DE-tales_U000"
    assert files["speaker"].nunique() == 6, "a model in two languages is two people"
    shutil.rmtree(corpus.dataset / "de_DE")
    alone = listed(corpus)
    assert set(alone.files["label"]) == {"spoof"}
    assert alone.notes == (
        "Models that are several people, one in each language, whom SplitDataset may put into several splits (to judge "
        "by models that were not heard, run fab CrossValidate --by=system): 1 (tts/bark).",
        "There is no genuine speech: put M-AILABS beside fake/ (en_UK/by_book/...), or test a run on spoofs alone.",
    )


def test_wavefake(tmp_path: Path) -> None:
    listing = read_corpus(wavefake(tmp_path), "wavefake")
    files = listing.files
    assert row(files, "generated_audio/jsut_parallel_wavegan/BASIC5000_0002_gen.wav") == {
        "speaker": "JSUT_F000", "id": "F000", "gender": "F", "label": "spoof", "system": "parallel_wavegan",
    }  # fmt: skip
    assert files.groupby("speaker")["label"].value_counts().to_dict() == {
        ("JSUT_F000", "bona-fide"): 2, ("JSUT_F000", "spoof"): 2,
        ("LJSpeech_F000", "bona-fide"): 2, ("LJSpeech_F000", "spoof"): 6,
    }  # fmt: skip
    assert set(files["system"]) - {""} == {
        "melgan", "hifiGAN", "parallel_wavegan", "common_voices_prompts_from_conformer_fastspeech2_pwg_ljspeech",
    }  # fmt: skip
    assert listing.notes == ()
    assert listing.published == {"": (18100, 117985)}
    assert generate_tables(tmp_path, "wavefake").n_people == 2


def test_faults_of_wavefake_have_a_line_each(tmp_path: Path) -> None:
    wavefake(tmp_path)
    (tmp_path / "LJSpeech-1.1" / "wavs" / "LJ001-0002.wav").unlink()
    made = tmp_path / "generated_audio"
    for extra in ("loose.wav", ".DS_Store", "ljspeech_melgan/LJ001-0001_gen.flac", "vctk_melgan/p225_gen.wav"):
        (made / extra).parent.mkdir(exist_ok=True)
        (made / extra).write_bytes(b"sound")
    shutil.rmtree(tmp_path / "jsut_ver1.1")
    listing = read_corpus(tmp_path, "wavefake")
    assert all(isinstance(note, Finding) for note in listing.notes)
    assert listing.notes == (
        "There is no genuine speech of JSUT: put it in jsut_ver1.1/basic5000/wav/.",
        "Spoofs whose original is missing: 2 (generated_audio/ljspeech_hifiGAN/LJ001-0002_gen.wav, ...).",
        "Recordings passed over, outside any vocoder's folder: 1 (generated_audio/loose.wav).",
        "Recordings of a name that another one in their folder bears: 1 "
        "(generated_audio/ljspeech_melgan/LJ001-0001_gen.wav).",
        "Folders that name neither ljspeech nor jsut, each taken for a person: 1 (generated_audio/vctk_melgan/).",
    )
    assert row(listing.files, "generated_audio/vctk_melgan/p225_gen.wav")["speaker"] == "vctk_melgan_U000"
    with pytest.raises(
        FileNotFoundError, match=r"does not hold WaveFake as published, such as generated_audio/ljspeech"
    ):
        read_corpus(made, "wavefake")
    shutil.rmtree(made)
    made.mkdir()
    with pytest.raises(ValueError, match="holds no recording in a folder such as ljspeech_melgan/"):
        read_corpus(tmp_path, "wavefake")


OWN_PEOPLE = "Nobody says who speaks in 12 of 12 recordings, so each of them counts as a person of its own: one voice "


@pytest.mark.parametrize("nest", ["for-norm", "for-norm/for-norm", "for-rerec/for-rerecorded"])
def test_fake_or_real(nest: str, tmp_path: Path) -> None:
    fake_or_real(tmp_path / nest)
    for dataset in (tmp_path, tmp_path / nest):
        listing = read_corpus(dataset, "fake_or_real")
        start = f"{nest}/" if dataset == tmp_path else ""
        found = row(listing.files, f"{start}validation/fake/file1.wav_16k.wav_norm.wav")
        assert (found["label"], found["system"], found["official"]) == ("spoof", "", "validation")
        assert listing.files.groupby(["official", "label"]).size().tolist() == [2] * 6
        assert listing.files["speaker"].nunique() == 12
        assert listing.notes[0].startswith(OWN_PEOPLE)
        assert sum(map(sum, listing.published.values())) == (13268 if "rerec" in nest else 69300)
    assert generate_tables(tmp_path, "fake_or_real").n_people == 12


def test_faults_of_fake_or_real_have_a_line_each(tmp_path: Path) -> None:
    corpus = fake_or_real(tmp_path / "for-2sec")
    shutil.rmtree(corpus / "testing" / "real")
    for extra in ("training/loose.wav", "training/.hidden.wav", "training/real/file1.wav_16k.wav_norm.flac"):
        (corpus / extra).write_bytes(b"sound")
    findings = [note for note in read_corpus(corpus, "fake_or_real").notes if isinstance(note, Finding)]
    assert findings == [
        "Folders without a recording: 1 (testing/real/).",
        "Recordings passed over, beside real/ and fake/: 1 (training/loose.wav).",
        "Recordings of a name that another one in their folder bears: 1 (training/real/file1.wav_16k.wav_norm.wav).",
    ]
    fake_or_real(tmp_path / "for-norm")
    with pytest.raises(ValueError, match=r"holds for-2sec and for-norm, versions of the same recordings: give one as"):
        read_corpus(tmp_path, "fake_or_real")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="does not hold Fake-or-Real as published, such as training/real/ and"):
        read_corpus(tmp_path / "empty", "fake_or_real")
    (tmp_path / "empty" / "training" / "real").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds no recording in training/real/ or in any of the other five folders"):
        read_corpus(tmp_path / "empty", "fake_or_real")


@pytest.mark.parametrize(("make", "layout"), [(wavefake, "wavefake"), (fake_or_real, "fake_or_real")])
def test_links_out_of_a_corpus_without_protocol_are_told(
    make: Callable[[Path], Path], layout: str, tmp_path: Path
) -> None:
    corpus = make(tmp_path / "corpus")
    before = read_corpus(corpus, layout)
    clip = corpus / before.files["file"].iloc[0]
    shutil.move(clip, tmp_path / "elsewhere.wav")
    clip.symlink_to(tmp_path / "elsewhere.wav")
    after = read_corpus(corpus, layout)
    pd.testing.assert_frame_equal(after.files, before.files)
    assert f"Links that lead out of the corpus: 1 ({before.files['file'].iloc[0]})." in after.notes
