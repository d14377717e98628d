"""Derive a new corpus: normalised or noisy.

The original corpus is only read. Every clip of the new one is a mono 16-bit FLAC at 16 kHz, whatever the original was,
so that neither file format nor sample rate can reveal the class. A step that was killed resumes where it stopped
(`derivation.py`), and the tables are written last.
"""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from src.audio.augment import add_noise
from src.audio.evening import CommonSound, even_out
from src.audio.framing import trim_silence
from src.audio.io import SPEECH_RATE
from src.audio.normalize import METHODS
from src.corpora.sources import SOURCES_TABLE, read_originals
from src.experiments.corpus.catalogue import add_amplitude, add_duration
from src.experiments.corpus.common_sound import common_sound
from src.experiments.corpus.cue_table import join_cues, read_cues
from src.experiments.corpus.derivation import RECIPE, Derivation, Derived, Job, Transform
from src.utils.classes import read_classes, write_classes
from src.utils.copies import AUGMENTATION, COPY_OF
from src.utils.csv_tables import write_table
from src.utils.dataset import edit_tables, read_files, without
from src.utils.files import read_record
from src.utils.paths import as_flac
from src.utils.segments import SEGMENTS

EVENED = "remove_shortcuts"
"""What the recipe of a corpus holds that `remove_shortcuts` wrote."""


def normalize_dataset(
    dataset: Path, output: Path | None = None, *, method: str = "peak", target_rms: float = 0.1, trim: bool = False
) -> Derived:
    """Write a corpus whose clips all have one level; default output `<dataset>_normalized`.

    Parameters
    ----------
    dataset, output : Path
    method : str
        "peak" (largest sample at full scale) or "rms" (root mean square at `target_rms`).
    target_rms : float
        For "rms": root mean square wanted, 0 to 1.
    trim : bool
        Whether silence before and after the speech is cut.
    """
    if method not in METHODS:
        raise ValueError(f"Unknown method '{method}'; allowed: {', '.join(METHODS)}.")
    METHODS[method](np.ones(1, dtype=np.float32), target_rms)  # refuses a bad target before any work
    if trim and SEGMENTS in read_files(dataset):
        raise ValueError(f"`trim` would move the spoofed stretches that {dataset} lists: leave out `trim`.")
    recipe = {"step": "NormalizeDataset", "method": method, "target_rms": target_rms if method == "rms" else None}
    transform = partial(_normalized, method=method, target_rms=target_rms, trim=trim)
    return _derive(dataset, output or beside(dataset, "normalized"), transform, {**recipe, "trim": trim}, seed=0)


def remove_shortcuts(dataset: Path, output: Path | None = None) -> Derived:
    """Write a corpus without the cheap cues that can be removed; default output `<dataset>_evened`.

    All clips get the band and the background that suit all of them (`common_sound.py`), and one offset, level and
    silence (`src/audio/evening.py`).
    """
    files = read_files(dataset)
    if SEGMENTS in files:
        raise ValueError(
            f"Cutting silence would move the spoofed stretches that {dataset} lists: leave out `remove_shortcuts`."
        )
    common = common_sound(join_cues(files, read_cues(dataset, files["file"].tolist())))
    recipe = {"step": "NormalizeDataset", EVENED: asdict(common)}
    target = output or dataset.with_name(f"{dataset.name}_evened")
    return _derive(dataset, target, partial(_evened, common=common), recipe, seed=0)


def was_evened(dataset: Path) -> bool:
    """Return whether a corpus is one that `remove_shortcuts` wrote."""
    return (dataset / RECIPE).is_file() and EVENED in read_record(dataset / RECIPE)


def add_noise_to_dataset(dataset: Path, output: Path | None = None, *, snr: float = 20.0, seed: int = 7) -> Derived:
    """Write a corpus whose clips carry white noise at `snr` dB; default output `<dataset>_noisy`."""
    add_noise(np.ones(1), snr, np.random.default_rng(0))  # refuses a bad ratio before any work
    recipe = {"step": "AddNoise", "snr": snr, "seed": seed}
    return _derive(dataset, output or beside(dataset, "noisy"), partial(_noisy, snr=snr), recipe, seed=seed)


