"""A clip that cannot be used is rejected by name and with its reason; everything else is listed as it is."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile

from src.experiments.corpus.catalogue import Catalogue, add_amplitude, add_duration, generate_tables
from src.utils.dataset import FILES_TABLE, PEOPLE_TABLE, REJECTED_TABLE, read_files, read_people, read_rejected

MakeCorpus = Callable[..., Path]
Step = Callable[[Path], Catalogue]
RATE = 16_000
STEPS = {"generate": generate_tables, "duration": add_duration, "amplitude": add_amplitude}


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    """Keep all work in the test's own process: there it is quick, and can be made to fail."""
    with joblib.parallel_config(backend="sequential"):
        yield


@pytest.fixture
def corpus(make_corpus: MakeCorpus) -> Path:
    return make_corpus(people=4, clips=2)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def all_steps(dataset: Path) -> None:
    for step in STEPS.values():
        step(dataset)


def write_clip(samples: object, subtype: str = "PCM_16") -> Callable[[Path], None]:
    return lambda path: soundfile.write(path, np.asarray(samples), RATE, subtype=subtype)


def write_cut_flac(path: Path) -> None:
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, RATE), RATE, format="FLAC")
    path.write_bytes(path.read_bytes()[:4000])


UNUSABLE = {
    "no bytes": (lambda path: path.touch(), "generate", r"empty \(no bytes\)"),
    "garbage": (lambda path: path.write_bytes(b"no sound " * 100), "duration", "unreadable"),
    "cut header": (lambda path: path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt \x10"), "duration", "unreadable"),
    "no samples": (write_clip(np.zeros(0)), "duration", r"empty \(no samples\)"),
    "cut sound": (write_cut_flac, "amplitude", "unreadable .*lost sync"),
    "silent": (write_clip(np.zeros(800)), "amplitude", "silent"),
    "constant": (write_clip(np.full(800, 0.25)), "amplitude", "silent"),
    "NaN": (write_clip([0.1, np.nan, 0.2], "FLOAT"), "amplitude", r"not finite \(1 of 3"),
    "infinite": (write_clip([0.1, -np.inf, 0.2], "FLOAT"), "amplitude", r"not finite \(1 of 3"),
}


@pytest.mark.parametrize(("write", "finder", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_clip_leaves_by_name_with_its_reason(
    write: Callable[[Path], None], finder: str, reason: str, corpus: Path
) -> None:
    all_steps(corpus)
    good = read_files(corpus)
    bad = "real_voices/Person01_M001/bad.wav"
    write(corpus / bad)
    for name, step in STEPS.items():
        found = step(corpus)
        assert found.n_rejected == int(name == finder)
        assert ("1 left out, see rejected-files.csv" in str(found)) == (name == finder)
        waits = list(STEPS).index(name) < list(STEPS).index(finder)
        assert (bad in set(read_files(corpus)["file"])) == waits
    pd.testing.assert_frame_equal(read_files(corpus), good)
    assert list(read_rejected(corpus)) == [bad]
    assert pd.Series(read_rejected(corpus)).str.fullmatch(f"{reason}.*").all()
    assert read_people(corpus)["bonafide_count"].tolist() == [2, 2, 2, 2]


def test_a_person_without_a_usable_clip_is_nobody(corpus: Path) -> None:
    for path in (corpus / "real_voices" / "Person03_M003").iterdir():
        soundfile.write(path, np.zeros(800), RATE)
    generate_tables(corpus)
    assert len(read_people(corpus)) == 4
    assert (found := add_amplitude(corpus)).n_people == 3
    assert read_people(corpus)["person"].tolist() == ["Person00_F000", "Person01_M001", "Person02_F002"]
    assert found.n_clips == len(read_files(corpus)) == 12


def test_a_corpus_without_a_usable_clip_is_an_error_that_lists_all(corpus: Path) -> None:
    generate_tables(corpus)
    before = read_files(corpus)
    for file in before["file"]:
        soundfile.write(corpus / file, np.zeros(800), RATE)
    with pytest.raises(ValueError, match=r"None of the 14 clips of .* can be used \(real_voices/.*: silent"):
        add_amplitude(corpus)
    assert set(read_rejected(corpus)) == set(before["file"])
    pd.testing.assert_frame_equal(read_files(corpus), before)


@pytest.mark.parametrize("step", [add_duration, add_amplitude])
def test_a_recording_that_is_missing_stops_the_step_and_is_not_rejected(step: Step, corpus: Path) -> None:
    generate_tables(corpus)
    before = contents(corpus)
    gone = "fake_voices/Person01_M001_Fake/1_fake.flac"
    (corpus / gone).unlink()
    with pytest.raises(FileNotFoundError, match=f"There is no recording .*{gone}"):
        step(corpus)
    assert contents(corpus) == {name: content for name, content in before.items() if name != gone}


def test_making_the_table_again_tries_every_clip_again(corpus: Path) -> None:
    clip = corpus / "real_voices" / "Person00_F000" / "F000-0000.flac"
    good = clip.read_bytes()
    clip.write_bytes(b"")
    assert generate_tables(corpus).n_rejected == 1
    clip.write_bytes(good)
    assert generate_tables(corpus).n_rejected == 0
    assert not (corpus / REJECTED_TABLE).exists()
    assert len(read_files(corpus)) == 14


def test_all_reasons_of_all_steps_are_kept(corpus: Path) -> None:
    folder = corpus / "real_voices" / "Person00_F000"
    for name in ("no bytes", "garbage", "silent"):
        UNUSABLE[name][0](folder / f"{name}.wav")
    for _ in range(2):
        for step in (add_duration, add_amplitude) if (corpus / FILES_TABLE).exists() else STEPS.values():
            step(corpus)
        assert [Path(file).stem for file in read_rejected(corpus)] == ["garbage", "no bytes", "silent"]


@pytest.mark.parametrize("name", [b"caf\xe9.wav", b"two\nlines.wav", b"return\r.wav"])
def test_a_name_that_no_table_can_hold_is_rejected_under_one_that_it_can(name: bytes, corpus: Path) -> None:
    folder = corpus / "real_voices" / "Person00_F000"
    soundfile.write(folder / "new.wav", np.sin(np.arange(800)), RATE)
    os.rename(os.fsencode(folder / "new.wav"), os.fsencode(folder) + b"/" + name)  # noqa: PTH104
    assert generate_tables(corpus).n_rejected == 1
    assert len(read_files(corpus)) == 14
    (file, reason), *_ = read_rejected(corpus).items()
    assert file.startswith("real_voices/Person00_F000/")
    assert "\n" not in file
    assert "not UTF-8" in reason


AWKWARD = ["a, b.wav", 'the "quoted".wav', " blank .wav", "é語.wav", "NA.wav", "a;b#.wav", "%20.wav", "-1.wav", "'.wav"]


def test_awkward_names_go_through_every_step(corpus: Path) -> None:
    folder = corpus / "real_voices" / "Silva, Ana_F010"
    folder.mkdir()
    for name in AWKWARD:
        soundfile.write(folder / name, 0.5 * np.sin(np.arange(800)), RATE)
    all_steps(corpus)
    files = read_files(corpus)
    assert sorted(AWKWARD) == sorted(file.rpartition("/")[2] for file in files["file"] if "Silva" in file)
    assert read_people(corpus).set_index("person").loc["Silva, Ana_F010", "bonafide_count"] == len(AWKWARD)


def test_durations_and_amplitudes_are_those_of_the_sound(corpus: Path) -> None:
    clip = "real_voices/Person00_F000/known.wav"
    soundfile.write(corpus / clip, 0.25 * np.sin(2 * np.pi * 100 * np.arange(12_000) / 8_000), 8_000)
    all_steps(corpus)
    files = read_files(corpus).set_index("file")
    assert files.loc[clip, ["duration", "amplitude"]].tolist() == pytest.approx([1.5, 0.25], abs=1e-3)
    for file, duration in files["duration"].items():
        samples, rate = soundfile.read(corpus / str(file))
        assert duration == pytest.approx(len(samples) / rate, abs=1e-6)
        if file != clip:
            assert files.loc[file, "amplitude"] == pytest.approx(np.abs(samples).max(), abs=1e-6)


def test_two_people_who_share_a_name_or_an_id_stay_apart(corpus: Path) -> None:
    for name in ("Person00_F001", "Another_F000"):
        (corpus / "real_voices" / name).mkdir()
        soundfile.write(corpus / "real_voices" / name / "1.wav", np.sin(np.arange(800)), RATE)
    assert generate_tables(corpus).n_people == 6
    people = read_people(corpus)
    found = people[people["person"].str.match("Person00|Another")][["person", "id", "spoof_count", "bonafide_count"]]
    assert found.to_numpy().tolist() == [
        ["Another_F000", "F000", 0, 1],
        ["Person00_F000", "F000", 2, 2],
        ["Person00_F001", "F001", 0, 1],
    ]


def test_every_step_twice_gives_the_same_bytes_and_changes_no_recording(corpus: Path) -> None:
    UNUSABLE["garbage"][0](corpus / "real_voices" / "Person00_F000" / "bad.wav")
    recordings = contents(corpus)
    seen = []
    for step in (generate_tables, add_duration, add_amplitude):
        step(corpus)
        seen.append(contents(corpus))
        if step is not generate_tables:
            step(corpus)
            assert contents(corpus) == seen[-1]
    all_steps(corpus)
    assert contents(corpus) == seen[-1]
    assert recordings.items() <= seen[-1].items()
    assert set(seen[-1]) - set(recordings) == {FILES_TABLE, PEOPLE_TABLE, REJECTED_TABLE}


def test_many_processes_give_the_tables_of_one(corpus: Path) -> None:
    UNUSABLE["garbage"][0](corpus / "real_voices" / "Person00_F000" / "bad.wav")
    found = []
    for jobs in (1, 2):
        generate_tables(corpus)
        with joblib.parallel_config(backend="loky"):
            add_duration(corpus, jobs=jobs)
        found.append(contents(corpus))
    assert found[0] == found[1]


def no_rename(*_: object) -> None:
    raise OSError("the disk went away")


def half_a_table(_: pd.DataFrame, path: Path, **__: object) -> None:
    Path(path).write_text("file,spea")
    raise OSError("the disk is full")


@pytest.mark.parametrize(
    ("owner", "method", "fail"), [(Path, "replace", no_rename), (pd.DataFrame, "to_csv", half_a_table)]
)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_step_that_fails_while_writing_leaves_the_old_tables(
    step: Step, owner: type, method: str, fail: Callable[..., None], corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_steps(corpus)
    (corpus / "real_voices" / "Person00_F000" / "F000-0001.flac").unlink()
    if step is not generate_tables:
        generate_tables(corpus)
    before = contents(corpus)
    with monkeypatch.context() as patch:
        patch.setattr(owner, method, fail)
        with pytest.raises(OSError, match="the disk"):
            step(corpus)
    assert contents(corpus) == before
    assert not list(corpus.rglob(".*"))
    all_steps(corpus)
    assert len(read_files(corpus)) == 13


def test_a_layout_that_is_not_there_is_answered_with_those_allowed(corpus: Path) -> None:
    with pytest.raises(ValueError, match="Unknown layout 'tapes'; allowed: audios"):
        generate_tables(corpus, "tapes")
