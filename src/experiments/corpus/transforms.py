"""A new corpus from an old one: normalised, noisy, or with spoofs of its genuine speech.

The old corpus is only read. Every clip of the new one is a mono 16-bit FLAC at 16 kHz, whatever it was before, so that
neither file format nor sample rate can give the class away. A step that was killed goes on where it stopped: clips that
are there are kept, `recipe.json` tells what they were made of and with (another recipe for the same folder, or
recordings that changed since, are refused) and the tables are written last.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from src.audio.augment import add_noise
from src.audio.framing import trim_silence
from src.audio.io import SPEECH_RATE, load_waveform, save_waveform
from src.audio.normalize import METHODS
from src.corpora.audios import FAKE_FOLDER, REAL_FOLDER, SOURCES_TABLE, person_folders, recordings_in
from src.experiments.corpus.catalogue import add_amplitude, add_duration, generate_tables, usable_or_reason
from src.utils.dataset import (
    REJECTED_TABLE,
    check_dataset,
    drop_rejected,
    read_files,
    reject,
    write_table,
    write_tables,
)
from src.utils.files import atomic_path, fingerprint, read_json, remove_leftovers, text_digest, write_json
from src.utils.parallel import map_clips

Transform = Callable[[np.ndarray, int], np.ndarray]
"""A waveform of shape (n,) at 16 kHz and the clip's own seed -> a waveform."""


@dataclass(frozen=True)
class Derived:
    """A corpus that was made from another."""

    folder: Path
    n_clips: int
    n_rejected: int

    def __str__(self) -> str:
        left_out = f"; {self.n_rejected} left out, see {REJECTED_TABLE}" if self.n_rejected else ""
        return f"{self.n_clips} clips in {self.folder}{left_out}"


@dataclass(frozen=True)
class _Job:
    """One clip to be read, changed and written."""

    source: Path
    target: Path
    seed: int


