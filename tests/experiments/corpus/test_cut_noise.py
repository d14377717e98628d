"""Words and noise: the noise is cut into seconds, splits keep its clips together, and all tasks work on the tables."""

import json
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile

from src.audio.io import SPEECH_RATE, load_waveform, read_header
from src.experiments.corpus import derivation
from src.experiments.corpus.dealing import SplitShares, deal_people
from src.experiments.corpus.noise_cutting import cut_noise
from src.experiments.corpus.splits import DOWNSTREAM, read_split, split_dataset
from src.experiments.corpus.transforms import normalize_dataset
from src.utils.classes import read_classes
from src.utils.dataset import read_files, read_rejected
from src.utils.people import people_of
from tests.conftest import tone
from tests.typed import run_fab

THREE = SplitShares(pretext=0, train=0.5, val=0.25)
LENGTHS = {"hum": 3.0, "rain": 2.7, "fan": 4.2, "tap": 3.0}
"""Seconds of each recording of noise."""


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    """Keep all work in the test's own process: there it is quick, and can be made to fail."""
    with joblib.parallel_config(backend="sequential"):
        yield


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Return two words by eight people, which are tones, and four recordings of noise, one at another rate."""
    dataset = tmp_path / "datasets" / "words"
    rng = np.random.default_rng(7)
    for place, word in enumerate(("yes", "no")):
        (dataset / word).mkdir(parents=True)
        for person in range(8):
            waveform = tone(10 * person + place, noise=0.01, seconds=1.0)
            soundfile.write(dataset / word / f"{person:08x}_nohash_0.wav", waveform, SPEECH_RATE)
    (dataset / "_background_noise_").mkdir()
    for name, seconds in LENGTHS.items():
        rate = 44_100 if name == "fan" else SPEECH_RATE
        noise = 0.1 * rng.standard_normal(round(seconds * rate))
        soundfile.write(dataset / "_background_noise_" / f"{name}.wav", noise, rate)
    (dataset / "testing_list.txt").write_text("yes/00000000_nohash_0.wav\n")
    return dataset


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_noise_is_cut_into_whole_seconds_and_words_are_kept(corpus: Path) -> None:
    before = contents(corpus)
    made = cut_noise(corpus)
    assert contents(corpus) == before
    assert made.folder == corpus.with_name("words_cut")
    files = read_files(made.folder)
    assert made.n_clips == len(files) == 16 + 3 + 2 + 4 + 3
    assert {
        (read_header(made.folder / file).duration, read_header(made.folder / file).encoding) for file in files["file"]
    } == {(1.0, "FLAC PCM_16")}
    whole = load_waveform(corpus / "_background_noise_" / "hum.wav")
    parts = [load_waveform(made.folder / "_background_noise_" / "hum" / f"{n:04d}.flac") for n in range(3)]
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=2**-14)
    assert files["official"].value_counts().to_dict() == {"train": 15, "": 12, "test": 1}
    assert read_classes(made.folder) == {1: "word", 0: "noise"}


def test_a_recording_at_another_rate_is_cut_as_it_sounds_whole(corpus: Path) -> None:
    folder = cut_noise(corpus).folder / "_background_noise_" / "fan"
    whole = load_waveform(corpus / "_background_noise_" / "fan.wav")
    parts = np.concatenate([load_waveform(path) for path in sorted(folder.iterdir())])
    np.testing.assert_allclose(parts, whole[: len(parts)], atol=1e-3)


def test_a_killed_step_run_again_gives_what_an_uninterrupted_one_gives(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = contents(cut_noise(corpus, corpus.with_name("undisturbed")).folder)
    killed = corpus.with_name("killed")
    save = derivation.save_waveform

    def die_late(path: Path, waveform: np.ndarray) -> None:
        save(path, waveform)
        if len(list(killed.rglob("*.flac"))) == 20:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(derivation, "save_waveform", die_late)
        with pytest.raises(KeyboardInterrupt):
            cut_noise(corpus, killed)
    times = {path: path.stat().st_mtime_ns for path in killed.rglob("*.flac") if not path.name.startswith(".")}
    cut_noise(corpus, killed)
    assert contents(killed) == expected
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_what_cannot_be_cut_is_left_out_by_name(corpus: Path) -> None:
    rain = corpus / "_background_noise_" / "rain.wav"
    sound = np.concatenate([np.zeros(SPEECH_RATE), 0.1 * np.ones(800), -0.1 * np.ones(SPEECH_RATE)])
    soundfile.write(rain, sound, SPEECH_RATE)
    (corpus / "_background_noise_" / "tap.wav").write_bytes(b"no sound" * 100)
    made = cut_noise(corpus)
    reasons = read_rejected(made.folder)
    assert list(reasons) == ["_background_noise_/rain/0000.flac", "_background_noise_/tap.wav"]
    assert reasons["_background_noise_/rain/0000.flac"].startswith("silent")
    before = contents(made.folder)
    cut_noise(corpus)
    assert contents(made.folder) == before


def test_without_noise_there_is_nothing_to_do(corpus: Path) -> None:
    for path in (corpus / "_background_noise_").iterdir():
        soundfile.write(path, np.ones(800), SPEECH_RATE)
    with pytest.raises(ValueError, match="_background_noise_ holds no recording of a second or more to cut"):
        cut_noise(corpus)


def test_every_split_has_words_and_noise_and_nobody_is_in_two(corpus: Path) -> None:
    folder = cut_noise(corpus).folder
    splits = split_dataset(folder, THREE, seed=7)
    owners = pd.concat([rows.assign(split=split) for split, rows in splits.items()]).groupby("speaker")["split"]
    assert (owners.nunique() == 1).all()
    assert len(owners) == 12
    assert all(set(read_split(folder, split)["label"]) == {"bona-fide", "spoof"} for split in DOWNSTREAM)
    assert [read_split(folder, split)["word"].ne("").sum() for split in DOWNSTREAM] == [8, 4, 4]


def test_classes_dealt_apart_follow_the_shares_each(corpus: Path) -> None:
    people = people_of(read_files(cut_noise(corpus).folder))
    dealt = deal_people(people, THREE, np.random.default_rng(0), apart=True)
    counts = {
        split: ((rows["bonafide_count"] > 0).sum(), (rows["spoof_count"] > 0).sum()) for split, rows in dealt.items()
    }
    assert counts == {"downstream_train": (4, 2), "downstream_val": (2, 1), "downstream_test": (2, 1)}
    together = deal_people(people, THREE, np.random.default_rng(0))
    assert (together["downstream_train"]["bonafide_count"] == 0).all(), "elsewhere people without spoofs are tested"


def test_a_derived_corpus_keeps_words_and_classes(corpus: Path) -> None:
    folder = cut_noise(corpus).folder
    made = normalize_dataset(folder).folder
    assert read_classes(made) == read_classes(folder)
    assert read_files(made)["word"].tolist() == read_files(folder)["word"].tolist()


@pytest.mark.usefixtures("one_thread")
@pytest.mark.filterwarnings("ignore:The EER is", "ignore:There are only")
def test_a_model_of_words_is_trained_and_tested_by_the_usual_tasks(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fab(arguments: str) -> int:
        return run_fab(arguments, tmp_path, monkeypatch)

    where = "--dataset=datasets/words_cut"
    assert fab("CutNoise --dataset=datasets/words") == 0
    assert fab(f"GenerateDatasetCSV {where} --layout=speech_commands --positive-label=word") == 0
    assert fab(f"SplitDataset {where} --pretext=0 --train=0.5 --val=0.25") == 0
    assert fab(f"GenerateEmbeddings {where} --backbone=lfcc") == 0
    assert fab(f"TrainModel {where} --backbone=lfcc --classifier=lr") == 0
    assert fab("TestModel --run=run0") == 0
    by_word = json.loads((tmp_path / "runs" / "run0" / "test_results.json").read_text())["breakdowns"]["word"]
    assert list(by_word) == ["no", "yes"]
    assert all({"eer", "accuracy"} <= metrics.keys() for metrics in by_word.values())
    assert [metrics["n_bonafide"]["value"] for metrics in by_word.values()] == [2, 2]
    assert fab("ReportRuns") == 0
    assert "By word" in (tmp_path / "runs" / "run0" / "report.html").read_text()
    assert fab(f"GenerateDatasetCSV {where} --layout=speech_commands --positive-label=maybe") == 2
    assert "--positive-label must be word, which is any of them, or one of no, yes" in capsys.readouterr().err
