"""A small corpus of recordings by three spoof systems, split, for probes: what is drawn decides what can be heard."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from tests.conftest import RATE, tone

SYSTEMS = {"alpha": 0.004, "beta": 0.006, "gamma": 0.008}
"""System -> how much noise its tones stand in; bona fide ones stand in more."""


def write_probed_corpus(folder: Path, *, people: int = 24, seconds: float = 0.5) -> Path:
    """Write recordings, tables and splits; every person has two bona fide clips and a spoof of each system."""
    from src.experiments.corpus.splits import SplitShares, split_dataset
    from src.utils.dataset import FILE_COLUMNS, write_tables

    rows = []
    for number in range(people):
        name, gender = f"Person{number:02d}", "FM"[number % 2]
        person = [name, f"{gender}{number:03d}", gender]
        sounds = [(f"real_voices/{name}_{person[1]}/{clip}.flac", "bona-fide", "", 0.02) for clip in range(2)]
        spoofs = SYSTEMS.items()
        sounds += [
            (f"fake_voices/{name}_{person[1]}_Fake/{system}.flac", "spoof", system, noise) for system, noise in spoofs
        ]
        for place, (file, label, system, noise) in enumerate(sounds):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(folder / file, tone(100 * number + place, noise=noise, seconds=seconds), RATE)
            rows.append([file, *person, label, system])
    write_tables(folder, pd.DataFrame(rows, columns=FILE_COLUMNS))
    split_dataset(folder, SplitShares(pretext=0.2, train=0.5, val=0.25), seed=7)
    return folder


def silence(folder: Path, file: str) -> None:
    """Replace a recording by silence, which no backbone can use."""
    soundfile.write(folder / file, np.zeros(RATE // 2, np.float32), RATE)