def normalize_dataset(
    dataset: Path, output: Path | None = None, *, method: str = "peak", target_rms: float = 0.1, trim: bool = False
) -> Derived:
    """Write a corpus whose clips have one level; default output `<dataset>_normalized`.

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
    recipe = {"step": "NormalizeDataset", "method": method, "target_rms": target_rms if method == "rms" else None}
    transform = partial(_normalized, method=method, target_rms=target_rms, trim=trim)
    return _derive(dataset, output or _beside(dataset, "normalized"), transform, {**recipe, "trim": trim}, seed=0)


def add_noise_to_dataset(dataset: Path, output: Path | None = None, *, snr: float = 20.0, seed: int = 7) -> Derived:
    """Write a corpus whose clips carry white noise at `snr` dB; default output `<dataset>_noisy`."""
    add_noise(np.ones(1), snr, np.random.default_rng(0))  # refuses a bad ratio before any work
    recipe = {"step": "AddNoise", "snr": snr, "seed": seed}
    return _derive(dataset, output or _beside(dataset, "noisy"), partial(_noisy, snr=snr), recipe, seed=seed)


def create_spoofs(dataset: Path, output: Path | None = None, *, vocoder: str = "griffinlim", seed: int = 7) -> Derived:
    """Write a corpus of the genuine speech of `dataset` and copy-synthesised spoofs of it; default `<dataset>_spoofed`.

    Genuine clips are written as well, in the same format as the spoofs. `SOURCES.csv` names the vocoder.
    """
    from src.audio.vocoders import VOCODERS

    if vocoder not in VOCODERS:
        raise ValueError(f"Unknown vocoder '{vocoder}'; allowed: {', '.join(VOCODERS)}.")
    check_dataset(dataset)
    target = output or _beside(dataset, "spoofed")
    genuine, spoofed, sources = [], [], []
    for folder, _ in person_folders(dataset, REAL_FOLDER):
        for number, path in enumerate(recordings_in(folder)):
            file = f"{REAL_FOLDER}/{folder.name}/{path.name}"
            spoof = f"{FAKE_FOLDER}/{folder.name}_Fake/{number}_fake.flac"
            genuine.append(_Job(path, target / _as_flac(file), 0))
            spoofed.append(_Job(path, target / spoof, _clip_seed(file, seed)))
            sources.append({"file": spoof, "system": vocoder})
    if not genuine:
        raise ValueError(f"{dataset / REAL_FOLDER} holds no recording to copy.")
    _start(dataset, target, {"step": "CreateSpoofs", "vocoder": vocoder, "seed": seed}, genuine)
    reasons = _run(genuine, _unchanged, "genuine") | _run(spoofed, partial(_copied, vocoder=vocoder), "spoofs")
    write_table(target / SOURCES_TABLE, pd.DataFrame(sources))
    made = generate_tables(target)
    reject(target, {path.relative_to(target).as_posix(): reason for path, reason in reasons.items()})
    return Derived(target, made.n_clips, len(reasons))


def _derive(dataset: Path, output: Path, transform: Transform, recipe: dict[str, Any], *, seed: int) -> Derived:
    """Write every clip of a corpus anew through `transform`, and the tables that go with them."""
    files = read_files(dataset)
    made = files.assign(file=[_as_flac(file) for file in files["file"]])
    measured = [column for column in ("duration", "amplitude") if column in made]
    jobs = [
        _Job(dataset / source, output / target, _clip_seed(source, seed))
        for source, target in zip(files["file"], made["file"], strict=True)
    ]
    _start(dataset, output, recipe, jobs)
    reasons = _run(jobs, transform, recipe["step"])
    rejected = {path.relative_to(output).as_posix(): reason for path, reason in reasons.items()}
    made = drop_rejected(output, made.drop(columns=measured), rejected)
    if made["system"].any():
        write_table(output / SOURCES_TABLE, made.loc[made["system"] != "", ["file", "system"]])
    write_tables(output, made)
    for column in measured:  # what was known of the old clips is measured anew on the new ones
        {"duration": add_duration, "amplitude": add_amplitude}[column](output)
    return Derived(output, len(made), len(reasons))


def _start(dataset: Path, output: Path, recipe: dict[str, Any], jobs: list[_Job]) -> None:
    """Refuse what would touch the old corpus or mix two recipes; note the recipe in the output folder."""
    if output.resolve() == dataset.resolve() or dataset.resolve() in output.resolve().parents:
        raise ValueError(f"--output must lie outside {dataset}, which is only read.")
    targets = pd.Series([job.target for job in jobs])
    if targets.duplicated().any():
        twin = targets[targets.duplicated()].iloc[0]
        raise ValueError(
            f"Two recordings would both become {twin}: rename one of them, they differ in their suffix only."
        )
    recipe = {
        **recipe,
        "source": dataset.name,
        "source_files": text_digest(
            "\n".join(sorted(f"{job.source.relative_to(dataset).as_posix()} {_state(job.source)}" for job in jobs))
        ),
    }
    note = output / "recipe.json"
    if note.is_file():
        if read_json(note) != recipe:
            raise ValueError(
                f"{output} was made from other clips or with other settings (see its {note.name}); "
                "choose another --output or delete it."
            )
        remove_leftovers(output)
        return
    if output.exists() and any(output.iterdir()):
        raise ValueError(f"{output} is not empty and was not made by this step; choose another --output.")
    write_json(note, recipe)


def _run(jobs: list[_Job], transform: Transform, description: str) -> dict[Path, str]:
    """Write the clips that are not there yet; return those that cannot be made, target -> reason."""
    waiting = [job for job in jobs if not job.target.exists()]
    outcomes = map_clips(partial(_write_clip, transform), waiting, description=description)
    return {job.target: reason for job, reason in zip(waiting, outcomes, strict=True) if reason}


def _write_clip(transform: Transform, job: _Job) -> str:
    waveform, reason = usable_or_reason(load_waveform, job.source)
    if not reason:
        with atomic_path(job.target) as temporary:
            save_waveform(temporary, transform(waveform, job.seed))
    return reason


def _normalized(waveform: np.ndarray, _seed: int, *, method: str, target_rms: float, trim: bool) -> np.ndarray:
    return METHODS[method](trim_silence(waveform, SPEECH_RATE) if trim else waveform, target_rms)


def _noisy(waveform: np.ndarray, seed: int, *, snr: float) -> np.ndarray:
    return add_noise(waveform, snr, np.random.default_rng(seed))


def _copied(waveform: np.ndarray, seed: int, *, vocoder: str) -> np.ndarray:
    from src.audio.vocoders import copy_synthesis

    return copy_synthesis(waveform, SPEECH_RATE, vocoder=vocoder, seed=seed)


def _unchanged(waveform: np.ndarray, _seed: int) -> np.ndarray:
    return waveform


def _state(recording: Path) -> str:
    return fingerprint(recording) if recording.is_file() else "missing"


def _clip_seed(file: str, seed: int) -> int:
    """Return a seed of the clip's own, the same whichever process takes it and in whatever order."""
    return crc32(f"{seed}/{file}".encode())


def _as_flac(file: str) -> str:
    return str(PurePosixPath(file).with_suffix(".flac"))


def _beside(dataset: Path, word: str) -> Path:
    return dataset.with_name(f"{dataset.name}_{word}")