def _derive(dataset: Path, output: Path, transform: Transform, recipe: dict[str, Any], *, seed: int) -> Derived:
    """Write every clip of a corpus through `transform`, and the tables of the new corpus."""
    files = read_files(dataset)
    made = files.assign(file=[as_flac(file) for file in files["file"]])
    jobs = [
        Job(dataset / source, output / target, clip_seed(source, seed))
        for source, target in zip(files["file"], made["file"], strict=True)
    ]
    derivation = Derivation(dataset, output, recipe, jobs)
    derivation.start()
    reasons = derivation.run(jobs, transform, recipe["step"])
    derivation.finish()
    return write_derived_tables(dataset, output, made, reasons)


def write_derived_tables(dataset: Path, output: Path, made: pd.DataFrame, reasons: dict[str, str]) -> Derived:
    """Write the tables of a corpus that was derived from `dataset`, and measure what was measured there.

    Parameters
    ----------
    dataset, output : Path
    made : pd.DataFrame
        The rows of the new files table, as they would be if every clip could be used.
    reasons : dict
        File -> why it cannot.
    """
    measured = [column for column in ("duration", "amplitude") if column in made]
    with edit_tables(output) as tables:
        tables.set_rejected(reasons)
        made = without(made.drop(columns=measured), reasons, dataset)
        _write_sources(dataset, output, made)
        tables.write(made)
        write_classes(output, read_classes(dataset))
    for column in measured:  # what was measured on the original clips is measured again on the new ones
        {"duration": add_duration, "amplitude": add_amplitude}[column](output)
    return Derived(output, len(made), len(reasons))


def _write_sources(dataset: Path, output: Path, made: pd.DataFrame) -> None:
    """Write what made each spoof, and which clip it was copied from, where the original corpus says so.

    A copy of a spoof is paired with the clip that the spoof itself was copied from.
    """
    sources = made[["file", *(column for column in ("system", SEGMENTS, AUGMENTATION, COPY_OF) if column in made)]]
    originals = {as_flac(spoof): as_flac(original) for spoof, original in read_originals(dataset).items() if original}
    if originals:
        files = made["file"].where(made[COPY_OF] == "", made[COPY_OF]) if COPY_OF in made else made["file"]
        sources = sources.assign(original=files.map(as_flac).map(originals).fillna(""))
    named = (sources.drop(columns="file") != "").any(axis=1)
    if named.any():
        write_table(output / SOURCES_TABLE, sources[named])


def _normalized(waveform: np.ndarray, _seed: int, *, method: str, target_rms: float, trim: bool) -> np.ndarray:
    return METHODS[method](trim_silence(waveform, SPEECH_RATE) if trim else waveform, target_rms)


def _evened(waveform: np.ndarray, seed: int, *, common: CommonSound) -> np.ndarray:
    return even_out(waveform, common, np.random.default_rng(seed))


def _noisy(waveform: np.ndarray, seed: int, *, snr: float) -> np.ndarray:
    return add_noise(waveform, snr, np.random.default_rng(seed))


def unchanged(waveform: np.ndarray, _seed: int) -> np.ndarray:
    """Return the waveform itself: the transform of a clip that only changes its format."""
    return waveform


def clip_seed(file: str, seed: int) -> int:
    """Return the clip's own seed, which depends neither on the process nor on the order of work."""
    return crc32(f"{seed}/{file}".encode())


def beside(dataset: Path, word: str) -> Path:
    """Return the folder of a derived corpus where none was named.

    >>> beside(Path("datasets/mini"), "noisy").as_posix()
    'datasets/mini_noisy'
    """
    return dataset.with_name(f"{dataset.name}_{word}")
