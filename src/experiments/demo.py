"""A small corpus that the project makes itself, so that the whole chain can be seen working without any download.

Its voices are a buzz through a few resonances (`src/audio/voices.py`), its spoofs Griffin-Lim copies of them. Both are
machine-made: the EER of a classifier shows here that the chain works and says nothing about deepfakes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.audio.io import load_waveform, save_waveform
from src.audio.voices import draw_voice, speak
from src.corpora.audios import REAL_FOLDER
from src.experiments.corpus.splits import SplitShares
from src.experiments.corpus.spoofing import create_spoofs
from src.experiments.corpus.transforms import add_noise_to_dataset
from src.experiments.extraction.projections import Drawing, draw_embeddings
from src.experiments.pipeline import Chain, Step, run_pipeline
from src.utils.dataset import FILES_TABLE, read_files, write_tables
from src.utils.files import atomic_path, remove_leftovers
from src.utils.labels import SPOOF, parse_label
from src.utils.parallel import map_clips
from src.utils.paths import as_flac

N_PEOPLE = 24
CLIPS_PER_PERSON = 5
SECONDS = (2.0, 3.0)
SNR = 36
"""In dB; without noise a classifier would make no error."""
N_TRIALS = 12


@dataclass(frozen=True)
class _Person:
    """One voice and where its clips go."""

    folder: Path
    gender: str
    seed: tuple[int, int]


def run_demo(root: Path, *, seed: int = 7) -> Iterator[str]:
    """Make the corpus and run the chain on it; yield what to tell the user, line by line.

    Parameters
    ----------
    root : Path
        Gets `datasets/`, `embeddings/` and `runs/`.
    seed : int
    """
    dataset = root / "datasets" / "demo"
    yield "A demonstration on made-up voices: its EER shows that the chain works and says nothing about deepfakes."
    make_demo_corpus(dataset, seed=seed)
    yield str(Step("CreateSpoofs, AddNoise", f"{N_PEOPLE} made-up voices, copied, noise at {SNR} dB", dataset))
    shares = SplitShares(pretext=0, train=0.5, val=0.25)
    for step in run_pipeline(dataset, Chain("lfcc", "svm", trials=N_TRIALS, shares=shares, seed=seed), root=root):
        yield str(step)
    for picture in draw_embeddings(dataset, "lfcc", Drawing(seed=seed), root=root, methods=("umap",)):
        yield str(Step("VisualizeEmbeddingsUMAP", "a picture of the training clips", picture))
    yield (
        "With recordings of your own: lay them out as DatasetPreparation.md says in datasets/release, then run\n"
        "fab Pipeline --backbone=wav2vec2 --classifier=svm"
    )


def make_demo_corpus(dataset: Path, *, seed: int = 7, jobs: int = 0) -> None:
    """Make `<dataset>_voices` (the voices), `<dataset>_clean` (with their spoofs) and `dataset` (with noise as well).

    Existing clips are kept.

    Parameters
    ----------
    dataset : Path
    seed : int
        The same seed gives the same bytes.
    jobs : int
        Processes; 0 = one for each core.
    """
    voices, clean = (dataset.with_name(f"{dataset.name}_{word}") for word in ("voices", "clean"))
    people = []
    for number in range(N_PEOPLE):
        gender = "FM"[number % 2]
        name = f"Voice{number:02d}_{gender}{number // 2 + 1:03d}"
        people.append(_Person(voices / REAL_FOLDER / name, gender, (seed, number)))
    remove_leftovers(voices)
    map_clips(_record, people, jobs=jobs, description="voices")
    create_spoofs(voices, clean, seed=seed)
    add_noise_to_dataset(clean, dataset, snr=SNR, seed=seed)


def make_demo_if_missing(dataset: Path) -> None:
    """Make the demo corpus if `dataset` is called demo and does not exist; other corpora are left alone."""
    if dataset.name == "demo" and not (dataset / FILES_TABLE).is_file():
        make_demo_corpus(dataset)


def make_uneven_corpus(dataset: Path, output: Path, *, decibels: float) -> None:
    """Write a copy of a corpus whose bona fide speech is quieter, as a shortcut to find and remove.

    Parameters
    ----------
    dataset, output : Path
    decibels : float
        By how much.
    """
    files = read_files(dataset)
    made = files.assign(file=list(map(as_flac, files["file"])))
    for source, target, label in zip(files["file"], made["file"], files["label"], strict=True):
        gain = 1.0 if parse_label(label) == SPOOF else 10 ** (-decibels / 20)
        with atomic_path(output / target) as temporary:
            save_waveform(temporary, gain * load_waveform(dataset / source))
    write_tables(output, made.drop(columns=["duration", "amplitude"], errors="ignore"))


def _record(person: _Person) -> None:
    """Write the clips of one person."""
    rng = np.random.default_rng(person.seed)
    voice = draw_voice(person.gender, rng)
    for number in range(CLIPS_PER_PERSON):
        clip_rng = rng.spawn(1)[0]
        path = person.folder / f"{person.folder.name.rpartition('_')[2]}-{number:04d}.flac"
        if not path.exists():
            with atomic_path(path) as temporary:
                save_waveform(temporary, speak(voice, clip_rng.uniform(*SECONDS), clip_rng))
