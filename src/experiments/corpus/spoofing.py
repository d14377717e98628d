"""A new corpus of bona fide speech and of copies of it that vocoders made.

The speech is that of `real_voices/`, which needs no tables; a corpus of any other layout is taken by its files table.

Every bona fide clip is written as well, in the same format as the spoofs: mono 16-bit FLAC at 16 kHz. Several vocoders
give several spoofs of each clip, one beside the other; `SOURCES.csv` names the vocoder of each (`system`) and the clip
that it was copied from (`original`). A step that was killed resumes where it stopped (`derivation.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from src.audio.io import SPEECH_RATE
from src.audio.storage.places import exists
from src.corpora.audios import FAKE_FOLDER, REAL_FOLDER, person_folders, recordings_in
from src.corpora.sources import SOURCES_TABLE
from src.experiments.corpus.catalogue import generate_tables
from src.experiments.corpus.derivation import Derivation, Derived, Job, left_out_before
from src.experiments.corpus.transforms import beside, clip_seed, unchanged
from src.utils.copies import AUGMENTATION, COPY_OF, without_copies
from src.utils.csv_tables import printable, write_table
from src.utils.dataset import FILES_TABLE, NUMBER_COLUMNS, check_dataset, edit_tables, read_files, reject, without
from src.utils.labels import BONAFIDE, LABEL_NAMES, SPOOF
from src.utils.paths import as_flac, on
from src.utils.segments import SEGMENTS


def create_spoofs(dataset: Path, output: Path | None = None, *, vocoder: str = "griffinlim", seed: int = 7) -> Derived:
    """Write a corpus of the bona fide speech of `dataset` and copy-synthesised spoofs; default `<dataset>_spoofed`.

    Parameters
    ----------
    dataset, output : Path
    vocoder : str
        One, or several separated by commas: each makes a spoof of each clip.
    seed : int

    Raises
    ------
    FileNotFoundError
        When the corpus has neither real_voices/ nor tables.
    ValueError
        When a vocoder is unknown, named twice or lacks what it needs, or no clip can be used; nothing is written then.
    """
    vocoders = parse_vocoders(vocoder)
    check_dataset(dataset)
    _give_librosa_a_cache()
    target = output or beside(dataset, "spoofed")
    is_listed = not (dataset / REAL_FOLDER).is_dir()
    if is_listed and not (dataset / FILES_TABLE).is_file():
        raise FileNotFoundError(
            f"{dataset} has neither {REAL_FOLDER}/ nor {FILES_TABLE}: make its tables with fab GenerateDatasetCSV"
            f"{on(dataset)}."
        )
    speech = dataset / (FILES_TABLE if is_listed else REAL_FOLDER)
    clips = _listed_clips(dataset) if is_listed else _clips(dataset, target)
    if not any(exists(clip.recording) for clip in clips):
        raise ValueError(f"{speech} holds no recording to copy.")
    bonafide = [Job(clip.recording, target / clip.file, 0) for clip in clips]
    spoofs = {name: [clip.spoof(target, name, len(vocoders), seed) for clip in clips] for name in vocoders}
    jobs = [*bonafide, *(job for copies in spoofs.values() for job in copies)]
    derivation = Derivation(
        dataset, target, {"step": "CreateSpoofs", "vocoder": ",".join(vocoders), "seed": seed}, jobs
    )
    derivation.start()
    reasons = derivation.run(bonafide, unchanged, "bona fide")
    for name, copies in spoofs.items():
        reasons |= derivation.run(copies, partial(_copied, vocoder=name), f"spoofs by {name}")
    derivation.finish()
    rows = [
        (spoof.target.relative_to(target).as_posix(), name, clip.file)
        for name, copies in spoofs.items()
        for clip, spoof in zip(clips, copies, strict=True)
        if spoof.target.exists()
    ]
    if not rows:
        file, reason = next(iter(reasons.items()))
        raise ValueError(f"None of the {len(clips)} clips of {speech} can be used ({file}: {reason}).")
    sources = pd.DataFrame(rows, columns=["file", "system", "original"])
    write_table(target / SOURCES_TABLE, sources)
    if is_listed:
        return _write_tables(dataset, target, sources, reasons)
    n_clips = generate_tables(target).n_clips
    reject(target, reasons)
    return Derived(target, n_clips, len(reasons))


def parse_vocoders(text: str) -> list[str]:
    """Return the vocoders that a text names, separated by commas.

    >>> parse_vocoders("lpc, griffinlim")
    ['lpc', 'griffinlim']
    """
    from src.audio.vocoders.copies import require_vocoder

    vocoders = [name.strip() for name in text.split(",")]
    for name in vocoders:
        require_vocoder(name)
        if vocoders.count(name) > 1:
            raise ValueError(f"`vocoder` names {name} twice.")
    return vocoders


@dataclass(frozen=True)
class _Clip:
    """A bona fide recording, and what is made of it."""

    recording: Path
    named: str
    """Its path below the corpus, by which its seed is drawn."""
    copies: str
    """Where its spoofs lie in the new corpus, but for what made them."""

    @property
    def file(self) -> str:
        """Its clip in the new corpus."""
        return as_flac(self.named)

    def spoof(self, target: Path, vocoder: str, n_vocoders: int, seed: int) -> Job:
        """Return the job that makes a spoof; only where there are several vocoders does its name tell which."""
        name = f"{self.copies}_{vocoder if n_vocoders > 1 else 'fake'}.flac"
        return Job(self.recording, target / FAKE_FOLDER / name, clip_seed(self.named, seed))


def _clips(dataset: Path, target: Path) -> Sequence[_Clip]:
    """Return every bona fide recording, numbered by person in the order of their names.

    Recordings that an earlier run left out keep their numbers, whether they are repaired or removed later.
    """
    clips = []
    left_out = left_out_before(target)
    for folder, _ in person_folders(dataset, REAL_FOLDER):
        paths = recordings_in(folder)
        names = {Path(file).name for file in left_out if Path(file).parent == folder.relative_to(dataset)}
        removed = [folder / name for name in names - {printable(path.name) for path in paths}]
        for number, path in enumerate(sorted([*paths, *removed])):
            if path not in removed:
                named = f"{REAL_FOLDER}/{folder.name}/{path.name}"
                clips.append(_Clip(path, named, f"{folder.name}_Fake/{number}"))
    return clips


def _listed_clips(dataset: Path) -> Sequence[_Clip]:
    """Return every bona fide recording that the files table of a corpus lists."""
    files = _bonafide(dataset)["file"].tolist()
    return [_Clip(dataset / file, file, as_flac(file).removesuffix(".flac")) for file in files]


def _bonafide(dataset: Path) -> pd.DataFrame:
    """Return the bona fide rows of a files table; augmented copies are left out, and so is what was measured."""
    files = read_files(dataset)
    rows = without_copies(files[files["label"] == LABEL_NAMES[BONAFIDE]])
    return rows.drop(columns=[*NUMBER_COLUMNS, SEGMENTS, AUGMENTATION, COPY_OF], errors="ignore")


def _write_tables(dataset: Path, target: Path, sources: pd.DataFrame, reasons: dict[str, str]) -> Derived:
    """Write the tables of a new corpus; a spoof has the person, and all else that is known, of its original."""
    rows = _bonafide(dataset)
    rows = rows.assign(file=rows["file"].map(as_flac))
    originals = rows.set_index("file").loc[sources["original"]].reset_index(drop=True)
    spoofs = originals.assign(file=sources["file"], label=LABEL_NAMES[SPOOF], system=sources["system"])
    files = without(pd.concat([rows, spoofs], ignore_index=True), reasons, dataset)
    with edit_tables(target) as tables:
        tables.set_rejected(reasons)
        tables.write(files)
    return Derived(target, len(files), len(reasons))


def _copied(waveform: np.ndarray, seed: int, *, vocoder: str) -> np.ndarray:
    from src.audio.vocoders.copies import copy_synthesis

    _give_librosa_a_cache()
    return copy_synthesis(waveform, SPEECH_RATE, vocoder=vocoder, seed=seed)


@lru_cache
def _give_librosa_a_cache() -> None:
    """Let numba cache the functions of librosa even without a writable home folder.

    Called before the worker processes start, which inherit the folder, and in each of them, as they may be older.
    """
    from src.visualize.places import give_numba_a_place

    give_numba_a_place("librosa")
