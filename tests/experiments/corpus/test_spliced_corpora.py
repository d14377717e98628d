"""Spliced corpora: partly spoofed clips whose `segments` are true, spliced bona fide clips, no new people."""

from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile

from src.audio.io import SPEECH_RATE, load_waveform
from src.experiments.corpus import derivation
from src.experiments.corpus.catalogue import add_amplitude, add_duration, generate_tables
from src.experiments.corpus.splicing import draw_pairs, splice_spoofs
from src.experiments.corpus.splits import DOWNSTREAM, SplitShares, read_split, split_dataset
from src.experiments.corpus.transforms import add_noise_to_dataset, normalize_dataset
from src.metrics.spans import cell_labels
from src.utils.dataset import FILES_TABLE, read_files, read_people, read_rejected, write_table
from src.utils.segments import parse_segments

MakeCorpus = Callable[..., Path]


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    """Keep all work in the test's own process: there it is quick, and can be made to fail."""
    with joblib.parallel_config(backend="sequential"):
        yield


@pytest.fixture
def corpus(make_corpus: MakeCorpus) -> Path:
    """Return a corpus of 13 people, one of them without spoofs, whose bona fide clips are low tones and spoofs high."""
    dataset = make_corpus("old", people=13, clips=2)
    time = np.arange(SPEECH_RATE) / SPEECH_RATE
    for number, path in enumerate(sorted(dataset.rglob("*.flac"))):
        pitch = (500 if "real_voices" in str(path) else 3000) + number
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch * time), SPEECH_RATE)
    systems = [f"{path.relative_to(dataset)},xtts" for path in dataset.rglob("*_fake.flac")]
    (dataset / "SOURCES.csv").write_text("\n".join(["file,system", *systems]))
    generate_tables(dataset)
    return dataset


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_high(waveform: np.ndarray, hop: int = 80) -> np.ndarray:
    """Return for every 5 ms whether the high tone is all that is heard there, or nearly so."""
    steps = np.abs(np.diff(waveform, append=waveform[-1])).reshape(-1, hop).mean(axis=1)
    return np.asarray(steps / np.abs(waveform).reshape(-1, hop).mean(axis=1) > 0.7)


def test_segments_are_where_the_spoof_is_heard(corpus: Path) -> None:
    made = splice_spoofs(corpus, clips=30)
    files = read_files(made.folder)
    assert made.n_clips == len(files) == 60
    assert (files["label"] == "spoof").sum() == 30
    n_at_start = 0
    for row in files.itertuples():
        high = is_high(load_waveform(made.folder / row.file))
        if row.label == "bona-fide":
            assert row.segments == ""
            assert not high.any()
            continue
        spans = parse_segments(row.segments)
        labels = cell_labels(spans, 0.005, len(high))
        assert set(np.flatnonzero(high)) <= set(np.flatnonzero(labels == 0))
        borders = np.flatnonzero(np.diff(labels))
        clear = [place for place in range(len(high)) if labels[place] == 0 and not near(place, borders)]
        assert high[clear].all()
        assert 0.25 < (labels == 0).mean() < 0.8
        n_at_start += labels[0] == 0
    assert 10 <= n_at_start <= 20, "half of them begin with the spoof"


def near(place: int, borders: np.ndarray, fade: int = 4) -> bool:
    return bool((np.abs(borders - place) <= fade).any())


def test_people_are_those_who_have_both_classes_and_share_the_clips(corpus: Path) -> None:
    made = splice_spoofs(corpus, clips=24)
    people = read_people(made.folder)
    old = read_people(corpus)
    assert people["person"].tolist() == old["person"][old["spoof_count"] > 0].tolist()
    assert set(people["spoof_count"]) == set(people["bonafide_count"]) == {2}
    files = read_files(made.folder)
    assert set(files["system"][files["label"] == "spoof"]) == {"xtts"}


def test_a_pair_is_of_one_person_and_of_two_clips_where_there_are(corpus: Path) -> None:
    files = read_files(corpus)
    who = files.set_index("file")["speaker"]
    pairs = draw_pairs(files, 40, np.random.default_rng(0), corpus)
    assert all(who[pair.host] == who[pair.donor] for pair in pairs)
    assert all(pair.host != pair.donor for pair in pairs)
    assert sum(pair.spoof == pair.host for pair in pairs if pair.spoof) == 20
    single = files[~files["file"].str.contains("000[1-9]")]
    alone = [pair for pair in draw_pairs(single, 40, np.random.default_rng(0), corpus) if not pair.spoof]
    assert all(pair.host == pair.donor for pair in alone)


