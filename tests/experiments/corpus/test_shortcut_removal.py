"""Shortcuts that are planted in a corpus are found and told; after they are removed they are gone."""

from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile

from src.audio.evening import CommonSound
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.common_sound import common_sound
from src.experiments.corpus.inspection import Inspection, inspect_dataset
from src.experiments.corpus.transforms import remove_shortcuts
from src.utils.dataset import read_files

RATE = 16_000


@pytest.fixture(autouse=True)
def in_this_process() -> Iterator[None]:
    """Keep all work in the test's own process: there it is quick."""
    with joblib.parallel_config(backend="sequential"):
        yield


def voice(seed: int) -> np.ndarray:
    """Return a voice of about a second: overtones and breath in syllables, at a level and over a room of its own."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(rng.uniform(0.7, 1.3) * RATE)) / RATE
    pitch = 2 * np.pi * rng.uniform(100, 220) * time
    overtones = sum(np.sin(number * pitch + rng.uniform(0, 6)) / number for number in range(1, 30))
    syllables = np.clip(np.sin(2 * np.pi * 3.3 * time) + 0.4, 0, None)
    breath = 0.2 * rng.standard_normal(time.size)
    level = 10 ** (rng.uniform(-32, -26) / 20)
    room = 10 ** (rng.uniform(-50, -44) / 20) * rng.standard_normal(time.size)
    sound = (overtones + breath) * syllables
    return level * (sound / sound.std() + room)


def write_corpus(dataset: Path) -> Path:
    """Write a corpus whose spoofs are 6 dB louder, begin with 0.2 s of silence and have an offset."""
    seed = 0
    for person in range(5):
        name = f"Person{person}_{'FM'[person % 2]}{person:03d}"
        for folder in (dataset / "real_voices" / name, dataset / "fake_voices" / f"{name}_Fake"):
            folder.mkdir(parents=True)
            for clip in range(6):
                waveform, seed = voice(seed), seed + 1
                if "fake" in folder.parent.name:
                    waveform = np.concatenate([np.zeros(RATE // 5), 2 * waveform]) + 0.01
                soundfile.write(folder / f"{clip}.flac", waveform, RATE)
    generate_tables(dataset)
    return dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("planted") / "corpus")


@pytest.fixture(scope="module")
def evened(dataset: Path) -> Path:
    with joblib.parallel_config(backend="sequential"):
        return remove_shortcuts(dataset).folder


def telling(inspection: Inspection) -> dict[str, float]:
    return {cue.name: cue.eer for cue in inspection.cues if cue.telling}


def test_what_is_planted_is_found_and_told(dataset: Path) -> None:
    found = inspect_dataset(dataset, jobs=1)
    assert telling(found).items() >= {"leading silence": 0.0, "DC offset": 0.0}.items()
    assert {"RMS level", "peak level"} <= telling(found).keys()
    assert found.together < 0.05
    assert "Warning: leading silence alone tells the classes apart with an EER of 0.0%" in str(found)
    assert "All of them together" in str(found)


def test_after_they_are_removed_they_are_gone(evened: Path) -> None:
    assert evened.name == "corpus_evened"
    found = inspect_dataset(evened, jobs=1)
    assert telling(found) == {}
    assert found.together > 0.25
    assert len(read_files(evened)) == 60


def test_what_could_not_be_removed_is_not_advised_to_be_removed_again(evened: Path) -> None:
    cues = {cue.name: cue.warning for cue in inspect_dataset(evened, jobs=1).cues}
    assert cues["noise floor"].endswith(": this corpus was evened out as far as it can be; other clips are needed.")
    assert cues["duration"].endswith(": cut or choose clips of similar length.")


def test_the_same_command_again_makes_nothing_new(dataset: Path, evened: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in evened.rglob("*.flac")}
    remove_shortcuts(dataset)
    assert {path: path.stat().st_mtime_ns for path in evened.rglob("*.flac")} == before


def test_partly_spoofed_clips_are_refused(dataset: Path, tmp_path: Path) -> None:
    files = read_files(dataset).assign(segments="")
    files.to_csv(tmp_path / "files-metadata.csv", index=False)
    with pytest.raises(ValueError, match="leave out `remove_shortcuts`"):
        remove_shortcuts(tmp_path)


# ---- what suits all clips


def clips(**groups: tuple[int, float, float]) -> pd.DataFrame:
    """Return clips of groups: name -> number, bandwidth and noise floor; `bonafide` are bona fide."""
    return pd.DataFrame(
        [
            {"label": "bona-fide" if name == "bonafide" else "spoof", "system": "" if name == "bonafide" else name,
             "bandwidth": band, "noise floor": floor}
            for name, (count, band, floor) in groups.items()
            for _ in range(count)
        ]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "wanted"),
    [
        ({"bonafide": (9, 8000, -45), "xtts": (9, 6850, -100)}, CommonSound(6800, -45)),
        ({"bonafide": (9, 8000, -12), "xtts": (9, 8000, -99)}, CommonSound(7500, -30)),
        ({"bonafide": (9, 2500, -90), "xtts": (9, 8000, -99)}, CommonSound(3400, -60)),
        ({"bonafide": (9, 7000, -40.5), "call": (4, 3400, -20), "xtts": (9, 8000, -60)}, CommonSound(7000, -40)),
        ({"bonafide": (2, 7000, -40), "xtts": (2, 7000, -40)}, CommonSound(7000, -40)),
    ],
)
def test_the_narrowest_band_and_the_noisiest_room_of_a_group_decide(
    groups: dict[str, tuple[int, float, float]], wanted: CommonSound
) -> None:
    assert common_sound(clips(**groups)) == wanted
