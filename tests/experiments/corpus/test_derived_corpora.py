"""Derived corpora are as asked for, whatever computes them and however often it is killed; the original stays."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile

from src.audio.augment import add_noise
from src.audio.framing import leading_silence
from src.audio.io import AudioHeader, load_waveform, read_header
from src.audio.normalize import rms
from src.corpora.sources import read_originals
from src.experiments.corpus import derivation
from src.experiments.corpus.augmentation import augment_dataset
from src.experiments.corpus.catalogue import add_amplitude, add_duration, generate_tables
from src.experiments.corpus.copies import Augmenting
from src.experiments.corpus.spoofing import create_spoofs
from src.experiments.corpus.transforms import Derived, add_noise_to_dataset, normalize_dataset
from src.utils.dataset import FILES_TABLE, REJECTED_TABLE, read_files, read_people, read_rejected, write_table

MakeCorpus = Callable[..., Path]
Step = Callable[..., Derived]
RATE = 16_000
STEPS: dict[str, Step] = {"normalized": normalize_dataset, "noisy": add_noise_to_dataset, "spoofed": create_spoofs}
every_step = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    """Keep all work in the test's own process: there it is quick, and can be made to fail."""
    with joblib.parallel_config(backend="sequential"):
        yield


@pytest.fixture(autouse=True)
def quick_vocoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put noise of the same length in the place of Griffin-Lim; a test that wants the real one undoes this."""
    monkeypatch.setattr(
        "src.audio.vocoders.griffinlim.griffinlim",
        lambda sound, _, seed: np.random.default_rng(seed).normal(size=len(sound)),
    )


@pytest.fixture
def corpus(make_corpus: MakeCorpus) -> Path:
    """Return a corpus of ten clips, two of them of other formats, with all tables and columns."""
    dataset = make_corpus("old", people=3, clips=2)
    genuine = dataset / "real_voices" / "Person00_F000" / "F000-0000.flac"
    samples, _ = soundfile.read(genuine)
    soundfile.write(genuine.with_suffix(".wav"), np.stack([samples, 0.5 * samples], axis=1), 44_100)
    genuine.unlink()
    spoof = dataset / "fake_voices" / "Person00_F000_Fake" / "1_fake.flac"
    soundfile.write(spoof.with_suffix(".ogg"), 0.3 * soundfile.read(spoof)[0], 24_000)
    spoof.unlink()
    (dataset / "SOURCES.csv").write_text(
        "file,system\nfake_voices/Person00_F000_Fake/0_fake.flac,xtts\nfake_voices/Person00_F000_Fake/1_fake.ogg,vits\n"
    )
    generate_tables(dataset)
    add_duration(dataset, jobs=1)
    add_amplitude(dataset, jobs=1)
    return dataset


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def as_flac(file: str) -> str:
    return file.rpartition(".")[0] + ".flac"


def measured_snr(clean: np.ndarray, noisy: np.ndarray) -> float:
    gain = noisy @ clean / (clean @ clean)
    return float(20 * np.log10(gain * rms(clean) / rms(noisy - gain * clean)))


def test_which_clip_a_spoof_was_copied_from_is_kept(corpus: Path) -> None:
    """Also where the recording had another suffix; spoofs of which nobody says it have none."""
    genuine, spoof = "real_voices/Person00_F000/F000-0000.wav", "fake_voices/Person00_F000_Fake/1_fake.ogg"
    (corpus / "SOURCES.csv").write_text(f"file,system,original\n{spoof},vits,{genuine}\n")
    for step in (normalize_dataset, add_noise_to_dataset):
        made = step(corpus).folder
        assert read_originals(made)[as_flac(spoof)] == as_flac(genuine)
        assert generate_tables(made).n_clips == 10
    made = augment_dataset(corpus, how=Augmenting('[{"probability": 1, "one_of": [{"effect": "white"}]}]')).folder
    found, files = read_originals(made), read_files(made)
    assert {found[file] for file in found if found[file]} == {as_flac(genuine)}
    copies = files["file"][files["copy_of"] == spoof].tolist()
    assert len(copies) == 1
    assert {file for file in found if found[file]} == {as_flac(spoof), *copies}


@every_step
def test_the_old_corpus_is_only_read(step: Step, corpus: Path) -> None:
    """Fault 6: normalising and adding noise overwrote the raw recordings."""
    before = contents(corpus)
    made = step(corpus)
    assert contents(corpus) == before
    assert made.folder == corpus.with_name(f"old_{next(name for name in STEPS if STEPS[name] is step)}")
    assert sorted(path.name for path in corpus.parent.iterdir()) == ["old", made.folder.name]


@pytest.mark.parametrize("step", [normalize_dataset, add_noise_to_dataset])
def test_labels_people_systems_and_columns_are_kept(step: Step, corpus: Path) -> None:
    """Fault 6: normalising dropped the columns duration and amplitude."""
    old = read_files(corpus).assign(note="a column of the user's own")
    write_table(corpus / FILES_TABLE, old)
    made = step(corpus)
    new = read_files(made.folder)
    assert made.n_clips == len(new) == len(old)
    assert set(new.columns) == set(old.columns)
    kept = ["speaker", "id", "gender", "label", "system", "note"]
    pd.testing.assert_frame_equal(new[kept], old[kept])
    assert new["file"].tolist() == [as_flac(file) for file in old["file"]]
    pd.testing.assert_frame_equal(read_people(made.folder), read_people(corpus))
    np.testing.assert_allclose(new["duration"], old["duration"], atol=1 / RATE)
    for file, amplitude in zip(new["file"], new["amplitude"], strict=True):
        assert amplitude == pytest.approx(np.abs(load_waveform(made.folder / file)).max(), abs=1e-6)


def test_columns_that_were_not_measured_are_not_made_up(corpus: Path) -> None:
    generate_tables(corpus)
    assert set(read_files(normalize_dataset(corpus).folder).columns) == set(read_files(corpus).columns)


@every_step
def test_all_clips_have_one_format_and_the_tables_are_those_of_the_folder(step: Step, corpus: Path) -> None:
    folder = step(corpus).folder
    written = read_files(folder)
    for file in written["file"]:
        header = read_header(folder / file)
        assert header == AudioHeader(header.duration, RATE, 1, "FLAC PCM_16")
    people = read_people(folder)
    generate_tables(folder)
    columns = ["file", "speaker", "id", "gender", "label", "system"]
    pd.testing.assert_frame_equal(read_files(folder)[columns], written[columns])
    pd.testing.assert_frame_equal(read_people(folder), people)


def test_peak_normalisation_brings_every_clip_to_full_scale(corpus: Path) -> None:
    made = normalize_dataset(corpus)
    np.testing.assert_allclose(read_files(made.folder)["amplitude"], 1, atol=1e-4)


@pytest.mark.parametrize("target", [0.05, 0.1])
def test_rms_normalisation_brings_every_clip_to_its_target(target: float, corpus: Path) -> None:
    made = normalize_dataset(corpus, method="rms", target_rms=target)
    levels = [rms(load_waveform(made.folder / file)) for file in read_files(made.folder)["file"]]
    np.testing.assert_allclose(levels, target, rtol=1e-3)


def test_trimming_cuts_the_silence_and_keeps_the_sound(corpus: Path) -> None:
    file = "real_voices/Person01_M001/M001-0000.flac"
    sound = soundfile.read(corpus / file)[0]
    soundfile.write(corpus / file, np.concatenate([np.zeros(1600), sound, np.zeros(800)]), RATE)
    for trim, n_samples, silence in ((False, 10_400, 0.1), (True, 8_000, 0.0)):
        made = normalize_dataset(corpus, corpus.with_name(f"trim-{trim}"), trim=trim)
        waveform = load_waveform(made.folder / file)
        assert len(waveform) == n_samples
        assert leading_silence(waveform, RATE) == silence
    sound -= sound.mean()
    np.testing.assert_allclose(waveform, sound / np.abs(sound).max(), atol=1e-4)


@pytest.mark.parametrize("snr", [-5.0, 15.0])
def test_the_noise_of_every_clip_has_the_ratio_asked_for(snr: float, corpus: Path) -> None:
    folder = add_noise_to_dataset(corpus, snr=snr).folder
    measured = []
    for file in read_files(corpus)["file"]:
        clean, noisy = (load_waveform(path).astype(float) for path in (corpus / file, folder / as_flac(file)))
        measured.append(measured_snr(clean, noisy))
    assert measured == pytest.approx([snr] * len(measured), abs=0.8)  # noise and sound of half a second correlate
    assert np.mean(measured) == pytest.approx(snr, abs=0.2)


def test_the_noise_follows_from_seed_and_name_alone(corpus: Path) -> None:
    """The same seed gives the same noise later, in another process, and in a corpus with more clips."""
    file = "real_voices/Person01_M001/M001-0001.flac"
    folder = add_noise_to_dataset(corpus, snr=10, seed=7).folder
    expected = add_noise(load_waveform(corpus / file), 10, np.random.default_rng(crc32(f"7/{file}".encode())))
    np.testing.assert_allclose(load_waveform(folder / file), expected, atol=2**-15)


def test_every_clip_has_noise_of_its_own(corpus: Path) -> None:
    folder = add_noise_to_dataset(corpus, snr=0).folder
    files = [file for file in read_files(corpus)["file"] if (corpus / file).suffix == ".flac"]
    noises = []
    for file in files:
        clean, noisy = (load_waveform(path).astype(float) for path in (corpus / file, folder / file))
        noises.append(noisy - noisy @ clean / (clean @ clean) * clean)
    correlations = np.corrcoef(noises) - np.eye(len(noises))
    assert np.abs(correlations).max() < 0.06  # of 8,000 samples each: five deviations


@pytest.mark.slow
@every_step
def test_one_process_and_many_write_the_same_bytes(step: Step, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the other processes know no stand-in
    one = step(corpus, corpus.with_name("one")).folder
    with joblib.parallel_config(backend="loky"):
        many = step(corpus, corpus.with_name("many")).folder
    assert contents(one) == contents(many)


@pytest.mark.parametrize("step", [add_noise_to_dataset, create_spoofs])
def test_the_seed_decides(step: Step, corpus: Path) -> None:
    made = [step(corpus, corpus.with_name(f"s{n}"), seed=seed).folder for n, seed in enumerate((7, 7, 8))]
    first, again, other = (contents(folder) for folder in made)
    assert first == again
    changed = {file for file in first if first[file] != other[file]}
    if step is create_spoofs:
        assert changed == {"recipe.json", *(file for file in first if file.startswith("fake_voices"))}
    else:
        assert changed == {"recipe.json", *(file for file in first if file.endswith(".flac"))} | (
            {FILES_TABLE} & changed  # of amplitudes
        )


@every_step
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_killed_step_run_again_gives_what_an_uninterrupted_one_gives(
    step: Step, error: type[BaseException], corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = contents(step(corpus, corpus.with_name("undisturbed")).folder)
    killed = corpus.with_name("killed")
    save = derivation.save_waveform

    def die_at_the_third(path: Path, waveform: np.ndarray) -> None:
        save(path, waveform)
        if len(list(killed.rglob("*.flac"))) == 3:
            raise error

    with monkeypatch.context() as patch:
        patch.setattr(derivation, "save_waveform", die_at_the_third)
        with pytest.raises(error):
            step(corpus, killed)
    assert not (killed / FILES_TABLE).exists(), "tables come last"
    clips = [path for path in killed.rglob("*") if path.suffix == ".flac"]
    assert len(clips) == 2
    assert all(
        contents(killed)[str(path.relative_to(killed))] == expected[str(path.relative_to(killed))] for path in clips
    )
    step(corpus, killed)
    assert contents(killed) == expected


@every_step
def test_what_was_deleted_is_made_again_and_nothing_else(step: Step, corpus: Path) -> None:
    folder = step(corpus).folder
    expected = contents(folder)
    lost = sorted(folder.rglob("*.flac"))[::3]
    for path in (*lost, folder / FILES_TABLE):
        path.unlink()
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.flac")}
    inodes = {path: path.stat().st_ino for path in times}
    step(corpus)
    assert contents(folder) == expected
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert {path: path.stat().st_ino for path in times} == inodes


@every_step
def test_what_a_kill_left_half_written_goes_and_what_is_not_ours_stays(step: Step, corpus: Path) -> None:
    folder = step(corpus).folder
    expected = contents(folder)
    (folder / "real_voices" / "Person00_F000" / ".F000-0000-x7q.part.flac").write_bytes(b"fLaC half")
    (folder / ".splits.part" / "by_file").mkdir(parents=True)
    step(corpus)
    assert contents(folder) == expected
    foreign = corpus.parent / ".film.part.flac"
    foreign.write_bytes(b"half of a download")
    with pytest.raises(ValueError, match="is not empty and was not made by this step"):
        step(corpus, corpus.parent)
    assert foreign.exists()


OTHER_SETTINGS = {
    "normalized": [{"method": "rms"}, {"trim": True}],
    "noisy": [{"snr": 19.0}, {"seed": 8}],
    "spoofed": [{"seed": 8}],
}


@pytest.mark.parametrize(
    ("name", "settings"), [(name, settings) for name, all_of_it in OTHER_SETTINGS.items() for settings in all_of_it]
)
def test_other_settings_for_the_same_folder_are_refused(name: str, settings: dict[str, object], corpus: Path) -> None:
    folder = STEPS[name](corpus).folder
    before = contents(folder)
    with pytest.raises(ValueError, match=r"was made from other clips or with other settings \(see its recipe\.json\)"):
        STEPS[name](corpus, folder, **settings)
    assert contents(folder) == before


@every_step
def test_another_step_or_another_corpus_for_the_same_folder_is_refused(
    step: Step, corpus: Path, make_corpus: MakeCorpus
) -> None:
    folder = step(corpus).folder
    before = contents(folder)
    other = make_corpus("other", people=3, clips=2)
    generate_tables(other)
    next_step = normalize_dataset if step is not normalize_dataset else add_noise_to_dataset
    for refused, dataset in ((next_step, corpus), (step, other)):
        with pytest.raises(ValueError, match="was made from other clips or with other settings"):
            refused(dataset, folder)
    assert contents(folder) == before


@every_step
def test_an_output_that_touches_the_corpus_is_refused(step: Step, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(corpus)
    before = contents(corpus)
    inside = [corpus, corpus / "new", corpus / "real_voices", tmp_path / "link" / "new", corpus / "x" / ".." / "new"]
    for output in inside:
        with pytest.raises(ValueError, match=r"`output` must lie outside .*, which is only read\."):
            step(corpus, output)
    with pytest.raises(ValueError, match="is not empty and was not made by this step"):
        step(corpus, corpus.parent)
    assert contents(corpus) == before


@every_step
def test_a_folder_of_other_things_is_refused_and_an_empty_one_is_not(step: Step, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(ValueError, match="full is not empty and was not made by this step; choose another `output`"):
        step(corpus, tmp_path / "full")
    (tmp_path / "empty").mkdir()
    assert step(corpus, tmp_path / "empty").folder == tmp_path / "empty"


@every_step
def test_two_recordings_that_would_become_one_are_refused(step: Step, corpus: Path) -> None:
    twin = corpus / "real_voices" / "Person01_M001" / "M001-0000.wav"
    soundfile.write(twin, np.sin(np.arange(800)), RATE)
    generate_tables(corpus)
    with pytest.raises(ValueError, match=r"Two recordings would both become .*/M001-0000\.flac: rename one"):
        step(corpus)
    assert [path.name for path in corpus.parent.iterdir()] == ["old"]


@every_step
def test_a_clip_that_cannot_be_used_is_left_out_by_name(step: Step, corpus: Path) -> None:
    soundfile.write(corpus / "real_voices" / "Person01_M001" / "mute.wav", np.zeros(800), RATE)
    generate_tables(corpus)
    for _ in range(2):
        made = step(corpus)
        silent = read_rejected(made.folder)
        assert silent.pop("real_voices/Person01_M001/mute.flac") == "silent (no sample above -80 dBFS)"
        assert len(silent) == (1 if step is create_spoofs else 0), "the spoof that cannot be made of it"
        assert made.n_rejected == len(silent) + 1
        assert made.n_clips == len(read_files(made.folder)) == len(list(made.folder.rglob("*.flac")))
        assert f"{made.n_rejected} left out, see {REJECTED_TABLE}" in str(made)


def test_spoofs_copy_every_genuine_clip_and_nothing_else(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    made = create_spoofs(corpus)
    old, new = read_files(corpus), read_files(made.folder)
    genuine = old[old["label"] == "bona-fide"]
    assert new["label"].tolist() == ["bona-fide"] * 6 + ["spoof"] * 6
    assert new.loc[:5, "file"].tolist() == [as_flac(file) for file in genuine["file"]]
    assert new["system"].tolist() == [""] * 6 + ["griffinlim"] * 6
    assert new.loc[6:, "speaker"].tolist() == new.loc[:5, "speaker"].tolist()
    assert read_people(made.folder)["spoof_count"].tolist() == [2, 2, 2]
    for source, copy, spoof in zip(genuine["file"], new.loc[:5, "file"], new.loc[6:, "file"], strict=True):
        before, after, fake = (
            load_waveform(path) for path in (corpus / source, made.folder / copy, made.folder / spoof)
        )
        np.testing.assert_allclose(after, before, atol=2**-15)
        assert len(fake) == len(after), "a spoof's length gives it away"
        assert rms(fake) == pytest.approx(rms(after), rel=0.01), "a spoof's level gives it away"
        assert abs(np.corrcoef(fake, after)[0, 1]) < 0.99


def test_spoofs_need_no_tables_and_no_fake_voices(corpus: Path) -> None:
    expected = contents(create_spoofs(corpus, corpus.with_name("with")).folder)
    for path in sorted((corpus / "fake_voices").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (corpus / "fake_voices").rmdir()
    (corpus / FILES_TABLE).unlink()
    assert contents(create_spoofs(corpus, corpus.with_name("without")).folder) == expected


def test_a_folder_without_genuine_speech_has_nothing_to_copy(corpus: Path) -> None:
    for path in (corpus / "real_voices").rglob("*.*"):
        path.unlink()
    with pytest.raises(ValueError, match="real_voices holds no recording to copy"):
        create_spoofs(corpus)


@pytest.mark.parametrize(
    ("step", "settings", "words"),
    [
        (normalize_dataset, {"method": "loud"}, "Unknown method 'loud'; allowed: peak, rms"),
        (normalize_dataset, {"method": "rms", "target_rms": 0.0}, r"`target_rms` must lie in \(0, 1\], not 0"),
        (add_noise_to_dataset, {"snr": float("nan")}, "`snr` must be a finite number"),
        (create_spoofs, {"vocoder": "parrot"}, "Unknown vocoder 'parrot'; allowed: griffinlim"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_written(
    step: Step, settings: dict[str, object], words: str, corpus: Path
) -> None:
    with pytest.raises(ValueError, match=words):
        step(corpus, **settings)
    assert os.listdir(corpus.parent) == ["old"]  # noqa: PTH208