def test_the_seed_decides_and_the_old_corpus_is_only_read(corpus: Path) -> None:
    before = contents(corpus)
    one, again, other = (
        contents(splice_spoofs(corpus, corpus.with_name(f"s{n}"), clips=6, seed=seed).folder)
        for n, seed in enumerate((7, 7, 8))
    )
    assert contents(corpus) == before
    assert one == again
    assert one["files-metadata.csv"] != other["files-metadata.csv"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_killed_step_run_again_gives_what_an_uninterrupted_one_gives(
    error: type[BaseException], corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = contents(splice_spoofs(corpus, corpus.with_name("undisturbed"), clips=4).folder)
    killed = corpus.with_name("killed")
    save = derivation.save_waveform

    def die_at_the_third(path: Path, waveform: np.ndarray) -> None:
        save(path, waveform)
        if len(list(killed.rglob("*.flac"))) == 3:
            raise error

    with monkeypatch.context() as patch:
        patch.setattr(derivation, "save_waveform", die_at_the_third)
        with pytest.raises(error):
            splice_spoofs(corpus, killed, clips=4)
    assert not (killed / FILES_TABLE).exists()
    splice_spoofs(corpus, killed, clips=4)
    assert contents(killed) == expected
    times = {path: path.stat().st_mtime_ns for path in killed.rglob("*.flac")}
    splice_spoofs(corpus, killed, clips=4)
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_other_settings_or_recordings_for_the_same_folder_are_refused(corpus: Path) -> None:
    folder = splice_spoofs(corpus, clips=30).folder
    for changes in ({"clips": 29}, {"clips": 30, "seed": 8}):
        with pytest.raises(ValueError, match="was made from other clips or with other settings"):
            splice_spoofs(corpus, folder, **changes)
    donor = draw_pairs(read_files(corpus), 30, np.random.default_rng(7), corpus)[0].donor
    soundfile.write(corpus / donor, np.sin(np.arange(16_000)), SPEECH_RATE)
    with pytest.raises(ValueError, match="was made from other clips or with other settings"):
        splice_spoofs(corpus, folder, clips=30)


def test_clips_that_cannot_be_made_are_left_out_by_name(corpus: Path) -> None:
    short, gone = "real_voices/Person01_M001/M001-0000.flac", "fake_voices/Person02_F002_Fake/0_fake.flac"
    soundfile.write(corpus / short, np.sin(np.arange(500)), SPEECH_RATE)
    (corpus / gone).unlink()
    made = splice_spoofs(corpus, clips=48)
    reasons = read_rejected(made.folder)
    assert {reason.partition(" (")[0] for reason in reasons.values()} == {"too short to splice", "not a file"}
    assert made.n_rejected == len(reasons)
    assert made.n_clips == len(read_files(made.folder)) == 96 - len(reasons)
    before = contents(made.folder)
    splice_spoofs(corpus, clips=48)
    assert contents(made.folder) == before


def test_segments_survive_every_later_step(corpus: Path) -> None:
    folder = splice_spoofs(corpus, clips=24).folder
    expected = read_files(folder).set_index("file")["segments"]
    generate_tables(folder)
    add_duration(folder)
    add_amplitude(folder)
    split_dataset(folder, SplitShares(pretext=0, train=0.5, val=0.25), seed=7)
    dealt = pd.concat([read_split(folder, split) for split in DOWNSTREAM])
    noisy, normal = add_noise_to_dataset(folder).folder, normalize_dataset(folder).folder
    generate_tables(noisy)
    for table in (read_files(folder), dealt, read_files(noisy), read_files(normal)):
        pd.testing.assert_series_equal(table.set_index("file")["segments"].sort_index(), expected.sort_index())


def test_what_would_spoil_the_segments_is_refused(corpus: Path) -> None:
    folder = splice_spoofs(corpus, clips=4).folder
    with pytest.raises(ValueError, match="`trim` would move the spoofed stretches"):
        normalize_dataset(folder, trim=True)
    with pytest.raises(ValueError, match="holds partly spoofed clips already"):
        splice_spoofs(folder, clips=4)
    files = read_files(folder)
    files.loc[files["label"] == "bona-fide", "segments"] = "0-1"
    write_table(folder / FILES_TABLE, files)
    with pytest.raises(ValueError, match=r"files-metadata\.csv, row \d+: a bona-fide clip has no spoofed stretches"):
        read_files(folder)


def test_it_says_what_is_wrong(corpus: Path, make_corpus: MakeCorpus) -> None:
    with pytest.raises(ValueError, match="`clips` must be 1 or more, not 0"):
        splice_spoofs(corpus, clips=0)
    other = make_corpus("other", people=2, clips=1, without_spoofs=2)
    (other / "fake_voices").mkdir()
    generate_tables(other)
    with pytest.raises(ValueError, match=r"Nobody in .* has both bona fide and spoofed clips"):
        splice_spoofs(other)
