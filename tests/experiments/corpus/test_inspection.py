"""A cue planted in the clips gets a warning with its EER; a clean corpus gets none."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy as np
import pytest
import soundfile
import soxr

from src.experiments.corpus.catalogue import add_duration, generate_tables
from src.experiments.corpus.inspection import Inspection, inspect_dataset
from src.experiments.corpus.transforms import normalize_dataset
from src.utils.dataset import read_files, read_rejected

RATE = 16_000
N_PEOPLE, N_CLIPS = 4, 6
Plant = Callable[[np.ndarray], np.ndarray]


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    """Keep all work in the test's own process: there it is quick."""
    with joblib.parallel_config(backend="sequential"):
        yield


# ---- measuring clips


def sound(seed: int, seconds: float = 0.6) -> np.ndarray:
    """Return noise at a level of its own, 12 dB from the quietest to the loudest, after 0 to 50 ms of silence."""
    rng = np.random.default_rng(seed)
    waveform = 10 ** rng.uniform(-0.6, 0) * np.clip(rng.standard_normal(int(seconds * RATE)), -3, 3) / 6
    waveform[: RATE // 100 * int(rng.integers(0, 6))] = 0
    return waveform


def quieter(waveform: np.ndarray) -> np.ndarray:
    return 0.1 * waveform


def later(waveform: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros(RATE // 10), waveform[: -RATE // 10]])


def shorter(waveform: np.ndarray) -> np.ndarray:
    return waveform[: int(0.8 * len(waveform))]


def unchanged(waveform: np.ndarray) -> np.ndarray:
    return waveform


def write_planted(
    dataset: Path, plant: Plant = unchanged, *, rate: int = RATE, suffix: str = "flac", subtype: str = "PCM_16"
) -> Path:
    """Write a corpus of one sort of sound, all of whose spoofs went through `plant` or lie in another sort of file."""
    seed = 0
    for person in range(N_PEOPLE):
        name = f"Person{person}_{'FM'[person % 2]}{person:03d}"
        for folder in (dataset / "real_voices" / name, dataset / "fake_voices" / f"{name}_Fake"):
            folder.mkdir(parents=True)
            for clip in range(N_CLIPS):
                waveform, seed = sound(seed), seed + 1
                if "fake" in folder.parent.name:
                    planted = soxr.resample(plant(waveform), RATE, rate)
                    soundfile.write(folder / f"{clip}.{suffix}", planted, rate, subtype=subtype)
                else:
                    soundfile.write(folder / f"{clip}.flac", waveform, RATE)
    generate_tables(dataset)
    return dataset


def warned(dataset: Path) -> dict[str, float]:
    """Return the cues that a corpus is warned about, as its users read it."""
    inspection = inspect_dataset(dataset, jobs=1)
    cues = {cue.name: cue.eer for cue in inspection.cues if cue.telling}
    for name, eer in cues.items():
        assert f"Warning: {name} alone tells the classes apart with an EER of {eer:.1%}: " in str(inspection)
    assert str(inspection).count("Warning: ") == len(cues)
    return cues


def test_a_clean_corpus_is_not_warned_about(tmp_path: Path) -> None:
    dataset = write_planted(tmp_path / "clean")
    assert warned(dataset) == {}
    assert str(inspect_dataset(dataset, jobs=1)).endswith("None of these properties alone tells the classes apart.")


PLANTED = {
    "level": ({"plant": quieter}, {"peak level", "RMS level"}),
    "leading silence": ({"plant": later}, {"leading silence", "noise floor"}),
    "duration": ({"plant": shorter}, {"duration"}),
    "sample rate": ({"rate": 48_000}, {"sample rate", "bandwidth"}),
    "container": ({"suffix": "wav"}, {"file format"}),
    "coding": ({"subtype": "PCM_24"}, {"file format"}),
}


@pytest.mark.parametrize(("how", "cues"), PLANTED.values(), ids=PLANTED)
def test_what_was_planted_is_warned_about_and_nothing_else(
    how: dict[str, object], cues: set[str], tmp_path: Path
) -> None:
    found = warned(write_planted(tmp_path / "planted", **how))
    assert set(found) == cues
    assert list(found.values()) == pytest.approx([0.0] * len(cues), abs=0.1)


@pytest.mark.parametrize(
    ("planted", "options"),
    [
        ("leading silence", {"trim": True}),
        ("level", {"method": "rms", "target_rms": 0.01}),
        ("level", {"method": "peak"}),
        ("sample rate", {}),
        ("container", {}),
        ("coding", {}),
    ],
)
def test_what_normalising_promises_to_remove_is_gone(planted: str, options: dict[str, object], tmp_path: Path) -> None:
    how, cues = PLANTED[planted]
    dataset = write_planted(tmp_path / "planted", **how)
    made = normalize_dataset(dataset, **options)
    assert not (cues - {"bandwidth"}) & set(warned(made.folder))


def test_leading_silence_stays_where_it_is_not_trimmed(tmp_path: Path) -> None:
    made = normalize_dataset(write_planted(tmp_path / "planted", later))
    assert "leading silence" in warned(made.folder)


# ---- what users read


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a corpus whose every number is known; not to be changed."""
    dataset = tmp_path_factory.mktemp("known") / "corpus"
    square = np.tile(np.repeat([0.5, -0.5], 20), 400)  # one second, peak and root mean square -6 dBFS
    for folder, n_clips in (("real_voices/Ana_F001", 2), ("real_voices/Rui_M001", 1), ("fake_voices/Ana_F001_Fake", 3)):
        (dataset / folder).mkdir(parents=True)
        for clip in range(n_clips):
            silence = np.zeros(RATE // 10 if "fake" in folder else 0)
            suffix = "wav" if clip == 2 else "flac"
            soundfile.write(dataset / folder / f"{clip}.{suffix}", np.concatenate([silence, square]), RATE)
    soundfile.write(dataset / "real_voices" / "Rui_M001" / "mute.flac", np.zeros(800), RATE)
    generate_tables(dataset)
    return dataset


@pytest.fixture(scope="module")
def inspection(known: Path) -> Inspection:
    return inspect_dataset(known, jobs=1)


def test_the_table_says_what_the_corpus_holds(inspection: Inspection) -> None:
    assert inspection.totals == "6 clips, 0.00 h, 2 people"
    table = inspection.table.set_index(["label", "gender"])
    assert table[["clips", "people", "duration (s)", "leading silence (s)"]].to_numpy().tolist() == [
        [2, 1, 1.0, 0.0],
        [1, 1, 1.0, 0.0],
        [3, 1, 1.1, 0.1],
    ]
    assert (table["peak (dBFS)"] == -6.0).all()
    assert table["RMS (dBFS)"].tolist() == [-6.0, -6.0, -6.4]
    assert table["rate (Hz)"].tolist() == ["16000"] * 3
    assert table["format"].tolist() == ["FLAC PCM_16", "FLAC PCM_16", "FLAC PCM_16 x 2, WAV PCM_16 x 1"]


def test_spoofs_are_counted_by_system_where_any_is_known(known: Path, inspection: Inspection, tmp_path: Path) -> None:
    assert inspection.systems.empty
    dataset = Path(shutil.copytree(known, tmp_path / "corpus"))
    (dataset / "SOURCES.csv").write_text("file,system\nfake_voices/Ana_F001_Fake/1.flac,xtts\n")
    generate_tables(dataset)
    found = inspect_dataset(dataset, jobs=1)
    assert found.systems[["system", "clips", "people", "duration (s)"]].to_numpy().tolist() == [
        ["xtts", 1, 1, 1.1],
        ["unknown", 2, 1, 1.1],
    ]
    assert "xtts" in str(found)


def test_the_clips_carry_what_was_measured(inspection: Inspection) -> None:
    clips = inspection.clips.set_index("file")
    assert len(clips) == 6
    assert clips.loc["fake_voices/Ana_F001_Fake/0.flac", ["duration", "leading silence"]].tolist() == [1.1, 0.1]
    assert clips["peak level"].tolist() == pytest.approx([20 * np.log10(0.5)] * 6, abs=1e-3)


def test_columns_that_were_measured_before_change_nothing(tmp_path: Path) -> None:
    dataset = write_planted(tmp_path / "corpus", shorter)
    before = inspect_dataset(dataset, jobs=1)
    add_duration(dataset, jobs=1)
    assert str(inspect_dataset(dataset, jobs=1)) == str(before)


def test_clips_that_cannot_be_used_are_named_and_nothing_is_written(known: Path, inspection: Inspection) -> None:
    """Fault 07, docs/faults.md: what reads must not write."""
    assert inspection.rejected == {"real_voices/Rui_M001/mute.flac": "silent (no sample above -80 dBFS)"}
    assert inspection.n_rejected == 1
    lines = str(inspection).splitlines()
    assert "1 clip cannot be used:" in lines
    assert "  real_voices/Rui_M001/mute.flac: silent (no sample above -80 dBFS)" in lines
    assert read_rejected(known) == {}
    assert len(read_files(known)) == 7, "the clip stays in the table until a step that writes leaves it out"


def test_so_few_clips_are_not_warned_about_whatever_their_cues(inspection: Inspection) -> None:
    assert {cue.name: cue.eer for cue in inspection.cues}["leading silence"] == 0
    assert not any(cue.telling for cue in inspection.cues)


def test_a_corpus_without_tables_says_how_to_make_them(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make it with fab GenerateDatasetCSV"):
        inspect_dataset(tmp_path)
