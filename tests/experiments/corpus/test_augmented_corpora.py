"""A corpus with augmented copies: training alone gets them, the table plays them again, the original corpus stays."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile

from src.audio.augment import EFFECTS, contract
from src.audio.augment.contract import Effect
from src.audio.io import load_waveform
from src.experiments.corpus.augmentation import augment_dataset
from src.experiments.corpus.catalogue import add_duration, generate_tables
from src.experiments.corpus.copies import Augmenting, draw_copies, replay
from src.experiments.corpus.dealing import SplitShares
from src.experiments.corpus.splits import DOWNSTREAM, read_split, split_dataset, split_notes, split_table
from src.experiments.evaluation.benchmark_setting import protocol_of
from src.utils.copies import AUGMENTATION, COPY_OF, are_copies, fit_for
from src.utils.dataset import FILES_TABLE, person_of, read_files, write_table
from src.utils.files import read_json, write_json
from src.utils.recipes import name_of

HEARD = json.dumps(
    [
        {"probability": 0.9, "one_of": [{"effect": "white", "parameters": {"snr": {"from": 5, "to": 30}}}]},
        {"probability": 0.5, "one_of": [{"effect": "level", "parameters": {"dbfs": {"from": -40, "to": -20}}}]},
    ]
)
TWICE = Augmenting(HEARD, copies=2)
SHARES = SplitShares(pretext=0, train=0.5, val=0.25)
SAME = ["label", "gender", "system", "speaker", "id"]


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    with joblib.parallel_config(backend="sequential"):
        yield


@pytest.fixture
def corpus(make_corpus: Callable[..., Path]) -> Path:
    dataset = make_corpus("mini", people=6, clips=2)
    generate_tables(dataset)
    add_duration(dataset, jobs=1)
    return dataset


def state_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_only_training_gets_copies_and_the_splits_are_passed_on(corpus: Path) -> None:
    split_dataset(corpus, SHARES, seed=7)
    before = state_of(corpus)
    made = augment_dataset(corpus, how=TWICE).folder
    assert state_of(corpus) == before
    files = read_files(made).set_index("file", drop=False)
    train = read_split(corpus, DOWNSTREAM[0])
    assert are_copies(files).sum() == 2 * len(train) and len(files) == len(read_files(corpus)) + 2 * len(train)
    for split in DOWNSTREAM:
        rows, originals = read_split(made, split), read_split(corpus, split)
        assert set(person_of(rows)) == set(person_of(originals))
        assert are_copies(rows).any() == (split == DOWNSTREAM[0])
        assert set(rows["file"][~are_copies(rows)]) == set(originals["file"])
    copies = files[are_copies(files)]
    own = files.loc[copies[COPY_OF], SAME].reset_index(drop=True)
    pd.testing.assert_frame_equal(copies[SAME].reset_index(drop=True), own)
    assert (copies["duration"] == files.loc[copies[COPY_OF], "duration"].to_numpy()).all()
    assert split_notes(made) == []


@pytest.mark.filterwarnings("ignore:Validation h", "ignore:Only 1 system")
def test_what_a_split_is_is_passed_on(corpus: Path) -> None:
    files = read_files(corpus)
    systems = np.where(files["label"] == "spoof", np.where(files.index % 2, "melgan", "world"), "")
    write_table(corpus / FILES_TABLE, files.assign(system=systems))
    split_dataset(corpus, replace(SHARES, hold_out="system"), seed=7)
    note = corpus / "splits" / "recipe.json"
    write_json(note, read_json(note) | {"official": True})
    made = augment_dataset(corpus, how=Augmenting(HEARD)).folder
    origin = {"from": corpus.name, "step": "AugmentDataset"}
    assert read_json(made / "splits" / "recipe.json") == read_json(note) | origin
    assert sum(len(read_split(corpus, split)) for split in DOWNSTREAM) < len(files), "some clips are left out"
    assert split_notes(corpus) == split_notes(made) == []
    assert protocol_of(made, DOWNSTREAM[2]) == "official split, downstream_test"


def test_a_corpus_that_is_dealt_anew_keeps_no_copy_in_which_people_of_other_splits_are_heard() -> None:
    def cell(*effects: str) -> str:
        return json.dumps([{"effect": effect, "parameters": {}, "seed": 1, "recordings": []} for effect in effects])

    cells = ["", cell("white"), cell("room", "babble"), cell("level")]
    files = pd.DataFrame({"file": list("abcd"), AUGMENTATION: cells})
    with pytest.warns(UserWarning, match=r"downstream_train: 1 augmented copies are left out"):
        assert fit_for("downstream_train", files)["file"].tolist() == ["a", "b", "d"]
    assert fit_for("downstream_test", files)["file"].tolist() == ["a"]
    assert fit_for("downstream_train", files[["file"]])["file"].tolist() == list("abcd")


def test_a_corpus_that_is_a_test_alone_gets_no_copies(corpus: Path) -> None:
    split_dataset(corpus, SHARES, seed=7)
    for split in DOWNSTREAM[:2]:
        split_table(corpus, split).unlink()
    with pytest.raises(ValueError, match="has no split to train on, and only such get copies: it has downstream_test"):
        augment_dataset(corpus, how=TWICE)


def test_a_folder_of_noise_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*musan"):
        Augmenting(HEARD, noises=tmp_path / "musan")


def test_the_table_plays_every_copy_again(corpus: Path) -> None:
    split_dataset(corpus, SHARES, seed=7)
    made = augment_dataset(corpus, how=TWICE).folder
    copies = read_files(made)[lambda files: are_copies(files)]
    assert len(set(copies[AUGMENTATION])) > len(copies) // 2
    for row in copies.to_dict("records"):
        again = replay(corpus, row[AUGMENTATION], load_waveform(corpus / row[COPY_OF]))
        written, _ = soundfile.read(made / row["file"], dtype="int16")
        np.testing.assert_allclose(again * 32768, written, atol=1.0)


def test_the_same_seed_gives_the_same_bytes_and_more_copies_leave_the_first_as_they_are(corpus: Path) -> None:
    split_dataset(corpus, SHARES, seed=7)
    one, two = (augment_dataset(corpus, corpus.parent / name, TWICE).folder for name in ("one", "two"))
    assert state_of(one) == state_of(two)
    single = augment_dataset(corpus, corpus.parent / "single", Augmenting(HEARD)).folder
    ending = f"_{name_of(HEARD)}1.flac"
    first = {name: content for name, content in state_of(one).items() if name.endswith(ending)}
    assert first and first.items() <= state_of(single).items()
    other = augment_dataset(corpus, corpus.parent / "other", Augmenting(HEARD, copies=2, seed=8)).folder
    assert state_of(other) != state_of(one)


def test_killed_it_resumes_to_the_same_corpus(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from src.experiments.corpus import derivation

    split_dataset(corpus, SHARES, seed=7)
    whole = state_of(augment_dataset(corpus, corpus.parent / "whole", TWICE).folder)
    save, written = derivation.save_waveform, []

    def killed(path: Path, waveform: np.ndarray) -> None:
        if len(written) == 15:
            raise KeyboardInterrupt
        written.append(path)
        save(path, waveform)

    monkeypatch.setattr(derivation, "save_waveform", killed)
    with pytest.raises(KeyboardInterrupt):
        augment_dataset(corpus, corpus.parent / "killed", TWICE)
    monkeypatch.setattr(derivation, "save_waveform", save)
    assert state_of(augment_dataset(corpus, corpus.parent / "killed", TWICE).folder) == whole
    with pytest.raises(ValueError, match="made from other clips or with other settings"):
        augment_dataset(corpus, corpus.parent / "killed", Augmenting(HEARD))


def test_copies_of_another_split_are_not_kept(corpus: Path) -> None:
    split_dataset(corpus, SHARES, seed=7)
    made = augment_dataset(corpus, how=Augmenting(HEARD)).folder
    before = state_of(made)
    assert state_of(augment_dataset(corpus, how=Augmenting(HEARD)).folder) == before
    split_dataset(corpus, SHARES, seed=9)
    with pytest.raises(ValueError, match=r"made from other clips or with other settings.*another `output` or delete"):
        augment_dataset(corpus, how=Augmenting(HEARD))
    assert state_of(made) == before


def test_a_corpus_that_is_not_split_gets_copies_that_no_test_will_hold(corpus: Path) -> None:
    made = augment_dataset(corpus, how=Augmenting(HEARD)).folder
    files = read_files(made)
    assert are_copies(files).sum() == len(files) // 2
    splits = split_dataset(made, SHARES, seed=7)
    assert [bool(are_copies(splits[split]).any()) for split in DOWNSTREAM] == [True, False, False]
    assert split_notes(made) == []
    generate_tables(made)
    again = read_files(made)
    assert again[AUGMENTATION].tolist() == files.set_index("file").loc[again["file"], AUGMENTATION].tolist()


@pytest.fixture
def murmur(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a recipe of an effect that mixes in people, and of one that changes the length."""
    found = contract.find_effect
    mixing = Effect(lambda waveform, rate, rng, recordings: waveform + recordings[0], "", {}, (), draws="people")
    longer = Effect(lambda waveform, rate, rng: np.resize(waveform, 2 * len(waveform)), "", {}, (), keeps_length=False)
    own = {"murmur": mixing, "twice": longer}
    for place in ("contract", "steps", "recipes"):
        monkeypatch.setattr(f"src.audio.augment.{place}.find_effect", lambda name: own.get(name) or found(name))
    monkeypatch.setattr("src.experiments.corpus.copies.find_effect", lambda name: own.get(name) or found(name))
    for name in own:
        monkeypatch.setitem(EFFECTS, name, "")
    return json.dumps([{"probability": 1, "one_of": [{"effect": name, "parameters": {}}]} for name in own])


def test_babble_is_of_other_people_of_the_split_and_needs_one(corpus: Path, murmur: str) -> None:
    how = Augmenting(murmur)
    with pytest.raises(ValueError, match=r"mixes in other people's speech.*run fab SplitDataset"):
        augment_dataset(corpus, how=how)
    split_dataset(corpus, SHARES, seed=7)
    train = read_split(corpus, DOWNSTREAM[0])
    owner = dict(zip(train["file"], person_of(train), strict=True))
    for file, (mixed, _) in zip(train["file"], draw_copies(corpus, train, how, 1), strict=True):
        (heard,) = mixed.files
        assert heard.startswith("real_voices/") and owner[heard] != owner[file]


def test_of_partly_spoofed_clips_no_effect_changes_the_length(corpus: Path, murmur: str) -> None:
    rows = read_files(corpus)
    how = Augmenting(murmur)
    assert {len(steps) for steps in draw_copies(corpus, rows, how, 1)} == {2}
    spans = ["0.1-0.2" if label == "spoof" else "" for label in rows["label"]]
    assert {len(steps) for steps in draw_copies(corpus, rows.assign(segments=spans), how, 1)} == {1}


def test_what_cannot_be_done_is_told(corpus: Path) -> None:
    with pytest.raises(ValueError, match="`copies` must be 1 or more, not 0"):
        Augmenting(copies=0)
    with pytest.raises(ValueError, match="Unknown recipe 'fields'"):
        Augmenting("fields")
    with pytest.raises(ValueError, match="must lie outside"):
        augment_dataset(corpus, corpus / "inside", TWICE)
